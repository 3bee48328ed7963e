"""Well-known networks go through without an error, and without an alarm in their first steps."""

import json
import struct

import pytest
import torch
from support import gradscope, lines, summary
from torch import nn, optim

import gradscope as recorder

CHANCE = 1.3863
#: Learning rates of networks for images; without normalisation less.
#: As torchvision trains them (references/classification), by a tenth for batches of 8.
RATES = {"resnet18": 0.01, "vgg11": 0.001, "mobilenet_v3_small": 0.01}


class Transformer(nn.Module):
    """Two encoder layers over words."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(50, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        return self.head(self.encoder(self.words(x)).mean(1))


class Recurrent(nn.Module):
    """An LSTM over vectors."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 8, num_layers=2, batch_first=True)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


def zoo(name):
    vision = pytest.importorskip("torchvision")
    return getattr(vision.models, name)(num_classes=4)


def train(model, inputs, folder, steps, every, rate=0.01, **settings):
    optimizer = optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    settings["every"] = every
    with recorder.watch(model, folder / "run.jsonl", **settings) as scope:
        for _ in range(steps):
            x, y = inputs(), torch.randint(0, 4, (8,))
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            scope.step(loss)
            optimizer.step()
    told = summary(folder / "run.jsonl", folder / "out")
    assert [f for f in told["findings"] if f["severity"] == "error"] == []
    assert len(told["epochs"]) == steps // every
    return {layer["name"]: layer for layer in lines(folder / "run.jsonl", "header")[0]["layers"]}


def test_a_transformer_encoder(tmp_path):
    layers = train(Transformer(), lambda: torch.randint(0, 50, (8, 6)), tmp_path, 50, 10, chance_loss=CHANCE)
    names = list(layers)
    assert names[0] == "words" and names[-1] == "head" and layers["head"]["output"]
    assert layers["encoder.layers.0.self_attn.in_proj_weight"]["kind"] == "linear"
    assert layers["encoder.layers.1.linear1"]["activation"] == "relu"
    assert layers["encoder.layers.1.norm2"]["kind"] == "layer-norm"


def test_a_recurrent_network(tmp_path):
    layers = train(Recurrent(), lambda: torch.randn(8, 6, 5), tmp_path, 50, 10, rate=0.1, chance_loss=CHANCE)
    assert list(layers) == [
        *(f"lstm.weight_{part}_l{k}" for k in (0, 1) for part in ("ih", "hh")),
        "head",
    ]
    assert {layer["kind"] for name, layer in layers.items() if "lstm" in name} == {"recurrent"}


@pytest.mark.torchvision
@pytest.mark.parametrize("name", RATES)
def test_networks_for_images(name, tmp_path):
    # Two lines alone: what guessing costs is not said, since random labels are not to be learned.
    layers = train(zoo(name), lambda: torch.randn(8, 3, 32, 32), tmp_path, 50, 10, RATES[name])
    assert sum(layer["output"] for layer in layers.values()) == 1
    if name == "resnet18":
        assert (layers["conv1"]["activation"], layers["conv1"]["normalized"]) == ("relu", True)
        # What follows the sum with the shortcut is not the convolution's alone.
        assert layers["layer1.0.conv2"]["activation"] == "identity"
    if name == "vgg11":
        assert layers["classifier.0"]["activation"] == layers["features.0"]["activation"] == "relu"


class Grey(nn.Module):
    """A network for coloured images on grey ones."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x.expand(-1, 3, -1, -1))


def images(folder, rows):
    """Noisy grey images of 32 x 32 pixels in four classes, darker and brighter ones, as the files of MNIST."""
    folder.mkdir()
    for part, count in (("train", rows), ("t10k", 8)):
        labels = torch.arange(count) % 4
        pixels = torch.randint(0, 64, (count, 32 * 32)) + 64 * labels.unsqueeze(1)
        header = struct.pack(">4B3I", 0, 0, 8, 3, count, 32, 32)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + bytes(pixels.flatten().tolist()))
        header = struct.pack(">4BI", 0, 0, 8, 1, count)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(header + bytes(labels.tolist()))


@pytest.mark.torchvision
@pytest.mark.parametrize("name", RATES)
def test_networks_for_images_as_torchscript(name, tmp_path):
    torch.jit.script(Grey(zoo(name))).save(str(tmp_path / f"{name}.pt"))
    images(tmp_path / "images", 80)
    words = f"run --model {tmp_path / name}.pt --data idx:{tmp_path / 'images'} --split 80,0,8 --batch-size 8"
    settings = f"--epochs 5 --loss cross-entropy --optimizer sgd --momentum 0.9 --lr {RATES[name]} --quiet"
    gradscope(*words.split(), *settings.split(), "--out", tmp_path / "out")
    told = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [f for f in told["findings"] if f["severity"] == "error"] == []
    assert told["run"]["steps_done"] == 50
    kinds = {layer["name"]: layer["kind"] for layer in told["layers"]}
    first = {"resnet18": "conv1", "vgg11": "features.0", "mobilenet_v3_small": "features.0.0"}[name]
    assert next(iter(kinds)) == f"net.{first}" and kinds[f"net.{first}"] == "conv2d"
    assert ("batch-norm" in kinds.values()) == (name != "vgg11")
