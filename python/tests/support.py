"""What the tests share: the program, its runs, and networks that its own trainer has too."""

import csv
import json
import math
import os
import subprocess
from pathlib import Path

import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("GRADSCOPE", str(ROOT / "target" / "debug" / "gradscope"))


def gradscope(*words, status=0):
    """Runs the program, which ends with this status; gives back what it printed."""
    done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def summary(record, folder):
    """The summary that the program makes of a record."""
    gradscope("report", record, "--out", folder, "--quiet")
    return json.loads((Path(folder) / "summary.json").read_text())


def lines(record, kind=None):
    """The lines of a record."""
    found = [json.loads(line) for line in Path(record).read_text().splitlines()]
    return [line for line in found if kind in (None, line["kind"])]


def moons(first=0, last=640):
    """Rows of the sample table; the program's `--split 640,160,200` trains on the first 640."""
    text = (ROOT / "fixtures" / "moons.csv").read_text()
    rows = list(csv.reader(text.splitlines()))[1 + first : 1 + last]
    table = torch.tensor([[float(v) for v in row] for row in rows])
    return table[:, :2].clone(), table[:, 2:].clone()


def teaching(widths, activation, std, bias, seed):
    """A network of the program's zoo: the same draws in the same order."""
    torch.manual_seed(seed)
    model = nn.Sequential()
    for i, (a, b) in enumerate(zip(widths, widths[1:])):
        layer = nn.Linear(a, b)
        nn.init.normal_(layer.weight, 0.0, std)
        nn.init.constant_(layer.bias, bias)
        model.add_module(f"fc{i + 1}", layer)
        last = i + 2 == len(widths)
        model.add_module(f"act{i + 1}", nn.Sigmoid() if last else activation())
    return model


def close(a, b, scale=None):
    """Within 1e-4 of the larger, or of a scale."""
    names = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    a, b = names.get(a, a), names.get(b, b)
    limit = 1e-4 * max(abs(a), abs(b), scale or 0.0)
    return a == b or (a != a and b != b) or abs(a - b) <= max(limit, 1e-12)
