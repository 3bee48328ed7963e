"""Norms of the steps, kept on the model's device until a capture point."""

import math
from statistics import median
from typing import Any, Callable, Dict, List, Optional, Sequence

import torch
from torch import Tensor

from .device import PIECE, Numbers, fetched, known_at_once, together, wide, workspace
from .layers import Layer
from .rows import l2


def norms(tensors: Sequence[Tensor]) -> List[Tensor]:
    """L2 norms, each a scalar on its device, in float32 at least."""
    together = getattr(torch, "_foreach_norm", None)
    if together is not None and all(t.device.type == "cuda" and t.dtype == torch.float32 for t in tensors):
        return list(together(list(tensors), 2)) if tensors else []
    return [l2(t, torch.float32 if t.dtype in HALF else None) for t in tensors]


def dense(gradient: Tensor) -> Tensor:
    """The values of a gradient that may be sparse."""
    return gradient.coalesce().values() if gradient.is_sparse else gradient


#: Types too short for a sum.
HALF = (torch.float16, torch.bfloat16)


class Step:
    """One step, with its numbers as they come until :meth:`Meter.fetch`."""

    def __init__(self, number: int, rows: int, weighed: bool) -> None:
        self.number, self.rows, self.weighed = number, rows, weighed
        self.scaled = False
        #: Whether a capture measures ‖W‖ and ‖ΔW‖ of this step.
        self.captured = False
        #: The loss, then the gradients of every parameter; weights; updates, then shrinking.
        self.first: Numbers = []
        self.before: Numbers = []
        self.after: Numbers = []
        # Fetched.
        self.loss = math.nan
        self.gradients: List[float] = []
        self.weights: List[float] = []
        self.updates: List[float] = []
        self.shrinking: List[float] = []


class Meter:
    """Measures steps around the optimizer's update."""

    def __init__(self, layers: List[Layer], parameters: List[Tensor], decay: bool) -> None:
        self.layers, self.parameters, self.decay = layers, parameters, decay
        self.weights = [layer.weight for layer in layers]
        self.device = self.weights[0].device
        #: Places of the layers' weights among the parameters.
        place = {id(p): k for k, p in enumerate(parameters)}
        self.places = [place.get(id(layer.weight)) for layer in layers]
        self.zero = torch.zeros((), device=self.device)
        self.copies: List[Tensor] = []
        self.steps: List[Step] = []

    def before(self, step: Step, loss: Any, inverse: Optional[Tensor]) -> None:
        """After backward and before the update."""
        gradients = [p.grad for p in self.parameters]
        found = norms([dense(g) for g in gradients if g is not None])
        if inverse is not None:
            found = [n.float() * inverse.to(n.device) for n in found]
        if not isinstance(loss, Tensor):
            loss = torch.tensor(float(loss), dtype=torch.float32, device=self.device)
        value = loss.detach()
        if value.dim() > 0:
            value = value.float().mean()
        remaining = iter(found)
        own = [self.zero if g is None else next(remaining) for g in gradients]
        step.first = together([value, *own])
        if step.weighed:
            weights = [w.detach() for w in self.weights]
            if not step.captured:
                step.before = together(norms(weights))
            if self.copies:
                for copy, weight in zip(self.copies, weights):
                    copy.copy_(weight)
            else:
                self.copies = [w.clone(memory_format=torch.preserve_format) for w in weights]
        self.steps.append(step)

    def after(self, step: Step, see: Optional[Callable[[int, Tensor], None]]) -> None:
        """Once the update has been made; lets it be seen layer by layer, while it is still in the processor's cache."""
        if not step.weighed:
            return
        shrinking: List[Tensor] = []
        for index, (copy, weight) in enumerate(zip(self.copies, self.weights)):
            if self.decay:
                shrinking.append(-along(copy, weight.detach()))
            torch.sub(weight.detach(), copy, out=copy)
            if see is not None:
                see(index, copy)
        own = [] if step.captured else norms(self.copies)
        step.after = together([*own, *shrinking])

    def fetch(self) -> List[Step]:
        """The steps since the last time, with their numbers: the one place that waits for the device."""
        steps, self.steps = self.steps, []
        numbers = iter(fetched([n for s in steps for n in (s.first, s.before, s.after)]))
        count = len(self.layers)
        for step in steps:
            first, before, after = next(numbers), next(numbers), next(numbers)
            step.loss, step.gradients = first[0], first[1:]
            if not step.captured:
                step.weights, step.updates, after = before, after[:count], after[count:]
            step.shrinking = [cosine(*of) for of in zip(after, step.updates, step.weights)]
            step.first = step.before = step.after = []
        return steps

    def layer_gradients(self, step: Step) -> List[float]:
        """‖g‖ of every layer's weight."""
        return [0.0 if k is None else step.gradients[k] for k in self.places]

    def total_gradient(self, step: Step) -> float:
        """‖g‖ of all parameters."""
        return math.sqrt(sum(g * g for g in step.gradients)) if step.gradients else 0.0


def along(before: Tensor, after: Tensor) -> Tensor:
    """The inner product of what a tensor was and how it has changed; on the processor in float32, pairwise, and the
    sums of pieces in float64."""
    before, after = before.reshape(-1), after.reshape(-1)
    if not known_at_once(before.device) or before.dtype != torch.float32:
        own = before.to(wide(before))
        return torch.dot(own, after.to(own.dtype) - own)
    sums = []
    for own, now in zip(before.split(PIECE), after.split(PIECE)):
        change = torch.sub(now, own, out=workspace(own.numel(), own.dtype))
        sums.append(change.mul_(own).sum().item())
    return torch.tensor(math.fsum(sums), dtype=torch.float64, device="cpu")


def cosine(product: float, a: float, b: float) -> float:
    """Of the angle between two vectors with this inner product and these norms."""
    sizes = a * b
    return min(max(product / sizes, -1.0), 1.0) if sizes > 0.0 and math.isfinite(product) else math.nan


class Spreads:
    """Smallest, median and largest norms of the steps of an epoch."""

    def __init__(self, layers: int) -> None:
        names = ("weight_l2", "grad_l2", "update_l2", "shrinking")
        self.seen: Dict[str, List[List[float]]] = {name: [[] for _ in range(layers)] for name in names}

    def add(self, gradients: List[float], step: Step) -> None:
        """Takes in a step; of most, gradients alone are known."""
        for of_layers, values in zip(self.seen.values(), (step.weights, gradients, step.updates, step.shrinking)):
            for seen, value in zip(of_layers, values):
                if math.isfinite(value):
                    seen.append(value)

    def lines(self) -> List[Dict[str, Any]]:
        """As they stand in a record; a norm of which no value was finite is ``null``."""
        found: List[Dict[str, Any]] = []
        for of_layer in zip(*self.seen.values()):
            line: Dict[str, Any] = {}
            for name, values in zip(self.seen, of_layer):
                if values:
                    line[name] = {"min": min(values), "median": median(values), "max": max(values)}
                elif name != "shrinking":
                    line[name] = None
            found.append(line)
        return found
