"""What others take for the same values, measured in turn with this engine (see `make bench-peers`).

TensorBoard's histogram (tensorboardX's add_histogram with its default bins, up to the encoded summary),
numpy.histogram with 64 bars and scipy.stats.gaussian_kde over 100 points, on normal float32 values.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.stats import gaussian_kde
from tensorboardX.summary import histogram

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


PEERS = [
    # What, how, what of the engine it is set against, at least so many times faster, rounds, up to.
    ("tensorboardX add_histogram", lambda v: histogram("w", v, "tensorflow"), "distribution", 40, ROUNDS, None),
    ("numpy.histogram, 64 bars", lambda v: np.histogram(v, 64), "distribution", 5, ROUNDS, None),
    ("scipy gaussian_kde, 100 points", kernel_density, "both", 500, 3, 1_000_000),
]


def main():
    random = np.random.default_rng(0)
    print("| values | what | ns a value | this engine's | times faster | at least |")
    print("|---:|---|---:|---:|---:|---:|")
    for count in (1_000_000, 10_000_000):
        values = random.normal(0.0, 0.05, count).astype(np.float32)
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "values"
            values.tofile(path)
            for what, work, against, at_least, rounds, up_to in PEERS:
                if up_to is not None and count > up_to:
                    continue
                theirs, ours = [], []
                for _ in range(rounds):
                    theirs.append(nanoseconds(lambda: work(values)) / count)
                    ours.append(engine(path)[against] / count)
                theirs, ours = statistics.median(theirs), statistics.median(ours)
                ratio = theirs / ours
                missed = "" if ratio >= at_least else " **missed**"
                print(f"| {count:,} | {what} | {theirs:.2f} | {ours:.2f} | {ratio:.1f} | {at_least}{missed} |")


if __name__ == "__main__":
    main()
