"""Times how long gradscope takes to start, beside an empty Python process, in rotation on one machine.

    python3 benches/start.py target/release/gradscope [ROUNDS]

Prints the median of each command with its quartiles, and its ratio to Python's in the same round.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

RECORD = Path(__file__).resolve().parent.parent / "fixtures/records/relu5-dead.jsonl"
ROUNDS = 60


def seconds(command):
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def main():
    program = str(Path(sys.argv[1]).resolve())
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    commands = {
        "python3 -c pass": [sys.executable, "-c", "pass"],
        "gradscope --version": [program, "--version"],
        "gradscope explain dead-layer": [program, "explain", "dead-layer"],
        "gradscope check": [program, "check", str(RECORD)],
    }
    times = {name: [] for name in commands}
    for name, command in commands.items():
        seconds(command)
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(seconds(command))
    python = times["python3 -c pass"]
    for name, own in times.items():
        low, middle, high = statistics.quantiles(own, n=4)
        ratio = statistics.median(a / b for a, b in zip(own, python))
        print(f"{name:30} {middle * 1e3:6.2f} ms ({low * 1e3:.2f} to {high * 1e3:.2f}), {ratio:.2f} times Python's")


if __name__ == "__main__":
    main()
