"""Bins of sign, exponent and four bits of mantissa: read from tables of counts, packed for a record."""

from __future__ import annotations

import math
import struct
from typing import NamedTuple, Sequence

import torch
from torch import Tensor

from .._constants import BIN_SHIFT, BIN_TABLE_LENGTH, MAX_BIN, PROBABILITIES, SUBNORMAL_BIN
from .device import on_one_device

FLOAT32_MAX = 3.4028234663852886e38


class Tables:
    """Counts of ascending bins, that of zeros among them, of several tensors: ``[tensors, bins]``; with the indices of
    these and each tensor's smallest and largest value. What is asked of one is worked out for all, which takes a
    fraction of one after the other."""

    def __init__(self, index: Tensor, counts: Tensor, ranges: Sequence[Sequence[float]]) -> None:
        self.index, self.counts, self.ranges = index, counts, ranges
        self._packed: list[bytes] | None = None
        self._quantiles: list[list[float]] | None = None

    def packed(self) -> list[bytes]:
        """Packs them for a record, without zeros: pairs of (step to the bin, count), each a variable-length integer
        of seven bits a byte."""
        if self._packed is None:
            own = self.counts * (self.index != 0)
            table, place = own.nonzero().unbind(1)
            index = self.index[place]
            first = table.diff(prepend=table.new_tensor([-1])) > 0
            steps = torch.where(first, index + MAX_BIN + 1, index.diff(prepend=index[:1]))
            pairs = torch.stack([steps, own[table, place]], 1)
            width = int(pairs.max()).bit_length() if len(pairs) else 1
            digits = pairs.unsqueeze(2) >> torch.arange(0, width, 7, device="cpu")
            used = digits > 0
            data = bytes(((digits & 127) + 128 * (digits > 127))[used].tolist())
            ends = torch.bincount(table, used.sum((1, 2)), len(own)).long().cumsum(0).tolist()
            self._packed = [data[i:j] for i, j in zip([0, *ends], ends)]
        return self._packed

    def quantiles(self) -> list[list[float]]:
        """Returns quantiles at ``PROBABILITIES``, interpolated within a bin; NaN of a tensor without a finite value."""
        if self._quantiles is None:
            low, high = torch.tensor(self.ranges, dtype=torch.float64, device="cpu").T.unsqueeze(2).unbind(0)
            above = self.counts.cumsum(1, dtype=torch.float64)
            ranks = torch.tensor(PROBABILITIES, dtype=torch.float64, device="cpu") * (above[:, -1:] - 1.0)
            at = torch.searchsorted(above, ranks, right=True).clamp_(max=len(self.index) - 1)
            number = self.counts.gather(1, at)
            bottom, top = (edge[at] for edge in _edges(self.index))
            bottom, top = torch.maximum(bottom, low), torch.minimum(top, high)
            share = (ranks - (above.gather(1, at) - number) + 0.5) / number
            found = bottom + (top - bottom) * share.clamp(max=1.0)
            found = torch.minimum(torch.maximum(found, low), high)
            self._quantiles = found.masked_fill(above[:, -1:] == 0.0, math.nan).tolist()
        return self._quantiles


class Bins(NamedTuple):
    """The bins of one tensor's values."""

    tables: Tables
    at: int

    def pairs(self) -> list[tuple[int, int]]:
        """Returns (bin, count) of those that are not empty, without that of zeros."""
        counts = self.tables.counts[self.at].tolist()
        return [(index, number) for index, number in zip(self.tables.index.tolist(), counts) if index and number]

    def packed(self) -> bytes:
        """Packs them for a record."""
        return self.tables.packed()[self.at]

    def quantiles(self) -> list[float]:
        """Returns quantiles at ``PROBABILITIES``."""
        return self.tables.quantiles()[self.at]


def read(tables: Sequence[Tensor], zeros: Sequence[float | None], ranges: Sequence[Sequence[float]]) -> list[Bins]:
    """Reads the bins of tables of counts.

    Takes how many zeros stand there with the smallest subnormals (``None``: there are only zeros), and the smallest and
    largest value.
    """
    if not tables:
        return []
    counts = torch.stack(on_one_device(tables)).cpu()
    sides = counts.view(len(tables), 2, BIN_TABLE_LENGTH // 2)
    small = sides[:, :, : SUBNORMAL_BIN + 1].sum(2)
    nearest = sides[:, :, 0].sum(1).tolist()
    zero = torch.tensor([int(n if z is None else z) for n, z in zip(nearest, zeros)], dtype=torch.int64, device="cpu")
    left = zero
    for side in (0, 1):
        taken = torch.minimum(left, small[:, side])
        small[:, side] -= taken
        left = left - taken
    sides[:, :, SUBNORMAL_BIN] = small
    # A table uses a few powers of two.
    used = sides.sum((0, 1))[SUBNORMAL_BIN : MAX_BIN + 1].nonzero()
    first, last = (int(used[0]), int(used[-1])) if len(used) else (0, -1)
    magnitude = torch.arange(SUBNORMAL_BIN + first, SUBNORMAL_BIN + last + 1, device="cpu")
    positive, negative = (sides[:, side, SUBNORMAL_BIN + first : SUBNORMAL_BIN + last + 1] for side in (0, 1))
    counts = torch.cat([negative.flip(1), zero.unsqueeze(1), positive], 1)
    of = Tables(torch.cat([-magnitude.flip(0), magnitude.new_zeros(1), magnitude]), counts, ranges)
    return [Bins(of, at) for at in range(len(tables))]


def from_pairs(pairs: Sequence[tuple[int, int]], zeros: int, low: float, high: float) -> Bins:
    """Builds bins of these counts, given how many zeros there are beside them, and the smallest and largest value."""
    table = torch.zeros(BIN_TABLE_LENGTH, dtype=torch.int64, device="cpu")
    table[0] = zeros
    for index, number in pairs:
        table[index if index > 0 else BIN_TABLE_LENGTH // 2 - index] = number
    return read([table], [zeros], [(low, high)])[0]


def _edges(index: Tensor) -> tuple[Tensor, Tensor]:
    """Returns where bins begin and end."""
    magnitude = index.abs()
    near, far = ((m.int() << BIN_SHIFT).view(torch.float32).double() for m in (magnitude, magnitude + 1))
    near = near.masked_fill(magnitude <= SUBNORMAL_BIN, 0.0)
    far = far.clamp(max=FLOAT32_MAX).masked_fill(index == 0, 0.0)
    return torch.where(index < 0, -far, near), torch.where(index < 0, -near, far)


def bin_of(value: float) -> int:
    """Returns the bin that a value other than zero lies in."""
    bits: int = struct.unpack("=I", struct.pack("=f", value))[0]
    magnitude = max((bits & 0x7FFFFFFF) >> BIN_SHIFT, SUBNORMAL_BIN)
    return -magnitude if bits >> 31 else magnitude
