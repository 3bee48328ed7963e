"""The outputs of a layer in the forward passes of a step, of every unit over its samples."""

from __future__ import annotations

import math
from typing import NamedTuple, Sequence

import torch
from torch import Tensor

from .._constants import FREQUENCY_STEPS
from ..encoding import Line, floats, number
from ..model.layers import Layer
from ..plan import DetailLevel
from .device import CANCELLED, PIECE, TINY, known_at_once, wide, workspace
from .distribution import Distribution
from .sums import Known, Measured


class UnitMoments(NamedTuple):
    """Mean and squared deviations of every unit over its samples."""

    samples: int
    mean: Tensor
    deviations: Tensor
    #: The sum of all values and that of their squares, where these cost nothing.
    sums: Known | None = None

    @classmethod
    def measure(cls, rows: Tensor, each: bool) -> UnitMoments:
        """Measures ``[samples, units]``; unless ``each`` unit is looked at, the sum of deviations is enough."""
        if not each and known_at_once(rows.device) and rows.dtype == torch.float32 and rows.numel() <= PIECE:
            mean = rows.mean(0)
            apart = torch.sub(rows, mean, out=workspace(rows.numel(), rows.dtype).view(rows.shape))
            deviations = apart.square_().sum(0)
            # Where samples are much alike float32 leaves rounding, and its squares have a smaller range.
            count, of_means, all_of_them = rows.shape[0], torch.dot(mean, mean).item(), deviations.sum().item()
            if max(CANCELLED * count * of_means, TINY * TINY) < all_of_them < math.inf:
                return cls(count, mean, deviations, (count * mean.sum().item(), all_of_them + count * of_means))
        apart = rows.to(wide(rows), copy=True)
        mean = apart.mean(0)
        return cls(rows.shape[0], mean, apart.sub_(mean).square_().sum(0))

    def fetched(self) -> UnitMoments:
        """Brings them to the processor, in float64."""
        return UnitMoments(self.samples, self.mean.cpu().double(), self.deviations.cpu().double())

    def merged(self, other: UnitMoments) -> UnitMoments:
        """Adds the samples of another pass."""
        n, m = self.samples, other.samples
        apart = other.mean - self.mean
        deviations = self.deviations + other.deviations + apart * apart * (n * m / (n + m))
        return UnitMoments(n + m, self.mean + apart * (m / (n + m)), deviations)

    def spread(self) -> float:
        """Returns the standard deviation over samples, the root of the mean square of all units'; NaN of one sample."""
        if self.samples < 2:
            return math.nan
        return math.sqrt(self.deviations.sum().item() / (self.samples * self.deviations.numel()))

    def std(self) -> Tensor:
        """Returns the standard deviation of every unit; NaN of one sample."""
        return (self.deviations / self.samples).sqrt() if self.samples > 1 else self.deviations * math.nan


class Pass(NamedTuple):
    """One forward pass through a layer: the values before its nonlinearity, and after."""

    pre: Measured
    post: Measured
    pre_units: UnitMoments
    post_units: UnitMoments
    #: The share of saturated units and samples.
    saturated: Tensor | None
    #: The smallest and the largest sum of an output layer's units.
    sums: Tensor | None


class Conditions(NamedTuple):
    """The facts of a step that decide what its activation frequencies stand for."""

    #: Rows of the training set, where they are known.
    rows: int | None
    #: Processes whose records are merged.
    world: int
    #: Whether anything is drawn in a forward pass.
    has_dropout: bool


