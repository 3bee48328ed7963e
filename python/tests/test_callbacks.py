"""Lightning's Trainer and that of transformers, recorded by a line."""

import pytest
import torch
from support import gradscope as program
from support import lines
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

pytestmark = pytest.mark.callbacks


def data():
    torch.manual_seed(3)
    x = torch.randn(64, 4)
    return x, (x[:, 0] > 0).long()


@pytest.mark.filterwarnings("ignore")
def test_lightning(tmp_path):
    lightning = pytest.importorskip("lightning.pytorch")
    from gradscope.lightning import GradscopeCallback

    class Model(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Linear(4, 8), nn.Linear(8, 2)

        def training_step(self, batch, _):
            return nn.functional.cross_entropy(self.head(torch.relu(self.body(batch[0]))), batch[1])

        def validation_step(self, batch, _):
            self.log("val_loss", self.training_step(batch, _))

        def configure_optimizers(self):
            return optim.SGD(self.parameters(), lr=0.1)

    loader = DataLoader(TensorDataset(*data()), batch_size=16)
    trainer = lightning.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        gradient_clip_val=1e-3,
        default_root_dir=tmp_path,
        callbacks=[GradscopeCallback(str(tmp_path / "run.jsonl"))],
    )
    trainer.fit(Model(), loader, loader)
    program("check", tmp_path / "run.jsonl")
    header, epochs = lines(tmp_path / "run.jsonl")[0], lines(tmp_path / "run.jsonl", "epoch")
    assert header["run"]["clip_norm"] == 1e-3 and header["layers"][0]["activation"] == "relu"
    assert len(epochs) == 3 and all(e["dev_loss"] > 0 for e in epochs) and epochs[-1]["grad_l2"] > 1e-2
    end = lines(tmp_path / "run.jsonl", "end")[0]
    assert (end["outcome"], end["steps_done"], end["epochs_done"]) == ("finished", 12, 3)


@pytest.mark.filterwarnings("ignore")
def test_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    import gradscope.huggingface

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Linear(4, 8), nn.Linear(8, 2)

        def forward(self, x, labels):
            logits = self.head(torch.relu(self.body(x)))
            return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}

    x, y = data()
    rows = [{"x": a, "labels": b} for a, b in zip(x, y)]
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path / "out"),
        per_device_train_batch_size=8,
        gradient_accumulation_steps=2,
        num_train_epochs=2,
        max_grad_norm=1e-3,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    trainer = transformers.Trainer(model=Model(), args=arguments, train_dataset=rows)
    gradscope.huggingface.watch(trainer, str(tmp_path / "run.jsonl"), every=4)
    trainer.train()
    header, steps = lines(tmp_path / "run.jsonl")[0], lines(tmp_path / "run.jsonl", "step")
    assert (header["run"]["clip_norm"], header["run"]["loss"]) == (1e-3, "cross-entropy")
    assert sum(s["steps"] for s in steps) == 8 and all(s["grad_l2"] > 1e-2 for s in steps)
    assert 0.5 < steps[0]["loss"] < 1.0
    capture = steps[0]["capture"][0]["activations"]
    assert capture["pre"]["n"] == 2 * 8 * 8
