"""Tells whether a step is measured at its place: after backward, before the optimizer."""

from __future__ import annotations

from typing import Sequence

import torch
from torch import Tensor

from .layers import Layer

_PLACE = "call it after loss.backward() and before clipping, optimizer.step() and zero_grad()"


class OrderError(RuntimeError):
    """``scope.step(loss)`` was called where there is nothing to be measured any more."""


class OrderCheck:
    """Remembers how often parameters were written to, to tell whether an optimizer has moved them."""

    def __init__(self, parameters: Sequence[Tensor], layers: Sequence[Layer]) -> None:
        self._parameters, self._layers = parameters, layers
        #: At the last forward pass.
        self._versions: int | None = None
        #: Before the first step; some optimizers move weights without a trace, and looking is affordable once.
        self._first_weights: list[Tensor] = []

    def note_pass(self) -> None:
        """Remembers the parameters as a forward pass finds them."""
        self._versions = self._count()

    def keep_weights(self) -> None:
        """Remembers the weights themselves, until the next check."""
        self._first_weights = [layer.weight.detach().clone() for layer in self._layers]

    def check(self) -> None:
        """Raises :class:`OrderError` unless there are gradients that no optimizer has used yet."""
        if all(p.grad is None for p in self._parameters):
            raise OrderError(f"scope.step(loss) found no gradient: {_PLACE}")
        first, self._first_weights = self._first_weights, []
        moved = self._versions is not None and self._versions != self._count()
        if moved or any(not _same(a, b.weight.detach()) for a, b in zip(first, self._layers)):
            raise OrderError(f"scope.step(loss) came after optimizer.step(): {_PLACE}")

    def _count(self) -> int:
        return sum(p._version for p in self._parameters)


def _same(a: Tensor, b: Tensor) -> bool:
    return torch.equal(a.nan_to_num(), b.nan_to_num())