class ActivationFrequency:
    """On how many samples each ReLU unit was above zero, and its largest pre-activation."""

    def __init__(self, units: int, device: torch.device) -> None:
        self._samples = 0
        #: Numbers of the steps that were looked at.
        self._steps: set[int] = set()
        self._active = torch.zeros(units, dtype=torch.int64, device=device)
        self._largest = torch.full((units,), -math.inf, device=device)

    @property
    def units(self) -> int:
        """The number of units."""
        return self._active.numel()

    def add(self, step: int, rows: Tensor) -> None:
        """Counts ``[samples, units]`` of a step."""
        self._steps.add(step)
        self._samples += rows.shape[0]
        self._active += _count_positive(rows)
        self._largest = torch.maximum(self._largest, rows.float().amax(0))

    def copy(self) -> ActivationFrequency:
        """Returns the counts as they are now; these go on."""
        copy = ActivationFrequency(0, self._active.device)
        copy._samples, copy._steps = self._samples, set(self._steps)
        copy._active, copy._largest = self._active.clone(), self._largest.clone()
        return copy

    def line(self, conditions: Conditions, detail: DetailLevel) -> Line:
        """Writes them for a record."""
        rate, largest = self._active.cpu().double() / self._samples, self._largest
        if detail < DetailLevel.FULL:
            rounded = (rate * FREQUENCY_STEPS).round().clamp(1, FREQUENCY_STEPS - 1) / FREQUENCY_STEPS
            rate, largest = torch.where((rate == 0.0) | (rate == 1.0), rate, rounded), largest.max().reshape(1)
        # Every row once, with the parameters held still and nothing drawn.
        whole = conditions.rows is not None and self._samples * conditions.world == conditions.rows
        exact = whole and len(self._steps) == 1 and not conditions.has_dropout
        rates, most = floats(rate.tolist()), floats(largest.tolist())
        return {"samples": self._samples, "exact": exact, "rate": rates, "max_pre": most}


class Activations:
    """The outputs of a layer at a capture point."""

    def __init__(self, layer: Layer, pre: Distribution, post: Distribution, one: Pass) -> None:
        self._layer, self._pre, self._post = layer, pre, post
        self._units = int(one.pre_units.mean.numel())
        self._moments = [one.pre_units.fetched(), one.post_units.fetched()]
        self._saturated = None if one.saturated is None else float(one.saturated)
        self._sums = None if one.sums is None else one.sums.tolist()

    @property
    def is_finite(self) -> bool:
        """Tells whether every value is finite, before the nonlinearity and after."""
        return self._pre.is_finite and self._post.is_finite

    def merge(self, other: Activations) -> None:
        """Adds another pass of the same step."""
        mine, theirs = self._moments[0].samples, other._moments[0].samples
        self._pre.merge(other._pre)
        self._post.merge(other._post)
        self._moments = [a.merged(b) for a, b in zip(self._moments, other._moments)]
        if self._saturated is not None and other._saturated is not None:
            self._saturated = (self._saturated * mine + other._saturated * theirs) / (mine + theirs)
        if self._sums is not None and other._sums is not None:
            self._sums = [min(self._sums[0], other._sums[0]), max(self._sums[1], other._sums[1])]

    def line(
        self, gradient_rows: Sequence[float] | None, frequency: Line | None, world: int, detail: DetailLevel
    ) -> Line:
        """Writes them for a record, with the norms of the units' gradients and their activation frequencies; of one
        rank of several, with what merging needs."""
        pre, post = self._moments
        is_full, is_merged = detail == DetailLevel.FULL, world > 1
        kept = DetailLevel.FULL if is_merged else DetailLevel.QUANTILES
        line: Line = {
            "pre": self._pre.wire(kept if is_full else DetailLevel.MOMENTS),
            "post": self._post.wire(DetailLevel.FULL if is_full else DetailLevel.MOMENTS),
            "units": self._units,
            "pre_sample_std": number(pre.spread()),
            "post_sample_std": number(post.spread()),
            "saturated_fraction": self._saturated,
        }
        if frequency is not None:
            line["firing"] = frequency
        is_hidden = not self._layer.output and self._units > 1
        if gradient_rows is not None and is_hidden and self._layer.activation != "relu":
            line["activity"] = {"std": floats(post.std().tolist()), "grad": floats(gradient_rows)}
        if self._sums is not None:
            line["output_sum"] = {"min": number(self._sums[0]), "max": number(self._sums[1])}
        if is_merged:
            line["per_unit"] = {
                "samples": pre.samples,
                "pre_mean": floats(pre.mean.tolist()),
                "pre_m2": floats(pre.deviations.tolist()),
                "post_mean": floats(post.mean.tolist()),
                "post_m2": floats(post.deviations.tolist()),
            }
        return line


def _count_positive(rows: Tensor) -> Tensor:
    """Counts the values above zero of each unit of ``[samples, units]``."""
    count = rows.numel()
    if not known_at_once(rows.device) or count > PIECE:
        return (rows > 0).sum(0)
    # Float32 counts so few exactly, and adds up faster than truth values.
    return torch.gt(rows, 0, out=workspace(count, torch.float32).view(rows.shape)).sum(0).long()
