"""The distribution of a tensor's values: measured where the tensor is, fetched once, written as text.

Measuring adds up counts, moments and bins on the tensor's device and waits for nothing; :func:`fetch`
brings the sums of many tensors over in a few copies. What is written is what the program's own trainer
writes (see ``src/stats`` there): float64 moments, bins of sign, exponent and four bits of mantissa, and
a few of the values.

Values of other types are measured as the float32 nearest to them.
"""

import base64
import math
import struct
import sys
from array import array
from functools import lru_cache
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

#: So many values are all kept; quantiles of more come from bins.
EXACT = 1024
#: Values that ride along with bins.
SAMPLE = 256
#: Values that these are chosen from, at evenly spaced ranks.
DRAWN = 1024
#: Bits of a float32 that a bin ignores.
SHIFT = 19
#: Rows of the table of counts: sign, exponent and four bits of mantissa.
TABLE = 8192
#: Index of the bin that all subnormal numbers share, and of the last finite one.
SUBNORMAL, LARGEST = 15, 4079
#: Probabilities at which a history keeps quantiles.
PROBABILITIES = (0.01, *(k / 20 for k in range(1, 20)), 0.99)
#: Significant digits of moments in a history.
DIGITS = 8
#: Largest values from which float32 is enough for squares, and the share of the squares that their
#: deviations have then to be.
TINY, CANCELLED = 1e-12, 1e-2
FLOAT32_MAX = 3.4028234663852886e38


def wide(tensor: Tensor) -> torch.dtype:
    """What sums are accumulated in: float64, where the device has it."""
    return torch.float32 if tensor.device.type == "mps" else torch.float64


class Measured(NamedTuple):
    """What one tensor adds up to, still on its device."""

    count: int
    sums: Tensor
    bins: Optional[Tensor]
    values: Optional[Tensor]


