"""A matrix by its rows, each of which holds the weights of one unit."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .device import TINY, Numbers, known_at_once, together

#: Values that float32 squares and adds up in a row with an error of 1e-6 at most.
ROW = 1024
#: Values of which a norm is not taken at once: of equal ones float32 errs ever the same way, by up to 2e-4 of so many
#: and 6e-3 of eight million (measured with PyTorch 1.13 and 2.15).
MANY = 1 << 18
#: Share of a row's square from which its squared distance from the mean row may be had by subtraction.
NEAR = 0.1


class Rows:
    """The rows of a tensor; in float32 on the processor with their mean and their L2 norms, each read once."""

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows
        self.mean: Tensor | None = None
        self.norms: Tensor | None = None
        if known_at_once(rows.device) and rows.dtype == torch.float32:
            self.mean, self.norms = rows.mean(0), norms_of(rows)

    @classmethod
    def from_tensor(cls, tensor: Tensor) -> Rows | None:
        """Returns the rows ``[shape[0], …]`` of a tensor; ``None`` if there is but one."""
        if tensor.dim() < 2 or tensor.shape[0] < 2 or tensor.numel() == 0:
            return None
        return cls(tensor.detach().reshape(tensor.shape[0], -1))

    def sums(self) -> tuple[float, float] | None:
        """Returns the sum of all values and that of their squares, on the processor."""
        if self.mean is None or self.norms is None:
            return None
        return self.mean.sum().item() * len(self.norms), torch.dot(self.norms, self.norms).item()

    def deviation(self) -> Numbers:
        """Returns the largest distance of a row from the mean row, and the norm of that."""
        rows, mean, norms = self.rows, self.mean, self.norms
        if mean is None or norms is None:
            return together(_deviation_from_first(rows.float()))
        norm = l2(mean)
        squares = norms.square()
        apart = (squares - 2.0 * torch.mv(rows, mean) + norm.square()).max().item()
        # Nothing is written but for a number a row; of rows that are much the same that leaves rounding.
        largest = squares.max().item()
        if TINY**2 < largest < TINY**-2 and apart > NEAR * largest:
            return [math.sqrt(apart), norm.item()]
        return together(_deviation_from_first(rows))


def l2(tensor: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Returns the L2 norm.

    On the processor it is that of rows where there are many values, and in float64 where float32 leaves nothing of
    squares, or infinity.
    """
    norm: Tensor
    is_known = known_at_once(tensor.device)
    if is_known and tensor.numel() > MANY:
        norm = norms_of(_flat(tensor).unsqueeze(0), dtype).squeeze(0)
    else:
        norm = torch.linalg.vector_norm(tensor, dtype=dtype)
    if is_known and not 0.0 < norm.item() < math.inf:
        norm = torch.linalg.vector_norm(tensor, dtype=torch.float64)
    return norm


def _flat(tensor: Tensor) -> Tensor:
    """Returns the values in the order in which they lie in memory, where they fill it."""
    if not tensor.is_contiguous():
        tensor = tensor.permute(sorted(range(tensor.dim()), key=tensor.stride, reverse=True))
    return tensor.reshape(-1)


def norms_of(rows: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Returns the L2 norms of rows, of long ones in pieces."""
    if rows.shape[1] <= ROW:
        norms: Tensor = torch.linalg.vector_norm(rows, dim=1, dtype=dtype)
        return norms
    whole = rows.shape[1] // ROW * ROW
    in_pieces = rows[:, :whole].unflatten(1, (-1, ROW))  # type: ignore[no-untyped-call]
    pieces = torch.linalg.vector_norm(in_pieces, dim=2, dtype=dtype)
    rest = torch.linalg.vector_norm(rows[:, whole:], dim=1, dtype=dtype)
    return torch.hypot(torch.linalg.vector_norm(pieces, dim=1), rest)


def _deviation_from_first(rows: Tensor) -> list[Tensor]:
    """Measures deviations from the first row: rows that are equal are then exactly equal."""
    apart = rows - rows[:1]
    mean = apart.mean(0)
    apart -= mean
    return [norms_of(apart).max(), l2(rows[0] + mean)]


def relative(largest: float, norm: float) -> float:
    """Divides the two numbers of :meth:`Rows.deviation`."""
    if not math.isfinite(norm):
        return math.nan
    if largest == 0.0:
        return 0.0
    return largest / norm if norm > 0.0 else math.inf
