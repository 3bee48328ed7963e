"""A record on disk: JSON Lines, appended while training goes, bounded however long that is."""

import json
import math
import os
from typing import Any, Callable, Dict, List, Optional, Tuple

SCHEMA = "gradscope.record/1"

# As the program's own trainer thins out (src/record/recorder.rs, src/record/thinning.rs).
POINTS, LAYER_POINTS = (64, 500), 20_000
EPOCHS, LAYER_EPOCHS = (16, 128), 25_600
MOST_IN_FULL, IN_FULL = 200, 20_000
DIGITS = 7
RATE_STEPS = 256

Envelope = Tuple[float, float, float]


def _share(everything: int, layers: int, bounds: Tuple[int, int]) -> int:
    return min(max(everything // max(layers, 1), bounds[0]), bounds[1])


def in_full(capture: int, layers: int) -> bool:
    """Whether the capture with this number is kept in full whatever follows it."""
    return capture < min(max(IN_FULL // max(layers * layers, 1), 1), MOST_IN_FULL)


def short(value: float) -> float:
    """To the digits that norms keep."""
    return float(f"{value:.{DIGITS - 1}e}") if math.isfinite(value) else value


def number(value: float) -> Any:
    """A number as records write it: what is not finite by its name."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


class Writer:
    """Writes a line at a time, each flushed: a run that is killed leaves a readable record."""

    def __init__(self, path: str, header: Dict[str, Any]) -> None:
        self.path = path
        folder, name = os.path.split(path)
        temporary = os.path.join(folder, f".{name}.new")
        self.file = open(temporary, "w+b")
        self.write("header", header)
        os.replace(temporary, path)
        self.last: Optional[Tuple[int, int, Callable[[], Dict[str, Any]]]] = None

    def write(self, kind: str, line: Dict[str, Any]) -> None:
        """Appends a line."""
        text = json.dumps({"kind": kind, **line}, separators=(",", ":"), allow_nan=False)
        self.file.write(text.encode() + b"\n")
        self.file.flush()

    def epoch(self, line: Dict[str, Any], whole: Optional[Callable[[], Dict[str, Any]]]) -> None:
        """Appends an epoch; if it is the last, it is made ``whole`` at the end."""
        start = self.file.tell()
        self.write("epoch", line)
        self.last = (start, self.file.tell(), whole) if whole else None

    def close(self, end: Dict[str, Any]) -> None:
        """The last captured epoch in full, and the end."""
        if self.last is not None:
            start, end_of, whole = self.last
            self.file.seek(end_of)
            after = self.file.read()
            self.file.seek(start)
            self.file.truncate()
            self.write("epoch", whole())
            self.file.write(after)
        self.write("end", end)
        self.file.close()


class StepThinning:
    """Joins consecutive steps into one point, ever more of them as the run goes on."""

    def __init__(self, layers: int) -> None:
        self.stride = _share(LAYER_POINTS, layers, POINTS)
        self.written = 0
        self.pending: Optional[Dict[str, Any]] = None

    def push(self, step: Dict[str, Any]) -> List[Dict[str, Any]]:
        """Takes a step; gives back what is complete."""
        alone = "capture" in step or "non_finite" in step
        out = self.flush() if alone else []
        if self.pending is None:
            self.pending = step
        else:
            _join(self.pending, step)
        if alone or self.pending["steps"] >= 1 << min(self.written // self.stride, 40):
            out += self.flush()
        return out

    def flush(self) -> List[Dict[str, Any]]:
        """The point that is not complete yet."""
        if self.pending is None:
            return []
        point, self.pending = self.pending, None
        self.written += 1
        point["loss"], point["grad_l2"] = _envelope(point["loss"]), _envelope(point["grad_l2"])
        for layer in point["layers"]:
            for name in layer:
                low, high, last = (short(v) for v in layer[name])
                layer[name] = _envelope((low, high, last))
        return [point]


def _join(point: Dict[str, Any], later: Dict[str, Any]) -> None:
    point["steps"] += later["steps"]
    for name in ("loss", "grad_l2"):
        point[name] = _extend(point[name], later[name])
    if not point["layers"]:
        point["layers"] = later["layers"]
    else:
        for a, b in zip(point["layers"], later["layers"]):
            for name in a:
                a[name] = _extend(a[name], b[name])


def _extend(a: Envelope, b: Envelope) -> Envelope:
    def pick(x: float, y: float, wins: bool) -> float:
        return x if math.isnan(x) or (not math.isnan(y) and not wins) else y

    return pick(a[0], b[0], b[0] < a[0]), pick(a[1], b[1], b[1] > a[1]), b[2]


def _envelope(envelope: Envelope) -> Any:
    low, high, last = envelope
    if (low == high == last) or (math.isnan(low) and math.isnan(high) and math.isnan(last)):
        return number(last)
    return [number(v) for v in envelope]


class EpochThinning:
    """Which epochs are captured: every one at first, then every second, fourth, …"""

    def __init__(self, layers: int) -> None:
        self.stride = _share(LAYER_EPOCHS, layers, EPOCHS)
        self.kept = self.next = 0

    def keep(self, epoch: int) -> bool:
        """Whether this epoch is captured; they must be asked about in order."""
        if epoch < self.next:
            return False
        self.kept += 1
        self.next = epoch + (1 << min(self.kept // self.stride, 40))
        return True
