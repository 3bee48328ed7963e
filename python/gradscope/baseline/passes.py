"""The backward passes of a step: what they begin at, and the targets that are seen in them."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor

from .sums import Number, Sums, number
from .terms import Seen, Term, find_terms

#: The place of a term in its loss, the name of its form, and its classes.
Key = Tuple[int, str, int]


class SeenPass(NamedTuple):
    """A backward pass that has reached the model."""

    #: The number that it began at.
    root: Number
    #: What the terms add to it; ``None`` where that was not asked for.
    value: Number | None
    #: Tells that each term was seen, and once.
    is_whole: bool
    sums: dict[Key, Sums]

    def and_next(self, other: SeenPass) -> SeenPass:
        """Returns this pass and another as one of the sum of their losses."""
        sums = dict(self.sums)
        for key, own in other.sums.items():
            if key in sums:
                sums[key].add(own)
            else:
                sums[key] = own
        value = None if self.value is None or other.value is None else self.value + other.value
        return SeenPass(self.root + other.root, value, self.is_whole and other.is_whole, sums)


class Look:
    """Looks at a backward pass while it goes."""

    def __init__(self, parameters: Sequence[Tensor], roots: Sequence[Tensor], gradients: Sequence[Any] | None) -> None:
        self._parameters = parameters
        self._before = [_mark(parameter) for parameter in parameters]
        self._root = _number(roots, gradients)
        #: Held while the pass goes: torch 1.13 lets go of hooks that nothing but their own nodes holds.
        self._terms: list[Term] = []
        self._seen: list[tuple[int, Seen]] = []
        self._failed = False
        self._handles: list[Any] = []

    def begin(self, roots: Sequence[Tensor], valued: bool) -> None:
        """Puts hooks on the nodes of the terms; ``valued``: asks what these add to the loss."""
        self._terms = find_terms([root.grad_fn for root in roots if root.grad_fn is not None])
        for place, term in enumerate(self._terms):
            self._handles.append(term.node.register_hook(self._hook(place, term, valued)))

    def end(self) -> SeenPass | None:
        """Takes the hooks away; returns what was seen, where the pass has reached a parameter."""
        for handle in self._handles:
            handle.remove()
        self._handles, terms, self._terms = [], len(self._terms), []
        if all(mark == _mark(parameter) for mark, parameter in zip(self._before, self._parameters)):
            return None
        sums: dict[Key, Sums] = {}
        value: Number = 0.0
        is_valued = True
        for place, seen in self._seen:
            own = seen.sums
            sums[place, own.form.name, own.parts.shape[1] if own.form.name == "classes" else 0] = own
            is_valued = is_valued and seen.value is not None
            if seen.value is not None:
                value = value + number(seen.value)
        is_whole = not self._failed and len(self._seen) == len(sums) == terms
        return SeenPass(self._root, value if is_valued else None, is_whole, sums)

    def _hook(self, place: int, term: Term, valued: bool) -> Callable[[Any, Any], None]:
        def hook(_: Any, gradients: Any) -> None:
            try:
                with torch.no_grad():
                    self._seen.append((place, term.read(gradients[0].detach(), valued)))
            except Exception:
                self._failed = True

        return hook


def _number(roots: Sequence[Tensor], gradients: Sequence[Any] | None) -> Number:
    """Returns the number whose gradient is taken."""
    total: Number = 0.0
    for root, gradient in zip(roots, gradients or [None] * len(roots)):
        own = root.detach()
        if gradient is not None:
            own = (own * gradient.detach()).sum()
        total = total + number(own)
    return total


def _mark(parameter: Tensor) -> tuple[int, int] | None:
    """Returns what tells a gradient from the same after a pass has added to it."""
    gradient = parameter.grad
    return None if gradient is None else (id(gradient), gradient._version)
