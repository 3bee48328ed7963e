"""Bins of sign, exponent and four bits of mantissa: read from tables of counts, and as they stand in a record."""

import struct
from functools import lru_cache
from typing import List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

#: Bits of a float32 that a bin ignores.
SHIFT = 19
#: Rows of the table of counts: sign, exponent and four bits of mantissa.
TABLE = 8192
#: Index of the bin that all subnormal numbers share, and of the last finite one.
SUBNORMAL, LARGEST = 15, 4079
#: Probabilities at which a history keeps quantiles.
PROBABILITIES = (0.01, *(k / 20 for k in range(1, 20)), 0.99)
FLOAT32_MAX = 3.4028234663852886e38


class Tables:
    """Counts of ascending bins, that of zeros among them, of several tensors: ``[tensors, bins]``."""

    def __init__(self, index: Tensor, counts: Tensor) -> None:
        self.index, self.counts = index, counts
        self._packed: Optional[List[bytes]] = None

    def packed(self) -> List[bytes]:
        """As they stand in a record, without zeros: pairs of (step to the bin, count), each a variable-length integer
        of seven bits a byte. All at once takes a fraction of one after the other."""
        if self._packed is None:
            own = self.counts * (self.index != 0)
            table, place = own.nonzero().unbind(1)
            index = self.index[place]
            first = table.diff(prepend=table.new_tensor([-1])) > 0
            steps = torch.where(first, index + LARGEST + 1, index.diff(prepend=index[:1]))
            pairs = torch.stack([steps, own[table, place]], 1)
            width = int(pairs.max()).bit_length() if len(pairs) else 1
            digits = pairs.unsqueeze(2) >> torch.arange(0, width, 7, device="cpu")
            used = digits > 0
            data = bytes(((digits & 127) + 128 * (digits > 127))[used].tolist())
            ends = torch.bincount(table, used.sum((1, 2)), len(own)).long().cumsum(0).tolist()
            self._packed = [data[i:j] for i, j in zip([0, *ends], ends)]
        return self._packed


class Bins(NamedTuple):
    """The bins of one tensor's values, and quantiles."""

    tables: Tables
    at: int
    quantiles: List[float]

    def pairs(self) -> List[Tuple[int, int]]:
        """Those that are not empty, without that of zeros, and their counts."""
        counts = self.tables.counts[self.at].tolist()
        return [(index, number) for index, number in zip(self.tables.index.tolist(), counts) if index and number]

    def packed(self) -> bytes:
        """As they stand in a record."""
        return self.tables.packed()[self.at]


def read(tables: Sequence[Tensor], sums: Sequence[Sequence[float]]) -> List[Bins]:
    """The bins of tables of counts, in which zeros stand with the subnormals, given what their values add up to."""
    if not tables:
        return []
    counts = torch.stack(list(tables)).cpu()
    sides = counts.view(len(tables), 2, TABLE // 2)
    small = sides[:, :, : SUBNORMAL + 1].sum(2)
    zeros = torch.tensor([int(own[0]) for own in sums], dtype=torch.int64, device="cpu")
    left = zeros
    for side in (0, 1):
        taken = torch.minimum(left, small[:, side])
        small[:, side] -= taken
        left = left - taken
    sides[:, :, :SUBNORMAL] = 0
    sides[:, :, SUBNORMAL] = small
    counts[:, 0] = zeros
    rows, index, low, high = _layout()
    used = (counts.sum(0)[rows] > 0).nonzero().squeeze(1)
    counts, index = counts[:, rows[used]], index[used]
    found = _quantiles(counts, low[used], high[used], [(own[4], own[5]) for own in sums])
    of = Tables(index, counts)
    return [Bins(of, at, quantiles) for at, quantiles in enumerate(found)]


def of_pairs(pairs: Sequence[Tuple[int, int]], zeros: int, low: float, high: float) -> Bins:
    """Bins of these counts, given how many zeros there are beside them, and the smallest and largest value."""
    table = torch.zeros(TABLE, dtype=torch.int64, device="cpu")
    table[0] = zeros
    for index, number in pairs:
        table[index if index > 0 else TABLE // 2 - index] = number
    return read([table], [[zeros, 0.0, 0.0, 0.0, low, high]])[0]


def _quantiles(
    counts: Tensor, low_edge: Tensor, high_edge: Tensor, ranges: Sequence[Tuple[float, float]]
) -> List[List[float]]:
    """At :data:`PROBABILITIES`, interpolated within a bin, of ``[tables, bins]``."""
    if not len(low_edge):
        return [[]] * len(counts)
    low, high = torch.tensor(ranges, dtype=torch.float64, device="cpu").T.unsqueeze(2).unbind(0)
    above = counts.cumsum(1, dtype=torch.float64)
    ranks = torch.tensor(PROBABILITIES, dtype=torch.float64, device="cpu") * (above[:, -1:] - 1.0)
    at = torch.searchsorted(above, ranks, right=True).clamp_(max=len(low_edge) - 1)
    number = counts.gather(1, at)
    bottom, top = torch.maximum(low_edge[at], low), torch.minimum(high_edge[at], high)
    share = (ranks - (above.gather(1, at) - number) + 0.5) / number
    found: List[List[float]] = torch.minimum(torch.maximum(bottom + (top - bottom) * share.clamp(max=1.0), low), high).tolist()
    return found


@lru_cache(maxsize=None)
def _layout() -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of ascending bins with that of zeros in the middle: their rows in a table, their indices and their edges."""
    magnitude = torch.arange(SUBNORMAL, LARGEST + 1, dtype=torch.int32, device="cpu")
    low, high = ((m << SHIFT).view(torch.float32).double() for m in (magnitude, magnitude + 1))
    low[0], high[-1] = 0.0, FLOAT32_MAX
    zero, none = low.new_zeros(1), magnitude.new_zeros(1)
    index = torch.cat([-magnitude.flip(0), none, magnitude]).long()
    rows = torch.where(index < 0, TABLE // 2 - index, index)
    return rows, index, torch.cat([-high.flip(0), zero, low]), torch.cat([-low.flip(0), zero, high])


def bin_of(value: float) -> int:
    """The bin that a value other than zero lies in."""
    bits: int = struct.unpack("=I", struct.pack("=f", value))[0]
    magnitude = max((bits & 0x7FFFFFFF) >> SHIFT, SUBNORMAL)
    return -magnitude if bits >> 31 else magnitude
