"""Everything that is measured of the layers at a capture point."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..encoding import Line, number, short
from ..model.layers import Layer
from ..plan import DetailLevel
from .activations import ActivationFrequency, Activations, Conditions
from .device import Numbers, fetched
from .distribution import Distribution, fetch
from .probe import Probe
from .rows import Rows, relative
from .sums import Measured, measure

#: Tensors of a layer, as a record names them; those that a history keeps quantiles of come with their rows.
PARTS = ("weight", "bias", "weight_grad", "bias_grad", "update")
MATRICES = {"weight": "weight_row_deviation", "weight_grad": "grad_row_deviation"}


class Capture:
    """The layers of one step: after backward, and once it has been made the update."""

    def __init__(
        self, layers: list[Layer], detail: DetailLevel, conditions: Conditions, inverse: Tensor | None
    ) -> None:
        """Begins a capture; ``inverse`` is one over the scale that gradients still carry."""
        self.layers, self.detail, self._conditions, self._inverse = layers, detail, conditions, inverse
        self._frequencies: dict[int, ActivationFrequency] = {}
        self._activations: dict[int, Activations] = {}
        # On their devices, until the update has been made.
        self._sums: dict[tuple[int, str], Measured] = {}
        self._row_sums: dict[tuple[int, str], Numbers] = {}
        self._unit_gradients: dict[int, Tensor] = {}
        self._output_gradients: dict[int, Tensor] = {}
        self._fetched = _Fetched({}, {}, {}, {})

    def measure(self, probe: Probe) -> None:
        """Measures parameters and gradients, and takes the activations that the probe has seen."""
        for index, layer in enumerate(self.layers):
            self._see(index, "weight", layer.weight)
            if layer.bias is not None:
                self._see(index, "bias", layer.bias)
            for name, parameter in (("weight_grad", layer.weight), ("bias_grad", layer.bias)):
                if parameter is not None and parameter.grad is not None:
                    self._see_gradient(index, name, parameter.grad.detach())
        self._output_gradients = {i: s.sqrt() for i, s in probe.output_gradients.items()}
        self._frequencies = {i: f.copy() for i, f in probe.frequencies.items()}
        self._activations = probe.take()

    def _see(self, index: int, name: str, tensor: Tensor) -> None:
        rows = Rows.from_tensor(tensor) if name in MATRICES else None
        if rows is not None:
            self._row_sums[index, name] = rows.deviation()
        keep = self.detail if name in MATRICES or self.detail == DetailLevel.FULL else DetailLevel.MOMENTS
        self._sums[index, name] = measure(tensor, keep, None if rows is None else rows.sums())

    def _see_gradient(self, index: int, name: str, gradient: Tensor) -> None:
        gradient = gradient.to_dense() if gradient.is_sparse else gradient
        self._see(index, name, gradient if self._inverse is None else gradient * self._inverse.to(gradient))
        if name == "weight_grad" and self.layers[index].activation != "relu":
            rows = gradient.reshape(gradient.shape[0], -1).float()
            self._unit_gradients[index] = torch.linalg.vector_norm(rows, dim=1)

    def see_update(self, index: int, update: Tensor) -> None:
        """Measures the update of a layer's weight."""
        keep = DetailLevel.FULL if self.detail == DetailLevel.FULL else DetailLevel.MOMENTS
        self._sums[index, "update"] = measure(update, keep)

    def finish(self) -> None:
        """Fetches everything, after the updates."""
        distributions = dict(zip(self._sums, fetch(list(self._sums.values()))))
        pairs = fetched(list(self._row_sums.values()))
        scale = 1.0 if self._inverse is None else float(self._inverse)
        self._fetched = _Fetched(
            distributions,
            {key: relative(*pair) for key, pair in zip(self._row_sums, pairs)},
            {i: float(s) * scale for i, s in self._output_gradients.items()},
            {i: (r * scale).tolist() for i, r in self._unit_gradients.items()},
        )
        self._sums, self._row_sums, self._unit_gradients, self._output_gradients = {}, {}, {}, {}
        gradients = [key for key in distributions if key[1].endswith("grad")]
        if self._inverse is not None and not all(distributions[key].is_finite for key in gradients):
            # The scaler leaves such a step out: there was no gradient.
            for key in gradients:
                del distributions[key]

    def norms(self, part: str) -> list[float]:
        """Returns the L2 norms of one of :data:`PARTS` of every layer."""
        return [self._fetched.distributions[index, part].l2 for index in range(len(self.layers))]

    def broken_activations(self) -> set[int]:
        """Returns the layers that put out a NaN or an infinity."""
        return {index for index, seen in self._activations.items() if not seen.is_finite}

    def lines(self, detail: DetailLevel) -> list[Line]:
        """Writes a line for every layer, in ``FULL`` or, as a history keeps it, with ``QUANTILES``."""
        return [self._line(index, detail) for index in range(len(self.layers))]

    def _line(self, index: int, detail: DetailLevel) -> Line:
        line: Line = {}
        is_full = detail == DetailLevel.FULL
        for name in PARTS:
            measured = self._fetched.distributions.get((index, name))
            if measured is not None:
                line[name] = measured.wire(DetailLevel.MOMENTS if name == "update" and not is_full else detail)
        for name, field in MATRICES.items():
            deviation = self._fetched.row_deviations.get((index, name))
            if deviation is not None and name in line:
                line[field] = number(deviation if is_full else short(deviation))
        seen = self._activations.get(index)
        if seen is not None:
            counts = self._frequencies.get(index)
            frequency = None if counts is None else counts.line(self._conditions, detail)
            rows = self._fetched.unit_gradients.get(index) if "weight_grad" in line else None
            line["activations"] = seen.line(rows, frequency, self._conditions.world, detail)
        if index in self._fetched.output_gradients:
            norm = self._fetched.output_gradients[index]
            line["signal_l2"] = number(norm if is_full else short(norm))
        return line


class _Fetched(NamedTuple):
    """The numbers of a capture on the processor, by layer."""

    distributions: dict[tuple[int, str], Distribution]
    #: Largest distance of a row from the mean row, by the norm of that.
    row_deviations: dict[tuple[int, str], float]
    #: Norms of the gradients of what layers put out.
    output_gradients: dict[int, float]
    #: Norms of the gradients of every unit's weights.
    unit_gradients: dict[int, list[float]]