def measure(tensor: Tensor, shape: bool = True, sample: bool = True) -> Measured:
    """Adds up a tensor's values: moments; with ``shape`` what quantiles need; with ``sample`` values too."""
    flat = tensor.detach().reshape(-1)
    if flat.dtype == torch.float64:
        flat = flat.clamp(-FLOAT32_MAX, FLOAT32_MAX).where(torch.isfinite(flat), flat)
    flat = flat.float()
    count = flat.numel()
    if count == 0:
        return Measured(0, torch.zeros(10, dtype=wide(flat), device=flat.device), None, None)
    bins = kept = None
    if count <= EXACT:
        # What is measured goes on changing before this is fetched.
        kept = torch.sort(flat).values + 0.0 if shape else None
    elif shape:
        index = (flat.contiguous().view(torch.int32) >> SHIFT).bitwise_and_(TABLE - 1)
        bins = torch.bincount(index, minlength=TABLE).to(torch.int32)
        if sample:
            drawn = min(count, DRAWN)
            place = torch.arange(drawn, device=flat.device, dtype=torch.int64) * count // drawn
            ranked = torch.sort(flat[place]).values
            middle = torch.arange(SAMPLE, device=flat.device, dtype=torch.int64)
            kept = ranked[(2 * middle + 1) * drawn // (2 * SAMPLE)] + 0.0
    sums = _quick(flat, bins) if flat.device.type == "cpu" and count > EXACT else None
    return Measured(count, _careful(flat) if sums is None else sums, bins, kept)


def _quick(flat: Tensor, bins: Optional[Tensor]) -> Optional[Tensor]:
    """Sums in float32, pairwise, where squares stay well within its range; on the processor alone, where
    looking waits for nothing. Off by 1e-6 of themselves at most."""
    low, high = (v.item() for v in torch.aminmax(flat))
    largest = max(abs(low), abs(high))
    if not TINY < largest < 1.0 / TINY:
        return None
    count = flat.numel()
    work = flat.abs()
    l1 = work.sum().item()
    squares = work.mul_(work).sum().item()
    mean = flat.sum().item() / count
    deviations = torch.sub(flat, mean, out=work).square_().sum().item()
    # Where everything lies close together, only float64 tells the mean.
    if deviations < CANCELLED * squares:
        return None
    zeros = 0
    if bins is None or int(bins[0]) + int(bins[TABLE // 2]) > 0:
        zeros = count - int(torch.count_nonzero(flat))
    return torch.tensor([zeros, 0.0, 0.0, count, low, high, mean, deviations, l1, squares], dtype=torch.float64)


def _careful(flat: Tensor) -> Tensor:
    """Sums in float64 of what is finite, with nothing waited for."""
    kind = wide(flat)
    is_finite = torch.isfinite(flat)
    zeros = (flat.numel() - torch.count_nonzero(flat)).to(kind)
    nan, negative = torch.isnan(flat).sum().to(kind), (flat == -math.inf).sum().to(kind)
    finite = is_finite.sum().to(kind)
    infinite = torch.full((), math.inf, device=flat.device)
    low = torch.where(is_finite, flat, infinite).min()
    high = torch.where(is_finite, flat, -infinite).max()
    values = torch.where(is_finite, flat, torch.zeros_like(flat)).to(kind, copy=True)
    squares = torch.dot(values, values)
    l1 = values.abs().sum()
    mean = values.sum() / finite.clamp(min=1.0)
    values.sub_(mean).mul_(is_finite)
    rest = values.sum()
    deviations = (torch.dot(values, values) - rest * rest / finite.clamp(min=1.0)).clamp(min=0.0)
    mean = mean + rest / finite.clamp(min=1.0)
    return torch.stack([zeros, nan, negative, finite, low.to(kind), high.to(kind), mean, deviations, l1, squares])


def fetch(measured: Sequence[Measured]) -> List["Distribution"]:
    """Brings many over at once: a copy of the sums, one of the bins, one of the values."""
    if not measured:
        return []
    empty = torch.zeros(10, dtype=measured[0].sums.dtype)
    sums = torch.stack([m.sums if m.count else empty.to(m.sums.device) for m in measured]).tolist()
    with_bins = [m.bins for m in measured if m.bins is not None]
    bins = iter(torch.stack(with_bins).cpu() if with_bins else [])
    with_values = [m.values for m in measured if m.values is not None]
    values = torch.cat(with_values).cpu().tolist() if with_values else []
    found, at = [], 0
    for one, numbers in zip(measured, sums):
        own: Optional[List[float]] = None
        if one.values is not None:
            own = values[at : at + one.values.numel()]
            at += one.values.numel()
        table = next(bins) if one.bins is not None else None
        found.append(Distribution.of(one.count, numbers, table, own))
    return found


class Distribution:
    """What one tensor's values look like; adds up with others of the same kind."""

    def __init__(self) -> None:
        self.count = self.zeros = self.nan = self.positive = self.negative = self.finite = 0
        self.low, self.high = math.inf, -math.inf
        self.mean = self.deviations = self.l1 = self.squares = 0.0
        self.bins: Dict[int, int] = {}
        self.sample: List[float] = []
        #: Whether bins, or all values, tell how the values are spread.
        self.shaped = True

    @classmethod
    def of(
        cls, count: int, sums: Sequence[float], table: Optional[Tensor], values: Optional[List[float]]
    ) -> "Distribution":
        """From what was fetched."""
        d = cls()
        d.count = count
        if count == 0:
            return d
        d.zeros, d.nan, d.negative, d.finite = (int(v) for v in sums[:4])
        d.positive = count - d.finite - d.nan - d.negative
        if d.finite:
            d.low, d.high, d.mean, d.deviations, d.l1, d.squares = (v + 0.0 for v in sums[4:10])
        kept = values or []
        d.sample = kept if d.finite == count else [v for v in kept if math.isfinite(v)]
        d.shaped = table is not None or len(d.sample) == d.finite
        if table is not None:
            d.bins = _bins(table, d.zeros)
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
        bins = dict(self.own_bins())
        for index, number in other.own_bins():
            bins[index] = bins.get(index, 0) + number
        values = sorted(self.sample + other.sample)
        if not exact and len(values) > SAMPLE:
            values = [values[(2 * k + 1) * len(values) // (2 * SAMPLE)] for k in range(SAMPLE)]
        self.shaped = self.shaped and other.shaped
        self.bins = {} if exact else bins
        self.sample = values
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        for name in ("count", "zeros", "nan", "positive", "negative", "finite", "l1", "squares"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def own_bins(self) -> List[Tuple[int, int]]:
        """Ascending (bin, count) of the non-zero finite values."""
        if self.exact:
            bins: Dict[int, int] = {}
            for value in self.sample:
                if value != 0.0:
                    index = _bin(value)
                    bins[index] = bins.get(index, 0) + 1
            return sorted(bins.items())
        return sorted(self.bins.items())

    def quantiles(self) -> List[float]:
        """At :data:`PROBABILITIES`, interpolated between ranks; within a bin where not every value is kept."""
        ranks = [q * (self.finite - 1) for q in PROBABILITIES]
        if self.exact:
            return [_interpolated(self.sample, rank) for rank in ranks]
        intervals = [(*_edges(index), number) for index, number in self.own_bins()]
        if self.zeros:
            place = sum(1 for low, _, _ in intervals if low < 0.0)
            intervals.insert(place, (0.0, 0.0, self.zeros))
        found: List[float] = []
        below, at = 0.0, 0
        for rank in ranks:
            while at < len(intervals) - 1 and rank >= below + intervals[at][2]:
                below += intervals[at][2]
                at += 1
            low, high, number = intervals[at]
            low, high = max(low, self.low), min(high, self.high)
            value = low + (high - low) * min((rank - below + 0.5) / number, 1.0)
            found.append(min(max(value, self.low), self.high))
        return found

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
        if not self.exact and self.bins:
            line["bins"] = _packed_bins(self.own_bins())
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


def _bins(table: Tensor, zeros: int) -> Dict[int, int]:
    """Signed bins of a table; zeros stand there with the subnormals, which share a bin."""
    half = TABLE // 2
    sides = [table[:half].clone(), table[half:].clone()]
    for side in sides:
        side[SUBNORMAL] = side[: SUBNORMAL + 1].sum()
        taken = min(zeros, int(side[SUBNORMAL]))
        side[SUBNORMAL] -= taken
        zeros -= taken
    positive, negative = (side[SUBNORMAL : LARGEST + 1] for side in sides)
    ascending = torch.cat([negative.flip(0), positive])
    place = ascending.nonzero().reshape(-1)
    width = positive.numel()
    index = torch.where(place < width, place - LARGEST, place - width + SUBNORMAL)
    return dict(zip(index.tolist(), ascending[place].tolist()))


def _bin(value: float) -> int:
    bits = array("I", struct.pack("=f", value))[0]
    magnitude = max((bits & 0x7FFFFFFF) >> SHIFT, SUBNORMAL)
    return -magnitude if bits >> 31 else magnitude


@lru_cache(maxsize=None)
def _edges(index: int) -> Tuple[float, float]:
    def value(magnitude: int) -> float:
        return float(struct.unpack("=f", struct.pack("=I", magnitude << SHIFT))[0])

    magnitude = abs(index)
    low = 0.0 if magnitude <= SUBNORMAL else value(magnitude)
    high = FLOAT32_MAX if magnitude == LARGEST else value(magnitude + 1)
    return (-high, -low) if index < 0 else (low, high)


def _interpolated(values: Sequence[float], rank: float) -> float:
    below = int(rank)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (rank - below)


def _packed_bins(bins: Sequence[Tuple[int, int]]) -> str:
    """Pairs of (step to the bin, count), each a variable-length integer."""
    if not bins:
        return ""
    pairs = torch.tensor(bins, dtype=torch.int64)
    pairs[1:, 0] -= pairs[:-1, 0].clone()
    pairs[0, 0] += LARGEST + 1
    shifts = torch.arange(0, 63, 7)
    left = pairs.reshape(-1, 1) >> shifts
    groups = (left & 127) + 128 * (left > 127)
    # The first byte stands for zero too.
    left[:, 0] = 1
    return _base64(bytes(groups[left > 0].tolist()))


def _knots(values: Sequence[float]) -> str:
    """The upper three bytes of each float32, rounded."""
    packed = bytearray()
    for value in values:
        bits = struct.unpack(">I", struct.pack(">f", value + 0.0))[0]
        rounded = bits + 0x80
        if rounded & 0x7F800000 == 0x7F800000:
            rounded = bits
        rounded &= 0xFFFFFF00
        packed += struct.pack(">I", 0 if rounded == 0x80000000 else rounded)[:3]
    return _base64(bytes(packed))
