"""The distribution of a tensor's values, fetched once, written as text.

:func:`fetch` brings what many tensors add up to over in a few copies. What is written is what the program's own
trainer writes (see ``src/stats`` there): float64 moments, bins of sign, exponent and four bits of mantissa, and
a few of the values.
"""

import base64
import math
import struct
import sys
from array import array
from itertools import islice
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from .bins import PROBABILITIES, Bins, bin_of, of_pairs, read
from .device import on_one_device
from .sums import EXACT, SAMPLE, Measured

#: Significant digits of moments in a history.
DIGITS = 8


def fetch(measured: Sequence[Measured]) -> List["Distribution"]:
    """Brings many over at once: a copy of the sums, one of the bins, one of the values."""
    waiting = [m.sums for m in measured if isinstance(m.sums, Tensor)]
    fetched = iter(torch.stack(on_one_device(waiting)).tolist() if waiting else [])
    with_values = [m.values for m in measured if m.values is not None]
    values = iter(torch.cat(on_one_device(with_values)).tolist() if with_values else [])
    sums = [next(fetched) if isinstance(m.sums, Tensor) else m.sums for m in measured]
    binned = [(m.bins, None if m.part else own[0], own[4:6]) for m, own in zip(measured, sums) if m.bins is not None]
    tables = iter(read([bins for bins, _, _ in binned], [z for _, z, _ in binned], [ends for _, _, ends in binned]))
    return [
        Distribution.of(
            m,
            own,
            None if m.bins is None else next(tables),
            [] if m.values is None else list(islice(values, m.values.numel())),
        )
        for m, own in zip(measured, sums)
    ]


class Distribution:
    """What one tensor's values look like; adds up with others of the same kind."""

    def __init__(self) -> None:
        self.count = self.zeros = self.nan = self.positive = self.negative = self.finite = 0
        self.low, self.high = math.inf, -math.inf
        self.mean = self.deviations = self.l1 = self.squares = 0.0
        #: Where not every value is kept.
        self.bins: Optional[Bins] = None
        self.sample: List[float] = []
        #: Quantiles of a part of the values.
        self.knots: Optional[List[float]] = None
        #: Whether it is known how the values are spread.
        self.shaped = True

    @classmethod
    def of(cls, measured: Measured, sums: Sequence[float], bins: Optional[Bins], values: List[float]) -> "Distribution":
        """From what was fetched."""
        d = cls()
        d.count = measured.count
        if d.count == 0:
            return d
        d.zeros, d.nan, d.negative, d.finite = (int(v) for v in sums[:4])
        d.positive = d.count - d.finite - d.nan - d.negative
        if d.finite:
            d.low, d.high, d.mean, d.deviations, d.l1, d.squares = (v + 0.0 for v in sums[4:10])
        d.sample = values if d.finite == d.count else [v for v in values if math.isfinite(v)]
        if bins is None or not measured.part:
            d.bins = bins
        elif math.isfinite(bins.quantiles()[0]):
            d.knots = bins.quantiles()
        d.shaped = d.bins is not None or d.knots is not None or len(d.sample) == d.finite
        return d

    @property
    def exact(self) -> bool:
        """Whether every finite value is kept."""
        return len(self.sample) == self.finite

    @property
    def l2(self) -> float:
        """L2 norm: NaN if any value is, else infinite if any is."""
        if self.nan:
            return math.nan
        return math.inf if self.count > self.finite else math.sqrt(self.squares)

    def merge(self, other: "Distribution") -> None:
        """Adds what another has seen (moments by Chan, Golub and LeVeque, 1979)."""
        if self.finite and other.finite:
            both = self.finite + other.finite
            apart = other.mean - self.mean
            self.deviations += other.deviations + apart * apart * self.finite * other.finite / both
            self.mean += apart * other.finite / both
        elif other.finite:
            self.mean, self.deviations = other.mean, other.deviations
        exact = self.exact and other.exact and self.finite + other.finite <= EXACT
        pairs = dict(self.own_bins())
        for index, number in other.own_bins():
            pairs[index] = pairs.get(index, 0) + number
        values = sorted(self.sample + other.sample)
        if not exact and len(values) > SAMPLE:
            values = [values[(2 * k + 1) * len(values) // (2 * SAMPLE)] for k in range(SAMPLE)]
        # Quantiles of two do not add up.
        self.shaped = self.shaped and other.shaped and self.knots is None and other.knots is None
        self.knots = None
        self.sample = values
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        for name in ("count", "zeros", "nan", "positive", "negative", "finite", "l1", "squares"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.bins = None
        if self.shaped and not exact:
            self.bins = of_pairs(sorted(pairs.items()), self.zeros, self.low, self.high)

    def own_bins(self) -> List[Tuple[int, int]]:
        """Ascending (bin, count) of the non-zero finite values."""
        if self.exact:
            bins: Dict[int, int] = {}
            for value in self.sample:
                if value != 0.0:
                    index = bin_of(value)
                    bins[index] = bins.get(index, 0) + 1
            return sorted(bins.items())
        return [] if self.bins is None else self.bins.pairs()

    def quantiles(self) -> List[float]:
        """At :data:`PROBABILITIES`, interpolated between ranks; within a bin where not every value is kept."""
        if self.knots is not None:
            return self.knots
        if self.exact or self.bins is None:
            return [_interpolated(self.sample, q * (self.finite - 1)) for q in PROBABILITIES]
        return self.bins.quantiles()

    def wire(self, keep: str = "all") -> Dict[str, Any]:
        """As it stands in a record: ``all``, or for a history ``quantiles`` or ``moments`` alone."""
        line: Dict[str, Any] = {"n": self.count}
        apart = {"zeros": self.zeros, "nan": self.nan, "posinf": self.positive, "neginf": self.negative}
        line.update({name: number for name, number in apart.items() if number})
        if self.finite:
            line["range"] = [self.low, self.high]
        moments = {"mean": self.mean, "m2": self.deviations, "l1": self.l1, "ss": self.squares}
        if keep == "quantiles" and self.exact and self.finite <= len(PROBABILITIES):
            keep = "all"
        if keep != "all" or not self.shaped:
            line.update({name: float(f"{value:.{DIGITS - 1}e}") for name, value in moments.items()})
            if keep != "moments" and self.shaped and self.finite:
                line["q"] = _knots(self.quantiles())
            return line
        line.update(moments)
        packed = b"" if self.exact or self.bins is None else self.bins.packed()
        if packed:
            line["bins"] = _base64(packed)
        if self.sample:
            line["values"] = floats(self.sample)
        return line


def floats(values: Sequence[float]) -> str:
    """Little-endian float32 values as base64."""
    packed = array("f", values)
    if sys.byteorder == "big":
        packed.byteswap()
    return _base64(packed.tobytes())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii").rstrip("=")


def _interpolated(values: Sequence[float], rank: float) -> float:
    below = int(rank)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (rank - below)


def _knots(values: Sequence[float]) -> str:
    """The upper three bytes of each float32, rounded."""
    # A zero with a sign is written as one without.
    bits = struct.unpack(f">{len(values)}I", struct.pack(f">{len(values)}f", *(v + 0.0 for v in values)))
    packed = bytearray(struct.pack(f">{len(values)}I", *map(_rounded, bits)))
    del packed[3::4]
    return _base64(bytes(packed))


def _rounded(bits: int) -> int:
    """A float32 to the nearest of which the lowest byte is empty; never to infinity, nor to a zero with a sign."""
    rounded = bits + 0x80
    if rounded & 0x7F800000 == 0x7F800000:
        rounded = bits
    return 0 if rounded & 0xFFFFFF00 == 0x80000000 else rounded
