"""Forward passes, which tell when a step begins, how large its batch is and in which order modules are called."""

from __future__ import annotations

import math
from typing import Any, Callable, NamedTuple

import torch
from torch import Tensor, nn

from .hooks import Hook
from .target import Target


class InputSize(NamedTuple):
    """The first batch, as the model gets it."""

    #: Numbers of a sample.
    columns: int = 0
    #: Their root mean square; NaN where it is not known.
    rms: float = math.nan


class Passes:
    """Watches the forward passes of a training step; those that evaluate are none of its."""

    def __init__(self, target: Target, begin: Callable[[], None]) -> None:
        """``begin`` is called by every pass that may belong to a step, before anything is computed."""
        self._begin = begin
        #: Samples that have gone through the model since :meth:`take_samples`.
        self.samples = 0
        self._is_first_step = True
        self.input_size = InputSize()
        #: The places of modules, by their paths, in the order of their first calls.
        self.called: dict[str, int] = {}
        self._hook = target.outer.register_forward_pre_hook(Hook(self._forward))
        self._order_hooks = [
            module.register_forward_pre_hook(Hook(self._call(path)))
            for path, module in target.model.named_modules()
            if path
        ]

    def take_samples(self) -> int:
        """Returns the samples of the step, and begins to count those of the next."""
        samples, self.samples = self.samples, 0
        return samples

    def end_first_step(self) -> None:
        """Stops looking at what the first step tells: the order of calls and the size of inputs."""
        self._is_first_step = False
        for hook in self._order_hooks:
            hook.remove()
        self._order_hooks = []

    def remove(self) -> None:
        """Leaves the model as it was."""
        self.end_first_step()
        self._hook.remove()

    def _call(self, path: str) -> Callable[[nn.Module, Any], None]:
        def hook(module: nn.Module, inputs: Any) -> None:
            if torch.is_grad_enabled():
                self.called.setdefault(path, len(self.called))

        return hook

    def _forward(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if is_compiling() or not module.training or not torch.is_grad_enabled():
            return
        self._begin()
        first = next((x for x in inputs if isinstance(x, Tensor) and x.dim() > 0), None)
        if first is None:
            return
        self.samples += int(first.shape[0])
        if self._is_first_step and math.isnan(self.input_size.rms) and first.dim() > 1:
            square = float(first.detach().double().square().mean()) if first.is_floating_point() else math.nan
            rms = math.sqrt(square) if square >= 0.0 else math.nan
            self.input_size = InputSize(math.prod(first.shape[1:]), rms)


#: Tells whether what runs is being compiled; where torch cannot tell, it does not compile.
is_compiling: Callable[[], bool] = getattr(getattr(torch, "compiler", None), "is_compiling", lambda: False)
