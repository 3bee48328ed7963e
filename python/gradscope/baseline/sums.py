"""Sums over targets, weighted as the loss weights them, and what the best constant prediction of these costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, Union

import torch
import torch.nn.functional as F
from torch import Tensor

from ..measure.device import known_at_once, wide

#: Rows of targets that are kept where no sums are enough, and columns of these.
MOST_ROWS, MOST_COLUMNS = 4096, 256
#: Steps of the search for the best constant, each of which leaves two thirds of the range.
SEARCH = 48


#: A number: on the processor, where nothing is waited for, it is looked at.
Number = Union[float, Tensor]


def number(scalar: Tensor) -> Number:
    """Looks at a scalar, unless it is on a device that would be waited for."""
    return float(scalar.item()) if known_at_once(scalar.device) else scalar.to(wide(scalar))


@dataclass(frozen=True)
class Form:
    """A form of loss: by its name, and its parameter where it has one."""

    name: str
    #: ``beta`` or ``delta``, below which errors are squared.
    knee: float = 1.0


CLASSES, SQUARES, BINARY, L1 = Form("classes"), Form("squares"), Form("binary"), Form("l1")


@dataclass
class Sums:
    """The targets of a term, added up by output column; everything is on the device of the loss."""

    form: Form
    #: Of classes their weights; of squares the weight, and the weighted sums of targets and of their squares; of binary
    #: targets the weights of ones and zeros; of others the weight.
    parts: Tensor
    #: The largest of: more than zero where the weights are none that a loss gives to targets, minus the smallest
    #: target, the largest, and the distance between targets of one batch. ``None`` of a batch that is not checked.
    bounds: Tensor | None = None
    #: Rows of targets, where no sums are enough, of every so many that there were.
    rows: Tensor | None = None
    stride: int = 1
    #: Whether a batch has as many classes as rows, as contrastive losses do.
    is_square: bool = False

    def times(self, factor: Number) -> Sums:
        """Returns the sums of a loss that is so many times this one; none of them, where the factor is zero."""
        if isinstance(factor, float):
            return self if factor == 1.0 else replace(self, parts=self.parts * factor)
        factor = factor.to(self.parts.device)
        return replace(self, parts=torch.where(factor == 0, torch.zeros_like(self.parts), self.parts * factor))

    def add(self, other: Sums) -> None:
        """Adds the targets of another batch."""
        a, b = self.parts, other.parts
        if a.shape != b.shape:
            # Images or sequences of other sizes: one column for all.
            a, b = a.sum(1, keepdim=True), b.sum(1, keepdim=True)
        self.parts = a + b
        if self.bounds is None or other.bounds is None:
            self.bounds = other.bounds if self.bounds is None else self.bounds
        else:
            self.bounds = torch.maximum(self.bounds, other.bounds)
        self.is_square = self.is_square and other.is_square
        if self.rows is not None and other.rows is not None:
            self._keep(self.rows, other.rows)

    def _keep(self, own: Tensor, new: Tensor) -> None:
        if own.shape[1] != new.shape[1]:
            own, new = own.reshape(-1, 1), new.reshape(-1, 1)
        rows = torch.cat([own, new[:: self.stride]])
        while rows.shape[0] > MOST_ROWS:
            rows, self.stride = rows[::2].clone(), self.stride * 2
        self.rows = rows

    def cost(self) -> float | None:
        """Returns what the best constant predictions cost; ``None`` where the targets are none that could be learned.

        Targets that are the same all over each batch belong to no task but to a part of one, as those of the
        discriminator of a GAN. Waits for the device.
        """
        if self.bounds is None:
            return None
        doubt, below, high, spread = self.bounds.tolist()
        low = -below
        parts = self.parts.to("cpu", torch.float64)
        if not doubt <= 0.0 or (self.form != CLASSES and not spread > 0.0):
            return None
        if self.form == CLASSES:
            return _entropy(parts[0].clamp_min(0.0))
        if self.form == SQUARES:
            weight, total, squares = parts
            return float((squares - total * total / weight).clamp_min(0.0).nan_to_num().sum())
        if self.form == BINARY:
            return sum(_entropy(column) for column in parts.t()) if low >= 0.0 and high <= 1.0 else None
        return None if self.rows is None else self._search(parts[0], self.rows.to("cpu", torch.float64))

    def _search(self, weights: Tensor, rows: Tensor) -> float:
        each = error(self.form)
        if self.form == L1:
            best = rows.median(0).values
        else:
            low, high = rows.amin(0), rows.amax(0)
            for _ in range(SEARCH):
                a, b = low + (high - low) / 3, high - (high - low) / 3
                left = each(rows - a).mean(0) < each(rows - b).mean(0)
                low, high = torch.where(left, low, a), torch.where(left, b, high)
            best = (low + high) / 2
        means = each(rows - best).mean(0)
        return float((weights * means).sum() if weights.shape == means.shape else weights.sum() * means.mean())


def error(form: Form) -> Callable[[Tensor], Tensor]:
    """Returns what a form of loss makes of differences, each by itself."""
    if form == SQUARES:
        return torch.square
    if form == L1:
        return torch.abs
    if form.name == "huber":
        return lambda d: F.huber_loss(d, torch.zeros_like(d), reduction="none", delta=form.knee)
    return lambda d: F.smooth_l1_loss(d, torch.zeros_like(d), reduction="none", beta=form.knee)


def _entropy(weights: Tensor) -> float:
    """Returns what it costs to guess the shares of classes, times the weight of all."""
    total = weights.sum()
    return float(-torch.xlogy(weights, weights / total).sum()) if float(total) > 0.0 else 0.0
