"""The model that is recorded, found inside of whatever wraps it."""

from __future__ import annotations

import warnings
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from .layers import Layer, find


class Target:
    """A model with its layers and trainable parameters.

    ``ValueError`` where there is nothing to watch: no module, no layer with a weight, every parameter frozen, or lazy
    layers that have no weights yet.
    """

    def __init__(self, model: Any) -> None:
        if not isinstance(model, nn.Module):
            raise ValueError(f"watch() takes a torch.nn.Module, not {type(model).__name__}")
        #: The model as the script calls it.
        self.outer = model
        #: Whether it is compiled: what is compiled is run as a whole, and no hook sees into it.
        self.is_compiled = False
        inner: Any = model
        while isinstance(inner, nn.parallel.DistributedDataParallel) or hasattr(inner, "_orig_mod"):
            self.is_compiled |= hasattr(inner, "_orig_mod")
            inner = inner._orig_mod if hasattr(inner, "_orig_mod") else inner.module
        self.model: nn.Module = inner
        self.layers: list[Layer] = find(self.model)
        if not self.layers:
            raise ValueError("the model has no layer with a weight: there is nothing to watch")
        self.parameters: list[Tensor] = [p for p in self.model.parameters() if p.requires_grad]
        if not self.parameters:
            raise ValueError("every parameter of the model is frozen: there is nothing to watch")
        if any(isinstance(p, UninitializedParameter) for p in self.model.parameters()):
            raise ValueError("the model has lazy layers: run a batch through it before it is watched")
        self._replacement_was_told = False

    def size(self) -> int:
        """Returns the number of values in all parameters, frozen ones among them."""
        return sum(p.numel() for p in self.model.parameters())

    def dropout(self) -> list[float]:
        """Returns the probabilities of the model's dropout modules."""
        return [m.p for m in self.model.modules() if isinstance(m, nn.modules.dropout._DropoutNd)]

    def warn_of_replaced_layers(self, stacklevel: int) -> None:
        """Warns, once, of layers that others were put in place of: those are not watched."""
        own = {id(p) for p in self.model.parameters()}
        gone = [layer.name for layer in self.layers if id(layer.weight) not in own]
        if gone and not self._replacement_was_told:
            self._replacement_was_told = True
            names = ", ".join(gone)
            told = f"gradscope: the model no longer has the weights of {names}; watch it anew"
            warnings.warn(told, stacklevel=stacklevel + 1)
