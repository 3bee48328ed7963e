"""One network, one data set, one seed: the recorder, the program's own trainer, a model file and TorchScript tell
the same."""

import json
import math

import pytest
import torch
from support import ROOT, close, gradscope, moons, summary, teaching
from torch import nn, optim

import gradscope as recorder

CASES = {
    "healthy": ("moons1", [2, 5, 1], nn.Sigmoid, 1.0, 0.0, 2.0, 150),
    "dead": ("relu5", [2, 3, 3, 3, 3, 1], nn.ReLU, 0.01, -8.0, 0.01, 20),
    "vanishing": ("sigmoid5", [2, 3, 3, 3, 3, 1], nn.Sigmoid, 0.01, 1.0, 0.01, 20),
}


@pytest.mark.parametrize("case", CASES)
def test_losses_norms_and_verdicts_are_those_of_gradscope_run(case, tmp_path):
    name, widths, activation, std, bias, rate, epochs = CASES[case]
    x, y = moons()
    dev_x, dev_y = moons(640, 800)
    model = teaching(widths, activation, std, bias, seed=3)
    optimizer = optim.SGD(model.parameters(), lr=rate)
    settings = {"targets": y, "loss": "bce", "clip_norm": None, "epochs": epochs}
    with recorder.watch(model, tmp_path / "run.jsonl", every=1, **settings) as scope:
        for _ in range(epochs):
            loss = nn.functional.binary_cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            scope.step(loss)
            optimizer.step()
            with torch.no_grad():
                dev = model(dev_x)
            score = ((dev > 0.5) == (dev_y > 0.5)).float().mean()
            scope.epoch(dev_loss=nn.functional.binary_cross_entropy(dev, dev_y), dev_score=score)
    ours = summary(tmp_path / "run.jsonl", tmp_path / "ours")
    theirs = trained(tmp_path / "theirs", f"--model {name} --bias {bias:g}", case)
    assert ours["verdict"] == theirs["verdict"] == ("healthy" if case == "healthy" else "unhealthy")
    fields = ("rule", "layers", "root", "severity", "first_epoch")
    told = [[[f[name] for name in fields] for f in s["findings"]] for s in (ours, theirs)]
    assert told[0] == told[1]
    assert ours["not_measured"] == theirs["not_measured"]
    for a, b in zip(ours["findings"], theirs["findings"]):
        assert close(a["value"], b["value"])
    alike(ours, theirs, epochs)
    for a, b in zip(ours["layers"], theirs["layers"]):
        for u, v in zip(a["epochs"], b["epochs"]):
            p, q = u["activation"], v["activation"]
            assert p.keys() == q.keys()
            assert all(p[k] == q[k] or close(p[k], q[k], 1.0) for k in p)
    assert not math.isnan(ours["epochs"][-1]["train_loss"])


@pytest.mark.parametrize("case", CASES)
def test_a_model_file_and_a_torchscript_program_tell_the_same_too(case, tmp_path):
    name, widths, activation, std, bias, _, epochs = CASES[case]
    theirs = trained(tmp_path / "theirs", f"--model {name} --bias {bias:g}", case)
    described = trained(tmp_path / "file", f"--model {ROOT}/src/train/zoo/{name}.toml --bias {bias:g}", case)
    for part in ("verdict", "findings", "layers"):
        assert described[part] == theirs[part]
    torch.jit.script(teaching(widths, activation, std, bias, seed=3)).save(str(tmp_path / "net.pt"))
    program = trained(tmp_path / "script", f"--model {tmp_path / 'net.pt'}", case)
    assert program["verdict"] == theirs["verdict"]
    # What was measured of a program says the same; its root is the other's, unless that asks for what was not.
    fields = ("rule", "layer", "severity", "first_epoch")
    own, others = ([[f[name] for name in fields] for f in s["findings"]] for s in (program, theirs))
    assert all(finding in others for finding in own)
    roots = [[f["rule"] for f in s["findings"] if f["root"]] for s in (program, theirs)]
    missing = {n["rule"] for n in program["not_measured"]}
    assert {"saturated", "init-scale", "constant-output"} <= missing
    assert roots[0] == roots[1] or set(roots[1]) <= missing
    alike(program, theirs, epochs)


def trained(folder, model, case):
    """The summary of the program's own training."""
    rate, epochs = CASES[case][5:]
    words = f"run {model} --loss bce --optimizer sgd --lr {rate:g} --epochs {epochs} --seed 3 --batch-size full --quiet"
    data = f"--data csv:{ROOT / 'fixtures' / 'moons.csv'} --split 640,160,200 --no-shuffle-split"
    gradscope(*words.split(), *data.split(), "--out", folder)
    return json.loads((folder / "summary.json").read_text())


def alike(ours, theirs, epochs):
    """Losses, scores, and the distributions of weights and gradients."""
    assert [e["epoch"] for e in ours["epochs"]] == [e["epoch"] for e in theirs["epochs"]]
    assert ours["epochs"][-1]["epoch"] == epochs - 1
    for a, b in zip(ours["epochs"], theirs["epochs"]):
        assert close(a["train_loss"], b["train_loss"]) and close(a["grad_l2"], b["grad_l2"])
        assert close(a["dev_loss"], b["dev_loss"]) and close(a["dev_score"], b["dev_score"])
    assert len(ours["layers"]) == len(theirs["layers"])
    for a, b in zip(ours["layers"], theirs["layers"]):
        assert (a["name"], a["kind"], a["parameters"]) == (b["name"], b["kind"], b["parameters"])
        for u, v in zip(a["epochs"], b["epochs"]):
            assert close(u["update_ratio"], v["update_ratio"])
            for tensor in ("weight", "bias", "weight_grad", "bias_grad"):
                p, q = u[tensor], v[tensor]
                size = q["l2"] if isinstance(q["l2"], float) else 1.0
                assert close(p["l2"], q["l2"])
                assert (p["count"], p["zeros"], p["nan"], p["inf"]) == (q["count"], q["zeros"], q["nan"], q["inf"])
                for number in ("mean", "std", "min", "max"):
                    assert close(p[number], q[number], size)
                assert all(close(s, t, size) for s, t in zip(p["q"], q["q"]))
