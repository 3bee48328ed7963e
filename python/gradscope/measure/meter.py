"""Norms of the steps, kept on the model's device until a capture point."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Callable, NamedTuple, Sequence

import torch
from torch import Tensor

from ..model.layers import Layer
from ..plan import StepPlan
from .capture import Capture
from .device import PIECE, Numbers, fetched, known_at_once, together, wide, workspace
from .rows import l2

#: Types too short for a sum.
HALF = (torch.float16, torch.bfloat16)


@dataclass
class PendingStep:
    """A step after backward: its update is known when the next one begins, its numbers once they are fetched."""

    plan: StepPlan
    #: Samples of its batch.
    samples: int
    #: Whether gradients carry a scale, so that the scaler may leave the step out.
    is_scaled: bool
    #: The loss, then the norms of the gradients of every parameter.
    gradients: Numbers
    #: Norms of the layers' weights, where no capture measures them.
    weights: Numbers = field(default_factory=list)
    #: Norms of the updates, where no capture measures them; then their inner products with the weights.
    updates: Numbers = field(default_factory=list)
    capture: Capture | None = None


class MeasuredStep(NamedTuple):
    """The numbers of a step, those of layers in their order in the model."""

    number: int
    samples: int
    is_scaled: bool
    loss: float
    #: ‖g‖ of all parameters.
    grad_l2: float
    gradients: list[float]
    #: Empty where no norms were planned, as the two that follow.
    weights: list[float]
    updates: list[float]
    #: cos(ΔW, −W); empty without weight decay, too.
    decay_alignment: list[float]
    capture: Capture | None


class Meter:
    """Measures steps around the optimizer's update."""

    def __init__(self, layers: list[Layer], parameters: list[Tensor], has_decay: bool) -> None:
        self.layers, self._parameters, self._has_decay = layers, parameters, has_decay
        self._weights = [layer.weight for layer in layers]
        self._device = self._weights[0].device
        #: Places of the layers' weights among the parameters.
        place = {id(p): k for k, p in enumerate(parameters)}
        self._places = [place.get(id(layer.weight)) for layer in layers]
        self._zero = torch.zeros((), device=self._device)
        #: The weights before the update, then the update.
        self._copies: list[Tensor] = []

    def before_update(self, plan: StepPlan, samples: int, loss: Any, inverse: Tensor | None) -> PendingStep:
        """Measures a step after backward; ``inverse`` is one over the scale that gradients still carry."""
        gradients = [p.grad for p in self._parameters]
        found = norms([_values(g) for g in gradients if g is not None])
        if inverse is not None:
            found = [n.float() * inverse.to(n.device) for n in found]
        if not isinstance(loss, Tensor):
            loss = torch.tensor(float(loss), dtype=torch.float32, device=self._device)
        value = loss.detach()
        if value.dim() > 0:
            value = value.float().mean()
        remaining = iter(found)
        own = [self._zero if g is None else next(remaining) for g in gradients]
        pending = PendingStep(plan, samples, inverse is not None, together([value, *own]))
        if plan.norms:
            weights = [w.detach() for w in self._weights]
            if not plan.is_captured:
                pending.weights = together(norms(weights))
            if self._copies:
                for copy, weight in zip(self._copies, weights):
                    copy.copy_(weight)
            else:
                self._copies = [w.clone(memory_format=torch.preserve_format) for w in weights]
        return pending

    def after_update(self, pending: PendingStep) -> None:
        """Measures the update, once it has been made; a capture is then whole."""
        capture = pending.capture
        if pending.plan.norms:
            pending.updates = self._measure_updates(None if capture is None else capture.see_update)
        if capture is not None:
            capture.finish()

    def _measure_updates(self, see: Callable[[int, Tensor], None] | None) -> Numbers:
        """Lets updates be seen layer by layer, while they are still in the processor's cache."""
        alignments: list[Tensor] = []
        for index, (copy, weight) in enumerate(zip(self._copies, self._weights)):
            if self._has_decay:
                alignments.append(-along(copy, weight.detach()))
            torch.sub(weight.detach(), copy, out=copy)
            if see is not None:
                see(index, copy)
        own = [] if see is not None else norms(self._copies)
        return together([*own, *alignments])

    def fetch(self, steps: Sequence[PendingStep]) -> list[MeasuredStep]:
        """Brings the numbers of steps over: the one place that waits for the device."""
        numbers = iter(fetched([n for s in steps for n in (s.gradients, s.weights, s.updates)]))
        return [self._measured(step, next(numbers), next(numbers), next(numbers)) for step in steps]

    def _measured(
        self, step: PendingStep, first: list[float], weights: list[float], updates: list[float]
    ) -> MeasuredStep:
        loss, of_parameters = first[0], first[1:]
        if step.capture is not None:
            weights, updates, products = step.capture.norms("weight"), step.capture.norms("update"), updates
        else:
            updates, products = updates[: len(self.layers)], updates[len(self.layers) :]
        gradients = [0.0 if k is None else of_parameters[k] for k in self._places]
        total = math.sqrt(sum(g * g for g in of_parameters)) if of_parameters else 0.0
        if step.is_scaled and not math.isfinite(total) and math.isfinite(loss):
            # The scaler leaves such a step out, and lowers its scale: nothing has broken.
            gradients, total = [math.nan] * len(gradients), math.nan
        alignment = [cosine(*of) for of in zip(products, updates, weights)]
        return MeasuredStep(
            number=step.plan.number,
            samples=step.samples,
            is_scaled=step.is_scaled,
            loss=loss,
            grad_l2=total,
            gradients=gradients,
            weights=weights,
            updates=updates,
            decay_alignment=alignment,
            capture=step.capture,
        )


def norms(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Returns L2 norms, each a scalar on its device, in float32 at least."""
    at_once = getattr(torch, "_foreach_norm", None)
    if at_once is not None and all(t.device.type == "cuda" and t.dtype == torch.float32 for t in tensors):
        return list(at_once(list(tensors), 2)) if tensors else []
    return [l2(t, torch.float32 if t.dtype in HALF else None) for t in tensors]


def _values(gradient: Tensor) -> Tensor:
    """Returns the values of a gradient that may be sparse."""
    return gradient.coalesce().values() if gradient.is_sparse else gradient


def along(before: Tensor, after: Tensor) -> Tensor:
    """Returns the inner product of a tensor and its change; on the processor in float32, pairwise, and the sums of
    pieces in float64."""
    before, after = before.reshape(-1), after.reshape(-1)
    if not known_at_once(before.device) or before.dtype != torch.float32:
        own = before.to(wide(before))
        return torch.dot(own, after.to(own.dtype) - own)
    sums = []
    pieces = before.split(PIECE), after.split(PIECE)  # type: ignore[no-untyped-call]
    for own, now in zip(*pieces):
        change = torch.sub(now, own, out=workspace(own.numel(), own.dtype))
        sums.append(change.mul_(own).sum().item())
    return torch.tensor(math.fsum(sums), dtype=torch.float64, device="cpu")


def cosine(product: float, a: float, b: float) -> float:
    """Returns the cosine of the angle between two vectors with this inner product and these norms."""
    sizes = a * b
    return min(max(product / sizes, -1.0), 1.0) if sizes > 0.0 and math.isfinite(product) else math.nan
