"""Keeps a record bounded however long the run, as ``src/record`` of the program does."""

from __future__ import annotations

import math
from typing import Any, Tuple

from ._constants import (
    EPOCHS_PER_STRIDE,
    IN_FULL,
    LAYER_EPOCHS,
    LAYER_POINTS,
    MAX_IN_FULL,
    POINTS_PER_STRIDE,
)
from .encoding import Line, number, short

#: Times that a distance doubles, at most.
MAX_DOUBLINGS = 40
#: Smallest, largest and last value of the steps that a point stands for.
Envelope = Tuple[float, float, float]


def _share(of_all_layers: int, layers: int, bounds: tuple[int, int]) -> int:
    return min(max(of_all_layers // max(layers, 1), bounds[0]), bounds[1])


def in_full(capture: int, layers: int) -> bool:
    """Tells whether the capture with this number, from 0, is kept in full whatever follows it."""
    return capture < min(max(IN_FULL // max(layers * layers, 1), 1), MAX_IN_FULL)


class StepThinning:
    """Joins consecutive steps into one point, ever more of them as the run goes on."""

    def __init__(self, layers: int) -> None:
        self._stride = _share(LAYER_POINTS, layers, POINTS_PER_STRIDE)
        self._written = 0
        self._pending: Line | None = None

    def push(self, step: Line) -> list[Line]:
        """Takes a step; returns the points that are complete. One with a capture or a first NaN stands alone."""
        alone = "capture" in step or "non_finite" in step
        points = self.flush() if alone else []
        if self._pending is None:
            self._pending = step
        else:
            _join(self._pending, step)
        if alone or self._pending["steps"] >= 1 << min(self._written // self._stride, MAX_DOUBLINGS):
            points += self.flush()
        return points

    def flush(self) -> list[Line]:
        """Returns the point that is not complete yet, if there is one."""
        if self._pending is None:
            return []
        point, self._pending = self._pending, None
        self._written += 1
        point["loss"], point["grad_l2"] = _envelope(point["loss"]), _envelope(point["grad_l2"])
        for layer in point["layers"]:
            for name in layer:
                low, high, last = (short(v) for v in layer[name])
                layer[name] = _envelope((low, high, last))
        return [point]


class EpochThinning:
    """Chooses the epochs that are captured: every one at first, then every second, fourth, …"""

    def __init__(self, layers: int) -> None:
        self._stride = _share(LAYER_EPOCHS, layers, EPOCHS_PER_STRIDE)
        self._kept = self._next = 0

    def keep(self, epoch: int) -> bool:
        """Tells whether this epoch is captured; epochs must be asked about in order."""
        if epoch < self._next:
            return False
        self._kept += 1
        self._next = epoch + (1 << min(self._kept // self._stride, MAX_DOUBLINGS))
        return True


def _join(point: Line, later: Line) -> None:
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
    return _pick(a[0], b[0], b[0] < a[0]), _pick(a[1], b[1], b[1] > a[1]), b[2]


def _pick(old: float, new: float, new_wins: bool) -> float:
    return old if math.isnan(old) or (not math.isnan(new) and not new_wins) else new


def _envelope(envelope: Envelope) -> Any:
    low, high, last = envelope
    if (low == high == last) or (math.isnan(low) and math.isnan(high) and math.isnan(last)):
        return number(last)
    return [number(v) for v in envelope]
