"""What others take for the same values, measured in turn with this engine (see `make bench-peers`).

TensorBoard's histogram (tensorboardX's add_histogram with its default bins, into an event file),
numpy.histogram with 64 bars and scipy.stats.gaussian_kde over 100 points, on normal float32 values.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.stats import gaussian_kde
from tensorboardX import SummaryWriter

CARGO = sys.argv[1] if len(sys.argv) > 1 else "cargo"
ENGINE = [CARGO, "bench", "--quiet", "--locked", "--no-default-features", "--bench", "engine", "--", "--measure"]
GRID_POINTS = 100
ROUNDS = 5


def engine(path):
    """Nanoseconds for a distribution, for a density from one, and for both."""
    out = subprocess.run([*ENGINE, path], check=True, capture_output=True, text=True)
    return json.loads(out.stdout.strip().splitlines()[-1])


def nanoseconds(work):
    start = time.perf_counter_ns()
    work()
    return time.perf_counter_ns() - start


def kernel_density(values):
    low, high = values.min(), values.max()
    gaussian_kde(values)(np.linspace(low, high, GRID_POINTS))


def tensorboard(values):
    with tempfile.TemporaryDirectory() as directory, SummaryWriter(directory) as writer:
        writer.add_histogram("weight", values)


PEERS = [
    # What, how, what of the engine it is set against, at least so many times faster, up to.
    ("tensorboardX add_histogram", tensorboard, "distribution", 40, None),
    ("numpy.histogram, 64 bars", lambda v: np.histogram(v, 64), "distribution", 5, None),
    ("scipy gaussian_kde, 100 points", kernel_density, "both", 500, 1_000_000),
]


def main():
    random = np.random.default_rng(0)
    lines = [
        "# What others take for the same values",
        "",
        f"Written by `make bench-peers`: medians of {ROUNDS} turns on {os.cpu_count()} cores, nanoseconds a value,",
        "this engine on one of them. Of the density, this engine's time is that of the distribution as well.",
        "",
        "| values | what | theirs | this engine's | times faster | at least |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    for count in (1_000_000, 10_000_000):
        values = random.normal(0.0, 0.05, count).astype(np.float32)
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "values"
            values.tofile(path)
            for what, work, against, at_least, up_to in PEERS:
                if up_to is not None and count > up_to:
                    continue
                theirs, ours = [], []
                for _ in range(ROUNDS):
                    theirs.append(nanoseconds(lambda: work(values)) / count)
                    ours.append(engine(path)[against] / count)
                theirs, ours = statistics.median(theirs), statistics.median(ours)
                ratio = theirs / ours
                missed = "" if ratio >= at_least else " **missed**"
                lines.append(f"| {count:,} | {what} | {theirs:.2f} | {ours:.2f} | {ratio:.1f} | {at_least}{missed} |")
    text = "\n".join(lines) + "\n"
    print(text, end="")
    (Path(__file__).parent.parent / "docs" / "benchmarks-peers.md").write_text(text)


if __name__ == "__main__":
    main()
