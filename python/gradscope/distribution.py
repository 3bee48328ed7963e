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
import threading
from array import array
from bisect import bisect_left, bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

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
#: Numbers that a tensor's values add up to.
SUMS = 10
#: Values that are added up at a time on the processor: four megabytes.
PIECE = 1 << 20
#: Largest values from which float32 is enough for squares, and the share of the squares that their
#: deviations have then to be.
TINY, CANCELLED = 1e-12, 1e-2
#: The share of the squares from which deviations may be had by subtraction: it loses a digit in base 2.
SPREAD = 0.5
FLOAT32_MAX = 3.4028234663852886e38


def wide(tensor: Tensor) -> torch.dtype:
    """What sums are accumulated in: float64, where the device has it."""
    return torch.float32 if tensor.device.type == "mps" else torch.float64


def known_at_once(device: torch.device) -> bool:
    """Whether looking at a number on this device waits for nothing."""
    return device.type == "cpu"


class Measured(NamedTuple):
    """What one tensor adds up to; sums, bins and values are still on its device, but for sums of the processor."""

    count: int
    sums: Union[Tensor, List[float]]
    bins: Optional[Tensor]
    values: Optional[Tensor]


def measure(tensor: Tensor, shape: bool = True, sample: bool = True) -> Measured:
    """Adds up a tensor's values: moments; with ``shape`` what quantiles need; with ``sample`` values too."""
    flat = tensor.detach().reshape(-1)
    count = flat.numel()
    if count == 0:
        return Measured(0, [0.0] * SUMS, None, None)
    kept = None
    if shape and count <= EXACT:
        # What is measured goes on changing before this is fetched.
        kept = torch.sort(_float32(flat)).values + 0.0
    elif shape and sample:
        place, ranks = _drawn(count, flat.device)
        kept = torch.sort(_float32(flat[place])).values[ranks] + 0.0
    binned = shape and count > EXACT
    if known_at_once(flat.device):
        return Measured(count, *_in_pieces(flat, binned), kept)
    flat = _float32(flat)
    bins = None
    if binned:
        # A zero with a sign is counted as one without.
        index = (flat.contiguous().view(torch.int32) >> SHIFT).bitwise_and_(TABLE - 1).mul_(flat != 0.0)
        bins = torch.bincount(index, minlength=TABLE)
    return Measured(count, _careful(flat), bins, kept)


def _float32(flat: Tensor) -> Tensor:
    """The values as float32, those beyond its range as its largest."""
    if flat.dtype == torch.float64:
        flat = flat.clamp(-FLOAT32_MAX, FLOAT32_MAX).where(torch.isfinite(flat), flat)
    return flat.float()


@lru_cache(maxsize=64)
def _drawn(count: int, device: torch.device) -> Tuple[Tensor, Tensor]:
    """Where the values lie that a sample is chosen from, and the ranks of those that are."""
    drawn = min(count, DRAWN)
    place = torch.arange(drawn, device=device, dtype=torch.int64) * count // drawn
    middle = torch.arange(SAMPLE, device=device, dtype=torch.int64)
    return place, (2 * middle + 1) * drawn // (2 * SAMPLE)


