"""Two processes under DistributedDataParallel: their merged record is that of one, and a rank that is off is found."""

import os
import socket
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from support import close, gradscope, lines, summary
from torch import nn, optim

import gradscope as recorder


def train(rank, world, port, path, tamper):
    """Twelve steps of a global batch of 64 rows, this rank's share of them."""
    torch.set_num_threads(1)
    if world > 1:
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        dist.init_process_group("gloo", rank=rank, world_size=world)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3))
    x, y = torch.randn(64, 6), torch.randint(0, 3, (64,))
    x[:32] += 0.5
    own = slice(64 // world * rank, 64 // world * (rank + 1))
    network = nn.parallel.DistributedDataParallel(model) if world > 1 else model
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with recorder.watch(network, path, every=3, targets=y, loss="cross-entropy", clip_norm=None) as scope:
        for step in range(12):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(x[own]), y[own])
            loss.backward()
            scope.step(loss)
            optimizer.step()
            if tamper and rank == 1 and step == 5:
                model[2].weight.data.mul_(1.01)
    if world > 1:
        dist.destroy_process_group()


def two_ranks(folder, tamper=False):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    # Spawned processes find this file by its folder.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    mp.spawn(train, args=(2, port, str(folder / "run.jsonl"), tamper), nprocs=2)
    ranks = [folder / "run.rank1.jsonl", folder / "run.rank0.jsonl"]
    gradscope("merge", *ranks, "-o", folder / "merged.jsonl")
    return ranks


def compare(a, b, where=""):
    """Counts exact, numbers within 1e-4 of a tensor's size."""
    assert a.keys() == b.keys(), where
    root = (a["n"] * a["ss"]) ** 0.5 if "ss" in a else None
    for key, value in a.items():
        here = f"{where}.{key}"
        if isinstance(value, dict):
            compare(value, b[key], here)
        elif key in ("n", "zeros", "nan", "samples", "units", "exact", "rate"):
            assert value == b[key], here
        elif key in ("range",):
            assert all(close(u, v) for u, v in zip(value, b[key])), here
        elif isinstance(value, float) and not key.endswith("row_deviation"):
            # Gradients of a softmax add up to 0: their mean, and what it divides, is rounding.
            assert close(value, b[key], root), f"{here}: {value} {b[key]}"


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("healthy")
    ranks = two_ranks(folder)
    train(0, 1, 0, str(folder / "single.jsonl"), False)
    return folder, ranks


def test_the_merged_record_is_that_of_one_process_with_the_whole_batch(healthy):
    folder, _ = healthy
    merged, single = (lines(folder / f"{name}.jsonl") for name in ("merged", "single"))
    assert [line["kind"] for line in merged if line["kind"] != "step"] == ["header", *["epoch"] * 4, "end"]
    assert merged[0]["run"]["batch_size"] == single[0]["run"]["batch_size"] == 64
    assert close(merged[0]["data"]["input_rms"], single[0]["data"]["input_rms"])
    steps, epochs = ([[x for x in r if x["kind"] == k] for r in (merged, single)] for k in ("step", "epoch"))
    assert len(steps[0]) == len(steps[1]) == 12
    for a, b in zip(*steps):
        assert close(a["loss"], b["loss"]) and close(a["grad_l2"], b["grad_l2"])
        for u, v in zip(a["layers"], b["layers"]):
            assert all(close(u[name], v[name]) for name in u)
    captures = [(a["layers"], b["layers"]) for a, b in zip(*epochs)]
    captures.append((steps[0][0]["capture"], steps[1][0]["capture"]))
    for ours, theirs in captures:
        for a, b in zip(ours, theirs):
            compare(a, b)
            assert "signal_l2" in a and "per_unit" not in a["activations"]
    for a, b in zip(*epochs):
        assert close(a["train_loss"], b["train_loss"])
    told = [summary(folder / f"{n}.jsonl", folder / n) for n in ("merged", "single")]
    assert told[0]["verdict"] == told[1]["verdict"]
    assert [f["rule"] for f in told[0]["findings"]] == [f["rule"] for f in told[1]["findings"]]


def test_a_rank_whose_weights_were_changed_is_found(tmp_path):
    two_ranks(tmp_path, tamper=True)
    found = [f for f in summary(tmp_path / "merged.jsonl", tmp_path / "out")["findings"] if f["rule"] == "ranks-differ"]
    assert len(found) == 1 and found[0]["severity"] == "error" and found[0]["root"]
    assert found[0]["layers"][0] == "2" and found[0]["first_step"] == 5 and found[0]["evidence"]["rank"] == 1
    gradscope("check", tmp_path / "merged.jsonl", "--fail-on", "ranks-differ", status=1)


def test_the_record_of_one_rank_says_that_nothing_was_compared(healthy):
    folder, ranks = healthy
    missing = summary(ranks[1], folder / "alone")["not_measured"]
    assert [n["rule"] for n in missing] == ["overfit", "ranks-differ"]


def test_what_does_not_make_one_run_is_refused(healthy):
    folder, ranks = healthy
    for given in ([ranks[0]], [ranks[0], ranks[0]], [ranks[0], folder / "single.jsonl"]):
        gradscope("merge", *given, "-o", folder / "none.jsonl", status=2)
        assert not (folder / "none.jsonl").exists()
    gradscope("merge", *ranks, "-o", ranks[0], status=2)
    gradscope("merge", *ranks, "-o", folder / "merged.jsonl", status=2)
