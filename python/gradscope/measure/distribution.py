"""The distribution of a tensor's values, fetched once, written as text.

:func:`fetch` brings the sums of many tensors over in a few copies. A distribution is written as the program's own
trainer writes it (``src/stats``): float64 moments, bins of sign, exponent and four bits of mantissa, and a few of the
values.
"""

from __future__ import annotations

import math
from itertools import islice
from typing import Sequence

import torch
from torch import Tensor

from .._constants import EXACT_CAPACITY, PROBABILITIES, SAMPLE_CAPACITY
from ..encoding import Line, floats, quantile_summary, short_moment, text
from ..plan import DetailLevel
from .bins import Bins, bin_of, from_pairs, read
from .device import on_one_device
from .sums import Measured


def fetch(measured: Sequence[Measured]) -> list[Distribution]:
    """Brings many over at once: a copy of the sums, one of the bins, one of the values."""
    waiting = [m.sums for m in measured if isinstance(m.sums, Tensor)]
    fetched = iter(torch.stack(on_one_device(waiting)).tolist() if waiting else [])
    with_values = [m.values for m in measured if m.values is not None]
    values = iter(torch.cat(on_one_device(with_values)).tolist() if with_values else [])
    sums = [next(fetched) if isinstance(m.sums, Tensor) else m.sums for m in measured]
    binned = [(m.bins, None if m.is_part else own[0], own[4:6]) for m, own in zip(measured, sums) if m.bins is not None]
    tables = iter(read([bins for bins, _, _ in binned], [z for _, z, _ in binned], [ends for _, _, ends in binned]))
    return [
        Distribution.from_sums(
            m,
            own,
            None if m.bins is None else next(tables),
            [] if m.values is None else list(islice(values, m.values.numel())),
        )
        for m, own in zip(measured, sums)
    ]


class Distribution:
    """The values of one tensor by their counts, moments and shape; adds up with others of the same kind."""

    def __init__(self) -> None:
        self.count = self.zeros = self.nan = self.positive = self.negative = self.finite = 0
        self.low, self.high = math.inf, -math.inf
        self.mean = self.deviations = self.l1 = self.squares = 0.0
        #: Where not every value is kept.
        self.bins: Bins | None = None
        #: Ascending: every finite value, or a few of many.
        self.sample: list[float] = []
        #: Quantiles of a part of the values.
        self.quantile_summary: list[float] | None = None
        #: Whether anything but moments is known of how the values are spread.
        self.has_shape = True

    @classmethod
    def from_sums(
        cls, measured: Measured, sums: Sequence[float], bins: Bins | None, values: list[float]
    ) -> Distribution:
        """Reads the sums of a tensor that were fetched."""
        d = cls()
        d.count = measured.size
        if d.count == 0:
            return d
        d.zeros, d.nan, d.negative, d.finite = (int(v) for v in sums[:4])
        d.positive = d.count - d.finite - d.nan - d.negative
        if d.finite:
            d.low, d.high, d.mean, d.deviations, d.l1, d.squares = (v + 0.0 for v in sums[4:10])
        d.sample = values if d.finite == d.count else [v for v in values if math.isfinite(v)]
        if bins is None or not measured.is_part:
            d.bins = bins
        elif math.isfinite(bins.quantiles()[0]):
            d.quantile_summary = bins.quantiles()
        d.has_shape = d.bins is not None or d.quantile_summary is not None or len(d.sample) == d.finite
        return d

    @property
    def exact(self) -> bool:
        """Tells whether every finite value is kept."""
        return len(self.sample) == self.finite

    @property
    def is_finite(self) -> bool:
        """Tells whether every value is finite."""
        return self.finite == self.count

    @property
    def l2(self) -> float:
        """The L2 norm: NaN if any value is, else infinite if any is."""
        if self.nan:
            return math.nan
        return math.inf if self.count > self.finite else math.sqrt(self.squares)

    def merge(self, other: Distribution) -> None:
        """Adds the values of another (moments by Chan, Golub and LeVeque, 1979)."""
        if self.finite and other.finite:
            both = self.finite + other.finite
            apart = other.mean - self.mean
            self.deviations += other.deviations + apart * apart * self.finite * other.finite / both
            self.mean += apart * other.finite / both
        elif other.finite:
            self.mean, self.deviations = other.mean, other.deviations
        exact = self.exact and other.exact and self.finite + other.finite <= EXACT_CAPACITY
        pairs = dict(self.own_bins())
        for index, number in other.own_bins():
            pairs[index] = pairs.get(index, 0) + number
        values = sorted(self.sample + other.sample)
        if not exact and len(values) > SAMPLE_CAPACITY:
            values = [values[(2 * k + 1) * len(values) // (2 * SAMPLE_CAPACITY)] for k in range(SAMPLE_CAPACITY)]
        # Quantiles of two do not add up.
        summarized = self.quantile_summary is not None or other.quantile_summary is not None
        self.has_shape = self.has_shape and other.has_shape and not summarized
        self.quantile_summary = None
        self.sample = values
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        for name in ("count", "zeros", "nan", "positive", "negative", "finite", "l1", "squares"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.bins = None
        if self.has_shape and not exact:
            self.bins = from_pairs(sorted(pairs.items()), self.zeros, self.low, self.high)

    def own_bins(self) -> list[tuple[int, int]]:
        """Returns ascending (bin, count) of the non-zero finite values."""
        if self.exact:
            bins: dict[int, int] = {}
            for value in self.sample:
                if value != 0.0:
                    index = bin_of(value)
                    bins[index] = bins.get(index, 0) + 1
            return sorted(bins.items())
        return [] if self.bins is None else self.bins.pairs()

    def quantiles(self) -> list[float]:
        """Returns quantiles at ``PROBABILITIES``, interpolated between ranks, or within a bin of many values."""
        if self.quantile_summary is not None:
            return self.quantile_summary
        if self.exact or self.bins is None:
            return [_interpolated(self.sample, q * (self.finite - 1)) for q in PROBABILITIES]
        return self.bins.quantiles()

    def wire(self, detail: DetailLevel = DetailLevel.FULL) -> Line:
        """Writes it for a record: in full, or for a history its quantile summary or moments alone."""
        line: Line = {"n": self.count}
        apart = {"zeros": self.zeros, "nan": self.nan, "posinf": self.positive, "neginf": self.negative}
        line.update({name: number for name, number in apart.items() if number})
        if self.finite:
            line["range"] = [self.low, self.high]
        moments = {"mean": self.mean, "m2": self.deviations, "l1": self.l1, "ss": self.squares}
        if detail == DetailLevel.QUANTILES and self.exact and self.finite <= len(PROBABILITIES):
            detail = DetailLevel.FULL
        if detail < DetailLevel.FULL or not self.has_shape:
            line.update({name: short_moment(value) for name, value in moments.items()})
            if detail > DetailLevel.MOMENTS and self.has_shape and self.finite:
                line["q"] = quantile_summary(self.quantiles())
            return line
        line.update(moments)
        packed = b"" if self.exact or self.bins is None else self.bins.packed()
        if packed:
            line["bins"] = text(packed)
        if self.sample:
            line["values"] = floats(self.sample)
        return line


def _interpolated(values: Sequence[float], rank: float) -> float:
    below = int(rank)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (rank - below)
