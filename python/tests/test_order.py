"""`scope.step(loss)` in the wrong place is an error, and what is not known is said to be so."""

import copy
import io
import os
import pickle
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
    [
        ({"every": 0}, "every=0"),
        ({"every": True}, "every=True"),
        ({"every": "step"}, "every='step'"),
        ({"rows": -5}, "rows=-5"),
        ({"rows": 2.5}, "rows=2.5"),
        ({"epochs": 2.0}, "epochs=2.0"),
        ({"clip_norm": -1.0}, "clip_norm=-1"),
        ({"clip_value": "x"}, "clip_value='x'"),
        ({"chance_loss": float("nan")}, "chance_loss=nan"),
        ({"name": 5}, "name=5"),
        ({"data": None}, "data=None"),
        ({"loss": "hinge"}, "hinge"),
        ({"optimizer": 3}, "optimizer=3"),
        ({"targets": [0, 1]}, "not list"),
        ({"targets": torch.zeros(0)}, "shape .0."),
        ({"targets": torch.tensor([0.5, float("nan")]), "loss": "mse"}, "NaN or infinite"),
        ({"targets": torch.tensor([0.5, 0.2]), "loss": "bce"}, "should be classes"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, told, tmp_path):
    with pytest.raises(ValueError, match=told):
        recorder.watch(small(), tmp_path / "run.jsonl", **settings)
    assert not (tmp_path / "run.jsonl").exists()


def test_only_a_module_is_watched_and_only_files_are_written(tmp_path):
    for model in (None, [small()]):
        with pytest.raises(ValueError, match="torch.nn.Module"):
            recorder.watch(model, tmp_path / "run.jsonl")
    os.mkfifo(tmp_path / "fifo")
    for path in ("", tmp_path, tmp_path / "fifo", "/dev/null"):
        with pytest.raises(ValueError, match="no file that a record"):
            recorder.watch(small(), path)
    trained(small(), tmp_path / "new" / "folder" / "run.jsonl")
    assert lines(tmp_path / "new" / "folder" / "run.jsonl", "end")


class Whole:
    """A whole number of another library."""

    def __index__(self):
        return 20


def test_targets_need_no_loss_where_the_graph_tells_it_and_numbers_may_be_of_other_libraries(tmp_path):
    targets = torch.tensor([0, 1, 1, 1])
    trained(small(), tmp_path / "run.jsonl", targets=targets, rows=Whole(), epochs=Whole(), every=Whole())
    header = lines(tmp_path / "run.jsonl", "header")[0]
    assert abs(header["data"]["chance_loss"] - 0.5623351) < 1e-6
    assert (header["data"]["train"], header["run"]["epochs"], header["run"]["steps_per_epoch"]) == (20, 20, 20)


def trained(model, path, steps=3, beside=lambda model: None, **settings):
    torch.manual_seed(1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with recorder.watch(model, path, **settings) as scope:
        for _ in range(steps):
            x, y = batch()
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            scope.step(loss)
            optimizer.step()
            beside(model)


def test_a_watched_model_can_be_copied_and_saved_and_its_copy_is_not_measured(tmp_path):
    def beside(model):
        saved = io.BytesIO()
        torch.save(model, saved)
        pickled = pickle.loads(pickle.dumps(model))
        for other in (copy.deepcopy(model), pickled):
            with torch.random.fork_rng():
                other(torch.randn(5, 4)).sum().backward()

    model = small()
    plain = copy.deepcopy(model)
    trained(model, tmp_path / "with.jsonl", every=2, beside=beside)
    trained(plain, tmp_path / "without.jsonl", every=2)
    for kind in ("step", "epoch"):
        assert lines(tmp_path / "with.jsonl", kind) == lines(tmp_path / "without.jsonl", kind)


def test_a_layer_that_was_replaced_is_told(tmp_path):
    def beside(model):
        model[2] = nn.Linear(8, 2)

    with pytest.warns(UserWarning, match="no longer has the weights of 2; watch it anew"):
        trained(small(), tmp_path / "run.jsonl", every=1, beside=beside)


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
    assert {"clip-dominated", "output-activation", "constant-output"} <= missing
    # What guessing costs was found in the graph of the loss, though nobody told it.
    assert "plateau" not in missing and lines(tmp_path / "run.jsonl", "epoch")[-1]["baseline"]["source"] == "targets"
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
