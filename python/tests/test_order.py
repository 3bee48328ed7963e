"""`scope.step(loss)` in the wrong place is an error, and what is not known is said to be so."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest
import torch
from support import ROOT, gradscope, lines, summary
from torch import nn, optim

import gradscope as recorder


def small():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


def batch():
    return torch.randn(16, 4), torch.randint(0, 2, (16,))


@pytest.mark.parametrize("first", [True, False])
def test_after_the_optimizers_step_is_too_late(first, tmp_path):
    model, (x, y) = small(), batch()
    optimizer = optim.Adam(model.parameters())
    scope = recorder.watch(model, tmp_path / "run.jsonl")
    for step in range(1 if first else 2):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        if not first and step == 0:
            scope.step(loss)
            optimizer.step()
            continue
        optimizer.step()
        with pytest.raises(recorder.OrderError, match="after optimizer.step"):
            scope.step(loss)
    scope.close()


def test_before_backward_there_is_nothing_to_measure(tmp_path):
    model, (x, y) = small(), batch()
    scope = recorder.watch(model, tmp_path / "run.jsonl")
    loss = nn.functional.cross_entropy(model(x), y)
    with pytest.raises(recorder.OrderError, match="found no gradient"):
        scope.step(loss)
    scope.close()
    assert not (tmp_path / "run.jsonl").exists()


@pytest.mark.parametrize(
    "settings, told",
    [({"every": 0}, "every=0"), ({"loss": "hinge"}, "hinge"), ({"targets": torch.zeros(3)}, "needs loss=")],
)
def test_settings_that_cannot_be_are_refused(settings, told, tmp_path):
    with pytest.raises(ValueError, match=told):
        recorder.watch(small(), tmp_path / "run.jsonl", **settings)


def test_a_model_without_weights_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no layer with a weight"):
        recorder.watch(nn.ReLU(), tmp_path / "run.jsonl")


def test_what_is_not_known_is_not_measured(tmp_path):
    model, (x, y) = small(), batch()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with recorder.watch(model, tmp_path / "run.jsonl", every=2) as scope:
        for _ in range(6):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            scope.step(loss.item())
            optimizer.step()
    missing = {n["rule"] for n in summary(tmp_path / "run.jsonl", tmp_path / "out")["not_measured"]}
    assert {"clip-dominated", "output-activation", "plateau", "constant-output"} <= missing
    header = lines(tmp_path / "run.jsonl", "header")[0]
    assert header["run"]["capture"] == "activations=off" and header["run"]["loss"] == "unknown"
    assert header["run"]["optimizer"] == "sgd" and header["run"]["lr"] == 0.1


def test_a_killed_run_leaves_a_readable_record_and_an_unended_one_is_ended_at_exit(tmp_path):
    script = textwrap.dedent(
        """
        import os, signal, sys, torch, gradscope
        model = torch.nn.Linear(3, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scope = gradscope.watch(model, "run.jsonl", every=4)
        for step in range(10):
            optimizer.zero_grad()
            loss = model(torch.randn(5, 3)).square().mean()
            loss.backward()
            scope.step(loss)
            optimizer.step()
        if sys.argv[1] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if sys.argv[1] == "fail":
            raise ValueError
        """
    )
    for how in ("kill", "fail", "end"):
        folder = tmp_path / how
        folder.mkdir()
        environment = dict(os.environ, PYTHONPATH=str(ROOT / "python"))
        done = subprocess.run([sys.executable, "-c", script, how], cwd=folder, env=environment, capture_output=True)
        assert done.returncode == {"kill": -signal.SIGKILL, "fail": 1, "end": 0}[how], done.stderr
        told = summary(folder / "run.jsonl", folder / "out")
        assert told["run"]["outcome"] == ("finished" if how == "end" else "killed")
        assert len(told["epochs"]) == 2
    gradscope("check", tmp_path / "end" / "run.jsonl")
