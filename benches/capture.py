"""What measuring costs: paired runs of a release binary on images of random pixels, as a table.

usage: capture.py GRADSCOPE [PAIRS] [THREADS]
"""

import json
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile

RUN = "run --model fashion --hidden 256,128 --batch-size 100 --epochs 2 --quiet --force"
FLAGS = {"none": "--capture none", "default": "", "every step": "--capture-every 1"}
AT_MOST = {"default": 0.05, "every step": 0.30}
ROWS = {"train": 60_000, "t10k": 10_000}


def write_images(directory):
    """Ten patterns under noise, in the files and the shape of Fashion-MNIST."""
    random.seed(1)
    patterns = [random.randbytes(784) for _ in range(10)]
    for name, rows in ROWS.items():
        labels = bytes(random.randrange(10) for _ in range(rows))
        noisy = (bytes((a + b) // 2 for a, b in zip(patterns[k], random.randbytes(784))) for k in labels)
        with open(os.path.join(directory, f"{name}-images-idx3-ubyte"), "wb") as file:
            file.write(struct.pack(">IIII", 0x803, rows, 28, 28) + b"".join(noisy))
        with open(os.path.join(directory, f"{name}-labels-idx1-ubyte"), "wb") as file:
            file.write(struct.pack(">II", 0x801, rows) + labels)


def seconds(program, directory, threads, flags):
    out = os.path.join(directory, "out")
    command = [program, *RUN.split(), "--threads", threads, "--data", f"idx:{directory}", "--out", out]
    subprocess.run(command + flags.split(), check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(out, "summary.json")) as file:
        run = json.load(file)["run"]
    return run["wall_s"], run["capture_overhead"]


def main():
    program, pairs, threads = sys.argv[1:] + ["5", "1"][len(sys.argv) - 2 :]
    with tempfile.TemporaryDirectory() as directory:
        write_images(directory)
        runs = [
            {name: seconds(program, directory, threads, flags) for name, flags in FLAGS.items()}
            for _ in range(int(pairs))
        ]
    print(f"| capture | seconds, median of {pairs} | over none, median of pairs | at most | own figure |")
    print("|---|---|---|---|---|")
    for name in FLAGS:
        walls = [run[name][0] for run in runs]
        over = statistics.median(run[name][0] / run["none"][0] - 1 for run in runs)
        own = statistics.median(run[name][1] for run in runs)
        limit = f"{AT_MOST[name]:.0%}" if name in AT_MOST else ""
        print(f"| {name} | {statistics.median(walls):.2f} | {over:+.1%} | {limit} | {own:.1%} |")


main()
