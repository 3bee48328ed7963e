"""Adds up a tensor's values where the tensor is: counts, moments, bins. Nothing is waited for on an accelerator but
by counting bins, which looks for the last of them.

Values of other types are measured as the float32 nearest to them.
"""

import math
from functools import lru_cache
from typing import List, NamedTuple, Optional, Tuple, Union

import torch
from torch import Tensor

from .bins import FLOAT32_MAX, SHIFT, TABLE
from .device import CANCELLED, PIECE, TINY, known_at_once, wide, workspace
from .rows import norms_of

#: So many values are all kept; quantiles of more come from bins.
EXACT = 1024
#: Values that ride along with bins.
SAMPLE = 256
#: Values whose bins quantiles are taken of where not all are counted, and how many of them lie side by side.
DRAWN, LINE = 16_384, 16
#: Its fractions of a whole lie more evenly than those of any other number.
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
#: What is kept of a tensor beside its moments: nothing; quantiles of a part; bins; a few values with them.
MOMENTS, QUANTILES, BINNED, SAMPLED = range(4)
#: Numbers that a tensor's values add up to.
SUMS = 10
#: The share of the squares from which deviations may be had by subtraction: it loses a digit in base 2.
SPREAD = 0.5
#: The sum of a tensor's values, and that of their squares.
Known = Tuple[float, float]


class Measured(NamedTuple):
    """What one tensor adds up to; all but the sums of the processor is still on its device."""

    count: int
    sums: Union[Tensor, List[float]]
    bins: Optional[Tensor] = None
    #: Ascending: every value, or a few of many.
    values: Optional[Tensor] = None
    #: Whether bins are those of at most :data:`DRAWN` of the values, whose zeros stand with the smallest subnormals.
    part: bool = False


def measure(tensor: Tensor, keep: int = SAMPLED, known: Optional[Known] = None) -> Measured:
    """Adds up a tensor's values; what is kept beside the moments is one of :data:`MOMENTS` and those that follow. What
    is known of it, if all of it is finite, is not added up again."""
    flat = tensor.detach().reshape(-1)
    count = flat.numel()
    if count == 0:
        return Measured(0, [0.0] * SUMS)
    bins = values = None
    if keep != MOMENTS and count <= EXACT:
        # What is measured goes on changing before this is fetched.
        values = torch.sort(_float32(flat)).values + 0.0
    elif keep == SAMPLED:
        values = torch.sort(_float32(flat[_places(count, SAMPLE, flat.device)])).values + 0.0
    elif keep == QUANTILES:
        bins = torch.bincount(_rows_of_table(_float32(_part(flat))), minlength=TABLE)
    binned = keep in (BINNED, SAMPLED) and count > EXACT
    if known_at_once(flat.device):
        sums, table = _in_pieces(flat, binned, known)
        return Measured(count, sums, table if binned else bins, values, keep == QUANTILES)
    flat = _float32(flat)
    if binned:
        # A zero with a sign is counted as one without.
        bins = torch.bincount(_rows_of_table(flat.contiguous()).mul_(flat != 0.0), minlength=TABLE)
    return Measured(count, _careful(flat), bins, values, keep == QUANTILES)


def _rows_of_table(flat: Tensor) -> Tensor:
    return (flat.view(torch.int32) >> SHIFT).bitwise_and_(TABLE - 1)


def _float32(flat: Tensor) -> Tensor:
    """The values as float32, those beyond its range as its largest."""
    if flat.dtype == torch.float64:
        flat = flat.clamp(-FLOAT32_MAX, FLOAT32_MAX).where(torch.isfinite(flat), flat)
    return flat.float()


@lru_cache(maxsize=64)
def _places(count: int, drawn: int, device: torch.device) -> Tensor:
    """Where values lie that stand for all, ascending: one in each of so many equal parts, and where in it follows the
    golden ratio, which falls into step with the rows of no matrix."""
    drawn = min(count, drawn)
    number = torch.arange(drawn + 1, dtype=torch.int64, device="cpu")
    start = number * count // drawn
    within = (number[:-1].double() * GOLDEN).frac() * start.diff()
    return (start[:-1] + within.long()).to(device)


def _part(flat: Tensor) -> Tensor:
    """At most :data:`DRAWN` of the values, a line of memory at a time."""
    if flat.numel() <= DRAWN:
        return flat.contiguous()
    lines = flat[: flat.numel() // LINE * LINE].view(-1, LINE)
    return lines[_places(len(lines), DRAWN // LINE, flat.device)].view(-1)


def _in_pieces(flat: Tensor, binned: bool, known: Optional[Known]) -> Tuple[List[float], Optional[Tensor]]:
    """Sums and bins on the processor, where looking waits for nothing: piece by piece, in memory that was touched
    before."""
    table: Optional[Tensor] = None
    known = known if flat.numel() <= PIECE else None
    sums: Optional[List[float]] = None
    for part in (flat,) if flat.numel() <= PIECE else flat.split(PIECE):
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
        own = _few(piece) if flat.numel() <= EXACT else _many(piece, with_zeros, known)
        if own is None:
            own = _careful(piece).tolist()
        sums = own if sums is None else _added(sums, own)
    assert sums is not None
    return sums, table


def _few(own: Tensor) -> Optional[List[float]]:
    """Sums of a few values on the processor in float64, if all of them are finite."""
    low, high = (v.item() for v in torch.aminmax(own))
    if not (-math.inf < low and high < math.inf):
        return None
    count, own = own.numel(), own.double()
    mean = own.sum().item() / count
    apart = own - mean
    l1, squares, deviations = (v.item() for v in (own.abs().sum(), torch.dot(own, own), torch.dot(apart, apart)))
    zeros = count - int(torch.count_nonzero(own).item())
    return [zeros, 0.0, 0.0, count, low, high, mean, deviations, l1, squares]


def _many(piece: Tensor, with_zeros: bool, known: Optional[Known]) -> Optional[List[float]]:
    """Sums of a piece on the processor in float32 and pairwise, if all of it is finite and its squares stay well within
    the range of that. Off by 1e-6 of themselves at most."""
    count = piece.numel()
    low, high = (v.item() for v in torch.aminmax(piece))
    if not TINY < max(abs(low), abs(high)) < 1.0 / TINY:
        return None
    work = workspace(count, piece.dtype)
    total, squares = known or (piece.sum().item(), norms_of(piece.unsqueeze(0)).item() ** 2)
    # What has no negative numbers is its own absolute value.
    l1 = total if low >= 0.0 else torch.abs(piece, out=work).sum().item()
    zeros = torch.eq(piece, 0.0, out=work).sum().item() if with_zeros and low <= 0.0 <= high else 0.0
    mean = total / count
    deviations = squares - count * mean * mean
    if deviations < SPREAD * squares:
        deviations = torch.sub(piece, mean, out=work).square_().sum().item()
        # Where everything lies close together, only float64 tells the mean.
        if deviations < CANCELLED * squares:
            return None
    return [zeros, 0.0, 0.0, count, low, high, mean, deviations, l1, squares]


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
