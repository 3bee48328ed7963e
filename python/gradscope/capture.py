"""Everything that is measured of the layers at a capture point."""

import math
from typing import Any, Dict, List, Optional, Tuple

import torch
from torch import Tensor

from .activations import Activations, Fired
from .device import Numbers, fetched
from .distribution import Distribution, fetch, floats
from .layers import Layer
from .probe import Probe
from .record import RATE_STEPS, number, short
from .rows import Rows, relative
from .sums import MOMENTS, QUANTILES, SAMPLED, Measured, measure

PARTS = ("weight", "bias", "weight_grad", "bias_grad", "update")


class Capture:
    """One step: after backward and before the update, and what the update then was."""

    def __init__(
        self, number: int, layers: List[Layer], probe: Probe, inverse: Optional[Tensor], lean: bool
    ) -> None:
        self.number, self.layers, self.lean = number, layers, lean
        self.scaled = inverse is not None
        #: ‖g‖ of all parameters.
        self.grad_l2 = math.nan
        self._found: Dict[Tuple[int, str], Measured] = {}
        self._pairs: Dict[Tuple[int, str], Numbers] = {}
        self._rows: Dict[int, Tensor] = {}
        for index, layer in enumerate(layers):
            self._see(index, "weight", layer.weight)
            if layer.bias is not None:
                self._see(index, "bias", layer.bias)
            for name, parameter in (("weight_grad", layer.weight), ("bias_grad", layer.bias)):
                gradient = None if parameter is None else parameter.grad
                if gradient is not None:
                    gradient = gradient.detach().to_dense() if gradient.is_sparse else gradient.detach()
                    self._see(index, name, gradient if inverse is None else gradient * inverse.to(gradient))
                    if name == "weight_grad" and layer.activation != "relu":
                        rows = gradient.reshape(gradient.shape[0], -1).float()
                        self._rows[index] = torch.linalg.vector_norm(rows, dim=1)
        self._inverse = inverse
        self._signals = {i: s.sqrt() for i, s in probe.signals.items()}
        self._fired = {i: _copy(f) for i, f in probe.firing.items()}
        self.activations: Dict[int, Activations] = probe.take()
        self._measured: Dict[Tuple[int, str], Distribution] = {}
        self._deviations: Dict[Tuple[int, str], float] = {}

    def _see(self, index: int, name: str, tensor: Tensor) -> None:
        weighs = name in ("weight", "weight_grad")
        rows = Rows.of(tensor) if weighs else None
        if rows is not None:
            self._pairs[index, name] = rows.deviation()
        keep = SAMPLED if not self.lean else QUANTILES if weighs else MOMENTS
        self._found[index, name] = measure(tensor, keep, None if rows is None else rows.sums())

    def update(self, index: int, update: Tensor) -> None:
        """Takes the update of a layer's weight."""
        self._found[index, "update"] = measure(update, MOMENTS if self.lean else SAMPLED)

    def finish(self) -> None:
        """Fetches everything, after the updates."""
        self._measured = dict(zip(self._found, fetch(list(self._found.values()))))
        pairs = fetched(list(self._pairs.values()))
        self._deviations = {key: relative(*pair) for key, pair in zip(self._pairs, pairs)}
        scale = 1.0 if self._inverse is None else float(self._inverse)
        self._signal_norms = {i: float(s) * scale for i, s in self._signals.items()}
        self._gradient_rows = {i: (r * scale).tolist() for i, r in self._rows.items()}
        self._found, self._pairs, self._rows, self._signals = {}, {}, {}, {}
        gradients = [d for (_, name), d in self._measured.items() if name.endswith("grad")]
        if self.scaled and any(d.finite < d.count for d in gradients):
            # The scaler leaves such a step out: there was no gradient.
            for key in [key for key in self._measured if key[1].endswith("grad")]:
                del self._measured[key]

    def norms(self, name: str) -> List[float]:
        """L2 norms of a part of every layer."""
        return [self._measured[index, name].l2 for index in range(len(self.layers))]

    def lines(self, facts: Dict[str, Any], history: bool = False) -> List[Dict[str, Any]]:
        """A line for every layer, in full or as a history keeps it."""
        return [self._line(index, facts, history) for index in range(len(self.layers))]

    def _line(self, index: int, facts: Dict[str, Any], history: bool) -> Dict[str, Any]:
        line: Dict[str, Any] = {}
        for name in PARTS:
            measured = self._measured.get((index, name))
            if measured is not None:
                kept = "moments" if name == "update" else "quantiles"
                line[name] = measured.wire(kept if history else "all")
        for name, field in (("weight", "weight_row_deviation"), ("weight_grad", "grad_row_deviation")):
            deviation = self._deviations.get((index, name))
            if deviation is not None and name in line:
                line[field] = number(short(deviation) if history else deviation)
        seen = self.activations.get(index)
        if seen is not None:
            fired = self._fired.get(index)
            firing = None if fired is None else _firing(fired, facts, history)
            rows = self._gradient_rows.get(index) if "weight_grad" in line else None
            line["activations"] = seen.line(rows, firing, facts["world"] > 1, history)
        if index in self._signal_norms:
            signal = self._signal_norms[index]
            line["signal_l2"] = number(short(signal) if history else signal)
        return line


def _copy(fired: Fired) -> Fired:
    copy = Fired(0, fired.fired.device)
    copy.samples, copy.numbers = fired.samples, set(fired.numbers)
    copy.fired, copy.largest = fired.fired.clone(), fired.largest.clone()
    return copy


def _firing(fired: Fired, facts: Dict[str, Any], history: bool) -> Dict[str, Any]:
    rate, largest = fired.fired.cpu().double() / fired.samples, fired.largest
    if history:
        rounded = (rate * RATE_STEPS).round().clamp(1, RATE_STEPS - 1) / RATE_STEPS
        rate, largest = torch.where((rate == 0.0) | (rate == 1.0), rate, rounded), largest.max().reshape(1)
    # Every row once, with the parameters held still and nothing drawn.
    whole = facts["rows"] is not None and fired.samples * facts["world"] == facts["rows"]
    exact = whole and len(fired.numbers) == 1 and not facts["dropout"]
    rates, most = floats(rate.tolist()), floats(largest.tolist())
    return {"samples": fired.samples, "exact": exact, "rate": rates, "max_pre": most}
