"""Norms over the steps of an epoch."""

from __future__ import annotations

import math
from statistics import median

from .encoding import Line
from .measure.meter import MeasuredStep

#: As a record names them, in the order of their values in :meth:`Spreads.add`.
NAMES = ("weight_l2", "grad_l2", "update_l2", "shrinking")


class Spreads:
    """Smallest, median and largest norms of the steps of an epoch, of every layer."""

    def __init__(self, layers: int) -> None:
        self._values: dict[str, list[list[float]]] = {name: [[] for _ in range(layers)] for name in NAMES}

    def add(self, step: MeasuredStep) -> None:
        """Takes in a step; of most, gradients alone are known."""
        of_step = (step.weights, step.gradients, step.updates, step.decay_alignment)
        for of_layers, values in zip(self._values.values(), of_step):
            for seen, value in zip(of_layers, values):
                if math.isfinite(value):
                    seen.append(value)

    def lines(self) -> list[Line]:
        """Writes a line for every layer; a norm without a finite value is ``null``."""
        return [_line(dict(zip(NAMES, of_layer))) for of_layer in zip(*self._values.values())]


def _line(norms: dict[str, list[float]]) -> Line:
    line: Line = {}
    for name, values in norms.items():
        if values:
            line[name] = {"min": min(values), "median": median(values), "max": max(values)}
        elif name != "shrinking":
            line[name] = None
    return line
