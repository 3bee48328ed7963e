"""Watches ``torch.autograd.backward``, which every way to begin a backward pass goes through."""

from __future__ import annotations

import functools
import threading
from contextlib import suppress
from typing import Any, Callable, Sequence

import torch
from torch import Tensor

from ..model.passes import is_compiling

#: Is called before a pass with the tensors it begins at and their gradients, if there are any; what it returns is
#: called after it.
Listener = Callable[[Sequence[Tensor], "Sequence[Any] | None"], Callable[[], None]]


class BackwardWatch:
    """A wrap of ``torch.autograd.backward`` that is there for as long as someone listens.

    What a listener raises reaches nobody. Where others have wrapped the function meanwhile, theirs is left alone, and
    what is under it just passes calls on.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []
        #: What was put in the function's place, as long as it may be called.
        self._wrap: Callable[..., Any] | None = None
        self._original: Callable[..., Any] = torch.autograd.backward

    def add(self, listener: Listener) -> None:
        """Lets a listener know of every pass from here on."""
        with self._lock:
            self._listeners = [*self._listeners, listener]
            if self._wrap is None:
                self._original = torch.autograd.backward
                self._wrap = torch.autograd.backward = self._wrapped(self._original)

    def remove(self, listener: Listener) -> None:
        """Leaves a listener alone; without any, the function is what it was."""
        with self._lock:
            self._listeners = [one for one in self._listeners if one != listener]
            if not self._listeners and self._wrap is not None and torch.autograd.backward is self._wrap:
                torch.autograd.backward = self._original
                self._wrap = None

    def _wrapped(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def backward(*args: Any, **named: Any) -> Any:
            ends = [] if is_compiling() else self._begin(*args, **named)
            try:
                return original(*args, **named)
            finally:
                for end in ends:
                    with suppress(Exception):
                        end()

        return backward

    def _begin(self, tensors: Any = (), grad_tensors: Any = None, *_: Any, **__: Any) -> list[Callable[[], None]]:
        ends = []
        roots = [tensors] if isinstance(tensors, Tensor) else None
        gradients = [grad_tensors] if isinstance(grad_tensors, Tensor) else grad_tensors
        for listener in self._listeners:
            with suppress(Exception):
                ends.append(listener(list(tensors) if roots is None else roots, gradients))
        return ends


#: The one of this process.
BACKWARD = BackwardWatch()
