"""Norms of the steps, kept on the model's device until a capture point."""

import math
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from .layers import Layer


def norms(tensors: Sequence[Tensor]) -> List[Tensor]:
    """L2 norms, each a scalar on its device."""
    together = getattr(torch, "_foreach_norm", None)
    plain = all(t.device.type == "cuda" and t.dtype == tensors[0].dtype for t in tensors)
    if together is not None and plain and tensors:
        return list(together(list(tensors), 2))
    return [torch.linalg.vector_norm(t) for t in tensors]


def dense(gradient: Tensor) -> Tensor:
    """The values of a gradient that may be sparse."""
    return gradient.coalesce().values() if gradient.is_sparse else gradient


class Step:
    """One step, with its numbers still on their device."""

    def __init__(self, number: int, rows: int, weighed: bool) -> None:
        self.number, self.rows, self.weighed = number, rows, weighed
        #: The loss, then the gradients of every parameter, then weights, updates and shrinking.
        self.first: Optional[Tensor] = None
        self.before: Optional[Tensor] = None
        self.after: Optional[Tensor] = None
        self.scaled = False
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
        self.place = {id(p): k for k, p in enumerate(parameters)}
        self.copies: List[Tensor] = []
        self.steps: List[Step] = []

    def before(self, step: Step, loss: Any, inverse: Optional[Tensor]) -> None:
        """After backward and before the update."""
        device = self.weights[0].device
        held = [(k, dense(p.grad)) for k, p in enumerate(self.parameters) if p.grad is not None]
        found = dict(zip((k for k, _ in held), norms([g for _, g in held])))
        missing = torch.zeros((), device=device)
        own = [found.get(k, missing).float().to(device) for k in range(len(self.parameters))]
        gradients = torch.stack(own) if own else torch.zeros(0, device=device)
        if inverse is not None:
            gradients = gradients * inverse.to(device)
        value = loss.detach() if isinstance(loss, Tensor) else torch.tensor(float(loss))
        value = value.reshape(-1).mean().float().to(device, non_blocking=True)
        step.first = torch.cat([value.reshape(1), gradients])
        if step.weighed:
            weights = [w.detach() for w in self.weights]
            step.before = torch.stack([n.float().to(device) for n in norms(weights)])
            if self.copies:
                for copy, weight in zip(self.copies, weights):
                    copy.copy_(weight)
            else:
                self.copies = [w.clone(memory_format=torch.preserve_format) for w in weights]
        self.steps.append(step)

    def after(self, step: Step) -> List[Tensor]:
        """Once the update has been made; gives the updates, which are valid until the next step."""
        if not step.weighed:
            return []
        device = self.weights[0].device
        shrinking: List[Tensor] = []
        for copy, weight in zip(self.copies, self.weights):
            if self.decay:
                own, change = copy.reshape(-1).double(), (weight.detach() - copy).reshape(-1).double()
                size = torch.linalg.vector_norm(change) * torch.linalg.vector_norm(own)
                shrinking.append((-torch.dot(own, change) / size).float().to(device))
            torch.sub(weight.detach(), copy, out=copy)
        sizes = [n.float().to(device) for n in norms(self.copies)]
        step.after = torch.stack(sizes + shrinking)
        return self.copies

    def fetch(self) -> List[Step]:
        """The steps since the last time, with their numbers: the one place that waits for the device."""
        steps, self.steps = self.steps, []
        parts = [part for s in steps for part in (s.first, s.before, s.after) if part is not None]
        numbers = torch.cat(parts).tolist() if parts else []
        at = 0

        def take(part: Optional[Tensor]) -> List[float]:
            nonlocal at
            length = 0 if part is None else part.numel()
            at += length
            return numbers[at - length : at]

        for step in steps:
            first, step.weights, after = take(step.first), take(step.before), take(step.after)
            step.loss, step.gradients = first[0], first[1:]
            count = len(self.layers)
            step.updates, step.shrinking = after[:count], after[count:]
            step.first = step.before = step.after = None
        return steps

    def layer_gradients(self, step: Step) -> List[float]:
        """‖g‖ of every layer's weight."""
        return [step.gradients[self.place[id(w)]] if id(w) in self.place else 0.0 for w in self.weights]

    def total_gradient(self, step: Step) -> float:
        """‖g‖ of all parameters."""
        return math.sqrt(sum(g * g for g in step.gradients)) if step.gradients else 0.0


def row_deviation(matrix: Tensor) -> Optional[Tensor]:
    """The largest distance of a row from the mean row, and the norm of that; ``None`` for single rows.

    Counted from the first row: rows that are equal are then exactly equal.
    """
    if matrix.dim() < 2 or matrix.shape[0] < 2:
        return None
    rows = matrix.detach().reshape(matrix.shape[0], -1).float()
    apart = rows - rows[:1]
    mean = apart.mean(0)
    apart -= mean
    largest = torch.linalg.vector_norm(apart, dim=1).max()
    return torch.stack([largest, torch.linalg.vector_norm(rows[0] + mean)])


def relative(largest: float, norm: float) -> float:
    """What became of :func:`row_deviation`."""
    if not math.isfinite(norm):
        return math.nan
    if largest == 0.0:
        return 0.0
    return largest / norm if norm > 0.0 else math.inf


class Spreads:
    """Smallest, median and largest norms of the steps of an epoch."""

    NAMES = ("weight_l2", "grad_l2", "update_l2", "shrinking")

    def __init__(self, layers: int) -> None:
        self.seen: List[Dict[str, List[float]]] = [{name: [] for name in self.NAMES} for _ in range(layers)]

    def add(self, gradients: List[float], step: Step) -> None:
        """Takes in a step."""
        for index, seen in enumerate(self.seen):
            own: List[Tuple[str, List[float]]] = [
                ("weight_l2", step.weights),
                ("grad_l2", gradients),
                ("update_l2", step.updates),
                ("shrinking", step.shrinking),
            ]
            for name, values in own:
                if index < len(values) and math.isfinite(values[index]):
                    seen[name].append(values[index])

    def lines(self) -> List[Dict[str, Any]]:
        """As they stand in a record; a norm of which no value was finite is ``null``."""
        found = []
        for seen in self.seen:
            line: Dict[str, Any] = {}
            for name, values in seen.items():
                if values:
                    ordered = sorted(values)
                    half = len(ordered) // 2
                    median = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
                    line[name] = {"min": ordered[0], "median": median, "max": ordered[-1]}
                elif name != "shrinking":
                    line[name] = None
            found.append(line)
        return found
