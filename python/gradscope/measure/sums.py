"""Adds up a tensor's values on its own device: counts, moments, bins. Nothing is waited for on an accelerator but by
counting bins, which looks for the last of them.

Values of other types are measured as the float32 nearest to them.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple, Tuple

import torch
from torch import Tensor

from .._constants import BIN_SHIFT, BIN_TABLE_LENGTH, EXACT_CAPACITY, SAMPLE_CAPACITY
from ..plan import DetailLevel
from .bins import FLOAT32_MAX
from .device import CANCELLED, PIECE, TINY, Numbers, known_at_once, wide, workspace
from .rows import norms_of

#: Values that a quantile summary is taken of, at most, and how many of them lie side by side.
DRAWN, LINE = 16_384, 16
#: Its fractions of a whole lie more evenly than those of any other number.
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
#: Numbers that a tensor's values add up to.
SUMS = 10
#: The share of the squares from which deviations may be had by subtraction: it loses a digit in base 2.
SPREAD = 0.5
#: The sum of a tensor's values, and that of their squares.
Known = Tuple[float, float]


class Measured(NamedTuple):
    """The sums of one tensor; all but those of the processor are still on its device."""

    #: Number of its values.
    size: int
    sums: Numbers
    bins: Tensor | None = None
    #: Ascending: every value, or a few of many.
    values: Tensor | None = None
    #: Whether bins are those of at most :data:`DRAWN` of the values, whose zeros stand with the smallest subnormals.
    is_part: bool = False


def measure(tensor: Tensor, keep: DetailLevel = DetailLevel.FULL, known: Known | None = None) -> Measured:
    """Adds up a tensor's values and keeps, beside the moments, as much of them as ``keep`` says, one of ``MOMENTS`` to
    ``FULL``. The ``known`` sums, of a tensor that is all finite, are not added up again."""
    flat = tensor.detach().reshape(-1)
    count = flat.numel()
    if count == 0:
        return Measured(0, [0.0] * SUMS)
    bins = values = None
    if keep != DetailLevel.MOMENTS and count <= EXACT_CAPACITY:
        # The tensor goes on changing before this is fetched.
        values = torch.sort(_float32(flat)).values + 0.0
    elif keep == DetailLevel.FULL:
        values = torch.sort(_float32(flat[_places(count, SAMPLE_CAPACITY, flat.device)])).values + 0.0
    elif keep == DetailLevel.QUANTILES:
        bins = torch.bincount(_rows_of_table(_float32(_part(flat))), minlength=BIN_TABLE_LENGTH)
    binned = keep >= DetailLevel.BINS and count > EXACT_CAPACITY
    if known_at_once(flat.device):
        sums, table = _in_pieces(flat, binned, known)
        return Measured(count, sums, table if binned else bins, values, keep == DetailLevel.QUANTILES)
    flat = _float32(flat)
    if binned:
        # A zero with a sign is counted as one without.
        bins = torch.bincount(_rows_of_table(flat.contiguous()).mul_(flat != 0.0), minlength=BIN_TABLE_LENGTH)
    return Measured(count, _careful(flat), bins, values, keep == DetailLevel.QUANTILES)


def _rows_of_table(flat: Tensor) -> Tensor:
    return (flat.view(torch.int32) >> BIN_SHIFT).bitwise_and_(BIN_TABLE_LENGTH - 1)


def _float32(flat: Tensor) -> Tensor:
    """Returns the values as float32, those beyond its range as its largest."""
    if flat.dtype == torch.float64:
        flat = flat.clamp(-FLOAT32_MAX, FLOAT32_MAX).where(torch.isfinite(flat), flat)
    return flat.float()


@lru_cache(maxsize=64)
def _places(count: int, drawn: int, device: torch.device) -> Tensor:
    """Returns the places of values that stand for all, ascending.

    There is one in each of so many equal parts, and where in it follows the golden ratio, which falls into step with
    the rows of no matrix.
    """
    drawn = min(count, drawn)
    number = torch.arange(drawn + 1, dtype=torch.int64, device="cpu")
    start = number * count // drawn
    within = (number[:-1].double() * GOLDEN).frac() * start.diff()
    return (start[:-1] + within.long()).to(device)


def _part(flat: Tensor) -> Tensor:
    """Returns at most :data:`DRAWN` of the values, a line of memory at a time."""
    if flat.numel() <= DRAWN:
        return flat.contiguous()
    lines = flat[: flat.numel() // LINE * LINE].view(-1, LINE)
    return lines[_places(len(lines), DRAWN // LINE, flat.device)].view(-1)


def _in_pieces(flat: Tensor, binned: bool, known: Known | None) -> tuple[list[float], Tensor | None]:
    """Adds up and counts bins on the processor, where looking waits for nothing.

    That is done piece by piece, in memory that was touched before.
    """
    table: Tensor | None = None
    known = known if flat.numel() <= PIECE else None
    sums: list[float] = []
    for part in (flat,) if flat.numel() <= PIECE else flat.split(PIECE):  # type: ignore[no-untyped-call]
        piece = _float32(part)
        with_zeros = True
        if binned:
            index = workspace(piece.numel(), torch.float32).view(torch.int32)
            torch.bitwise_right_shift(piece.view(torch.int32), BIN_SHIFT, out=index)
            counts = torch.bincount(index.bitwise_and_(BIN_TABLE_LENGTH - 1), minlength=BIN_TABLE_LENGTH)
            small, negative = counts[0].item(), counts[BIN_TABLE_LENGTH // 2].item()
            with_zeros = small + negative > 0
            if negative:
                # Zeros with a sign are told from the negative subnormals, as those without stand with the positive.
                signed = ((piece == 0.0) & torch.signbit(piece)).sum()
                counts[BIN_TABLE_LENGTH // 2] -= signed
                counts[0] += signed
            table = counts if table is None else table.add_(counts)
        own = _few(piece) if flat.numel() <= EXACT_CAPACITY else _many(piece, with_zeros, known)
        if own is None:
            own = _careful(piece).tolist()
        sums = _added(sums, own) if sums else own
    return sums, table


def _few(own: Tensor) -> list[float] | None:
    """Adds up a few values on the processor in float64, if all of them are finite."""
    low, high = (v.item() for v in torch.aminmax(own))
    if not (-math.inf < low and high < math.inf):
        return None
    count, own = own.numel(), own.double()
    mean = own.sum().item() / count
    apart = own - mean
    l1, squares, deviations = (v.item() for v in (own.abs().sum(), torch.dot(own, own), torch.dot(apart, apart)))
    zeros = count - int(torch.count_nonzero(own).item())
    return [zeros, 0.0, 0.0, count, low, high, mean, deviations, l1, squares]


def _many(piece: Tensor, with_zeros: bool, known: Known | None) -> list[float] | None:
    """Adds up a piece on the processor in float32 and pairwise, if all of it is finite and its squares stay well within
    the range of that. Off by 1e-6 of themselves at most."""
    count = piece.numel()
    low, high = (v.item() for v in torch.aminmax(piece))
    if not TINY < max(abs(low), abs(high)) < 1.0 / TINY:
        return None
    work = workspace(count, piece.dtype)
    total, squares = known or (piece.sum().item(), norms_of(piece.unsqueeze(0)).item() ** 2)
    # Without negative numbers the sum is that of absolute values.
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


def _added(a: list[float], b: list[float]) -> list[float]:
    """Adds the sums of two pieces (moments by Chan, Golub and LeVeque, 1979)."""
    n, m = a[3], b[3]
    low, high = min(a[4], b[4]), max(a[5], b[5])
    apart, both = b[6] - a[6] if n and m else 0.0, max(n + m, 1.0)
    mean = a[6] + apart * m / both if n else b[6]
    deviations = (a[7] if n else 0.0) + (b[7] if m else 0.0) + apart * apart * n * m / both
    return [*(x + y for x, y in zip(a[:4], b[:4])), low, high, mean, deviations, a[8] + b[8], a[9] + b[9]]


def _careful(flat: Tensor) -> Tensor:
    """Adds up all that is finite in float64, with nothing waited for."""
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