def _in_pieces(flat: Tensor, binned: bool) -> Tuple[List[float], Optional[Tensor]]:
    """Sums and bins on the processor, where looking waits for nothing: piece by piece, in memory that was touched
    before."""
    table: Optional[Tensor] = None
    sums: Optional[List[float]] = None
    for part in flat.split(PIECE):
        piece = _float32(part)
        with_zeros = True
        if binned:
            index = workspace(piece.numel(), torch.float32).view(torch.int32)
            torch.bitwise_right_shift(piece.view(torch.int32), SHIFT, out=index)
            counts = torch.bincount(index.bitwise_and_(TABLE - 1), minlength=TABLE)
            small, negative = counts[0].item(), counts[TABLE // 2].item()
            with_zeros = small + negative > 0
            if negative:
                # Zeros with a sign are told from the negative subnormals, as those without stand with the positive.
                signed = ((piece == 0.0) & torch.signbit(piece)).sum()
                counts[TABLE // 2] -= signed
                counts[0] += signed
            table = counts if table is None else table.add_(counts)
        own = _finite(piece, with_zeros)
        if own is None:
            own = _careful(piece).tolist()
        sums = own if sums is None else _added(sums, own)
    assert sums is not None
    return sums, table


def _finite(piece: Tensor, with_zeros: bool) -> Optional[List[float]]:
    """Sums of a piece on the processor, if all of it is finite: in float64 of a few values, of more in float32
    where squares stay well within its range, pairwise. Off by 1e-6 of themselves at most."""
    count = piece.numel()
    low, high = (v.item() for v in torch.aminmax(piece))
    largest = max(abs(low), abs(high))
    if not largest < math.inf:
        return None
    own = piece
    if count <= EXACT:
        own = piece.double()
    elif not TINY < largest < 1.0 / TINY:
        return None
    work = workspace(count, own.dtype)
    torch.abs(own, out=work)
    l1 = work.sum().item()
    squares = work.mul_(work).sum().item()
    mean = own.sum().item() / count
    deviations = squares - count * mean * mean
    if count <= EXACT or deviations < SPREAD * squares:
        deviations = torch.sub(own, mean, out=work).square_().sum().item()
        # Where everything lies close together, only float64 tells the mean.
        if count > EXACT and deviations < CANCELLED * squares:
            return None
    zeros = torch.eq(own, 0.0, out=work).sum().item() if with_zeros else 0.0
    return [zeros, 0.0, 0.0, count, low, high, mean, deviations, l1, squares]


class _Workspaces(threading.local):
    def __init__(self) -> None:
        self.of: Dict[torch.dtype, Tensor] = {}


_workspaces = _Workspaces()


def workspace(count: int, dtype: torch.dtype) -> Tensor:
    """So many numbers of memory on the processor, which this thread's next call writes over where they are no
    more than :data:`PIECE`."""
    if count > PIECE:
        return torch.empty(count, dtype=dtype, device="cpu")
    if dtype not in _workspaces.of:
        # One that was made in inference mode could not be written to outside of it.
        with torch.inference_mode(False):
            _workspaces.of[dtype] = torch.empty(PIECE, dtype=dtype, device="cpu")
    return _workspaces.of[dtype][:count]


def _added(a: List[float], b: List[float]) -> List[float]:
    """The sums of two pieces (moments by Chan, Golub and LeVeque, 1979)."""
    n, m = a[3], b[3]
    low, high = min(a[4], b[4]), max(a[5], b[5])
    apart, both = b[6] - a[6] if n and m else 0.0, max(n + m, 1.0)
    mean = a[6] + apart * m / both if n else b[6]
    deviations = (a[7] if n else 0.0) + (b[7] if m else 0.0) + apart * apart * n * m / both
    return [*(x + y for x, y in zip(a[:4], b[:4])), low, high, mean, deviations, a[8] + b[8], a[9] + b[9]]


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
    waiting = [m.sums for m in measured if isinstance(m.sums, Tensor)]
    fetched = iter(torch.stack(waiting).tolist() if waiting else [])
    with_values = [m.values for m in measured if m.values is not None]
    values = torch.cat(with_values).cpu().tolist() if with_values else []
    sums = [next(fetched) if isinstance(m.sums, Tensor) else m.sums for m in measured]
    binned = [(m.bins, own[0]) for m, own in zip(measured, sums) if m.bins is not None]
    tables = iter(_bins([bins for bins, _ in binned], [zeros for _, zeros in binned]))
    found, at = [], 0
    for one, numbers in zip(measured, sums):
        own: Optional[List[float]] = None
        if one.values is not None:
            own = values[at : at + one.values.numel()]
            at += one.values.numel()
        found.append(Distribution.of(one.count, numbers, next(tables) if one.bins is not None else None, own))
    return found


class Bins(NamedTuple):
    """Ascending bins that are not empty, their counts, and both as they stand in a record."""

    index: Tensor
    number: Tensor
    packed: bytes


def _bins(tables: List[Tensor], zeros: List[float]) -> List[Bins]:
    """Those of each table without its zeros, which stand there with the subnormals; those share a bin."""
    if not tables:
        return []
    sides = torch.stack(tables).cpu().view(len(tables), 2, TABLE // 2)
    small = sides[:, :, : SUBNORMAL + 1].sum(2)
    left = torch.tensor([int(z) for z in zeros], dtype=torch.int64, device="cpu")
    for side in (0, 1):
        taken = torch.minimum(left, small[:, side])
        small[:, side] -= taken
        left = left - taken
    sides[:, :, SUBNORMAL] = small
    positive, negative = (sides[:, side, SUBNORMAL : LARGEST + 1] for side in (0, 1))
    ascending = torch.cat([negative.flip(1), positive], 1)
    table, place = ascending.nonzero().unbind(1)
    width = LARGEST + 1 - SUBNORMAL
    index = torch.where(place < width, place - LARGEST, place - width + SUBNORMAL)
    return _packed(index, ascending[table, place], torch.bincount(table, minlength=len(tables)))


def _packed(index: Tensor, number: Tensor, lengths: Tensor) -> List[Bins]:
    """Bins of tables laid end to end, of so many each: pairs of (step to the bin, count), each a variable-length
    integer."""
    ends = lengths.cumsum(0)
    steps = index.diff(prepend=index[:1])
    first = (ends - lengths)[lengths > 0]
    steps[first] = index[first] + LARGEST + 1
    pairs = torch.stack([steps, number], 1)
    width = int(pairs.max()).bit_length() if pairs.numel() else 1
    digits = pairs.unsqueeze(2) >> torch.arange(0, width, 7, device="cpu")
    taken = digits > 0
    taken[:, :, 0] = True
    data = bytes(((digits & 127) + 128 * (digits > 127))[taken].tolist())
    places = torch.cat([ends.new_zeros(1), taken.sum((1, 2)).cumsum(0)])
    cuts = [0, *ends.tolist()]
    bytes_cuts = places[ends.new_tensor(cuts)].tolist()
    return [
        Bins(index[i:j], number[i:j], data[p:q])
        for i, j, p, q in zip(cuts, cuts[1:], bytes_cuts, bytes_cuts[1:])
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
        #: Whether bins, or all values, tell how the values are spread.
        self.shaped = True

    @classmethod
    def of(
        cls,
        count: int,
        sums: Sequence[float],
        bins: Optional[Bins],
        values: Optional[List[float]],
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
        d.shaped = bins is not None or len(d.sample) == d.finite
        d.bins = bins
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
        pairs = torch.tensor([] if exact else sorted(bins.items()), dtype=torch.int64, device="cpu").reshape(-1, 2)
        self.bins = _packed(pairs[:, 0], pairs[:, 1], pairs.new_tensor([len(pairs)]))[0]
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
        return [] if self.bins is None else list(zip(self.bins.index.tolist(), self.bins.number.tolist()))

    def quantiles(self) -> List[float]:
        """At :data:`PROBABILITIES`, interpolated between ranks; within a bin where not every value is kept."""
        ranks = [q * (self.finite - 1) for q in PROBABILITIES]
        if self.exact:
            return [_interpolated(self.sample, rank) for rank in ranks]
        bins = list(self.own_bins())
        if self.zeros:
            bins.insert(bisect_left(bins, (0, 0)), (0, self.zeros))
        above = list(accumulate(number for _, number in bins))
        found: List[float] = []
        for rank in ranks:
            at = min(bisect_right(above, rank), len(bins) - 1)
            index, number = bins[at]
            low, high = _edges(index) if index else (0.0, 0.0)
            low, high = max(low, self.low), min(high, self.high)
            value = low + (high - low) * min((rank - (above[at] - number) + 0.5) / number, 1.0)
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
        if not self.exact and self.bins is not None and self.bins.packed:
            line["bins"] = _base64(self.bins.packed)
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
