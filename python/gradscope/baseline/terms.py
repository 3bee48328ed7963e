"""Finds the terms of a loss in its graph, and reads their targets while they are passed backward.

A loss is followed from its root through operations that are linear. What they end at is a term, or nothing that is
known. A term is looked at by a hook on its node: there the node's saved tensors are still alive, and the gradient of
its output is the factor that the loss has it with, coefficients, reductions and scales all included.

Of cross-entropies the node is that of the logarithm of probabilities, whose gradient **is** the targets: their weights,
classes that are ignored, smoothed and soft labels, and those picked by hand all come out of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Callable, NamedTuple, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..measure.device import wide
from ..model.graph import name_of
from .sums import BINARY, CLASSES, L1, MOST_COLUMNS, MOST_ROWS, SQUARES, Form, Sums, error

Node = Any

#: Nodes that are looked at, and terms that a loss has, at most.
MOST_NODES, MOST_TERMS = 512, 64
#: Where a model's output keeps its values, in the metadata of its node: they live as long as the graph does.
OUTPUT = "gradscope.output"
#: Operations that leave values and their order as they are.
VIEWS = {
    "View",
    "UnsafeView",
    "_UnsafeView",
    "Reshape",
    "ReshapeAlias",
    "_ReshapeAlias",
    "Squeeze",
    "Unsqueeze",
    "Alias",
    "Clone",
    "ToCopy",
    "_ToCopy",
    "Contiguous",
}
#: Operations that are linear in all that they are given: reductions and sums;
SUMS = {"Mean", "Sum", "Nansum", "Add", "Sub", "Rsub", "Neg", "NllLoss", "NllLoss2D", "NllLossNd"}
#: choices of places;
PICKS = {
    "Select",
    "Slice",
    "Index",
    "IndexSelect",
    "Gather",
    "Take",
    "MaskedSelect",
    "MaskedFill",
    "IndexPut",
    "Where",
    "NanToNum",
    "Diagonal",
}
#: arrangements.
LAYOUTS = {
    "T",
    "Transpose",
    "Permute",
    "Expand",
    "Repeat",
    "Stack",
    "Cat",
    "Unbind",
    "Split",
    "SplitWithSizes",
    "Flatten",
}
LINEAR = VIEWS | SUMS | PICKS | LAYOUTS
#: Operations that are linear in one, where the other is a constant.
PRODUCTS = {"Mul", "Div", "Dot", "Mv", "Mm", "Bmm"}
#: Terms that are a node of their own.
FUSED = {
    "MseLoss": "squares",
    "SmoothL1Loss": "smooth-l1",
    "HuberLoss": "huber",
    "BinaryCrossEntropy": "binary",
    "BinaryCrossEntropyWithLogits": "binary",
}
#: As the nodes of losses save it.
MEAN, SUM = 1, 2
#: Largest part of a row's weight that another row of its class may have more or less, and that may have a wrong sign.
UNEVEN, NEGATIVE = 0.01, 1e-4


class Seen(NamedTuple):
    """The targets of a term in one pass, and where it was asked for what the term adds to the loss."""

    sums: Sums
    value: Tensor | None


@dataclass(frozen=True)
class Term:
    """A node of the graph of a loss, and how it is read when the gradient of its output has come."""

    node: Node
    #: ``(gradient, whether the value is asked for)``; only while the node is passed.
    read: Callable[[Tensor, bool], Seen]


def find_terms(roots: Sequence[Node]) -> list[Term]:
    """Returns the terms of a loss; none where they are too many to be looked at."""
    found: list[Term] = []
    waiting, seen = list(roots), set(roots)
    while waiting:
        node = waiting.pop()
        name = _name(node)
        term = _term(node, name)
        if term is not None:
            found.append(term)
            continue
        if not _is_linear(node, name):
            continue
        for used, _ in node.next_functions:
            if used is not None and used not in seen:
                seen.add(used)
                waiting.append(used)
        if len(seen) > MOST_NODES or len(found) > MOST_TERMS:
            return []
    return found


def mark_outputs(output: Any) -> None:
    """Leaves the values of a model's output with its node, for losses that are written by hand."""
    waiting, left = [output], 16
    while waiting and left > 0:
        left -= 1
        one = waiting.pop()
        if isinstance(one, Tensor):
            if one.grad_fn is not None and one.is_floating_point():
                metadata: Any = one.grad_fn.metadata
                metadata[OUTPUT] = (one.detach(), one._version)
        elif isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, (list, tuple)):
            waiting += one


@lru_cache(maxsize=None)
def _operation(name: str) -> str:
    class Named:
        def name(self) -> str:
            return name

    return name_of(Named())


def _name(node: Node) -> str:
    return _operation(node.name())


def _used(node: Node) -> list[Node]:
    return [used for used, _ in node.next_functions]


def _is_linear(node: Node, name: str) -> bool:
    if name in PRODUCTS:
        used = _used(node)
        return len([one for one in used if one is not None]) == 1 and (name != "Div" or used[0] is not None)
    return name in LINEAR


def _term(node: Node, name: str) -> Term | None:
    if name == "LogSoftmax":
        return Term(node, lambda gradient, valued: _classes(node, gradient, node._saved_result, valued))
    if name == "Log" and _is_softmax(node):
        return Term(node, lambda gradient, valued: _classes(node, gradient, node._saved_self.log(), valued))
    if name in FUSED:
        used = _used(node)
        if any(one is not None for one in used[1:]):
            # The target is computed by something that learns, too.
            return None
        return Term(node, lambda gradient, valued: _fused(node, name, gradient, valued))
    return _by_hand(node, name)


def _is_softmax(node: Node) -> bool:
    """Tells whether a logarithm is taken of a softmax, whatever keeps it from zero."""
    at = _used(node)[0]
    while at is not None and (_name(at) in VIEWS or _name(at).startswith("Clamp") or _name(at) == "Add"):
        at = next((one for one in _used(at) if one is not None), None)
    return at is not None and _name(at) == "Softmax"


def _softmax_dim(node: Node, dims: int) -> int:
    while _name(node) not in ("LogSoftmax", "Softmax"):
        node = next(one for one in _used(node) if one is not None)
    dim = int(node._saved_dim)
    # A negative number is handed out without its sign.
    return (dim - 2**64 if dim >= 2**63 else dim) % dims


def _classes(node: Node, gradient: Tensor, logs: Tensor, valued: bool) -> Seen:
    """Reads the targets of a cross-entropy: minus the gradient of the logarithms of probabilities."""
    gradient, logs = gradient.detach(), logs.detach()
    dim = _softmax_dim(node, gradient.dim())
    others = [d for d in range(gradient.dim()) if d != dim]
    kind = wide(gradient)
    counts = gradient.sum(others, dtype=kind) if others else gradient.to(kind)
    count, rows = gradient.shape[dim], gradient.numel() // max(gradient.shape[dim], 1)
    sums = Sums(CLASSES, counts.neg().unsqueeze(0), is_square=abs(count - rows) <= 1)
    if not valued:
        return Seen(sums, None)
    # Classes that are ruled out have no targets, and a logarithm of minus infinity.
    value = torch.where(gradient == 0, torch.zeros_like(gradient), gradient * logs).sum(dtype=kind)
    zero = torch.zeros_like(value)
    sums.bounds = torch.stack([_doubt_of_classes(gradient, dim, count), zero, zero, zero])
    return Seen(sums, value)


def _doubt_of_classes(gradient: Tensor, dim: int, count: int) -> Tensor:
    """Returns more than zero where rows of the same class weigh differently, or some weigh less than nothing: what a
    policy gradient does, and no loss with targets."""
    kind = wide(gradient)
    weights = gradient.sum(dim, dtype=kind).neg().reshape(-1)
    largest = weights.abs().amax()
    negative = (gradient.amax() > NEGATIVE * largest) | (weights.amin() < -NEGATIVE * largest)
    place = gradient.argmin(dim).reshape(-1)
    counted = (weights.abs() > NEGATIVE * largest).to(kind)
    total = torch.stack([weights * counted, counted])
    total = torch.zeros(2, count, dtype=kind, device=weights.device).index_add_(1, place, total)
    mean = (total[0] / total[1].clamp_min(1.0))[place]
    uneven = ((weights - mean) * counted).abs().amax() > UNEVEN * largest
    return (negative | uneven).to(kind)


def _fused(node: Node, name: str, gradient: Tensor, valued: bool) -> Seen:
    """Reads the targets of a loss that is one operation."""
    prediction, target = node._saved_self.detach(), node._saved_target.detach()
    form = Form(FUSED[name], _knee(node, name))
    reduction = int(node._saved_reduction)
    weight = gradient.detach()
    if reduction == MEAN:
        weight = weight / max(target.numel(), 1)
    if form.name == "binary":
        return _binary(node, name, prediction, target, weight, valued)
    each = error(form)
    value = _weighted(each((prediction - target).to(wide(prediction))), weight) if valued else None
    return Seen(_columns(form, target, weight, _own_shape(node, target), valued), value)


def _knee(node: Node, name: str) -> float:
    if name == "SmoothL1Loss":
        return float(node._saved_beta)
    return float(node._saved_delta) if name == "HuberLoss" else 1.0


def _own_shape(node: Node, target: Tensor) -> Sequence[int]:
    """Returns the shape of the prediction before it was broadcast to that of the targets."""
    before = _used(node)[0]
    if before is not None and _name(before) == "Expand":
        for name in ("_saved_self_sym_sizes", "_saved_self_sizes"):
            if hasattr(before, name):
                return [int(size) for size in getattr(before, name)]
    return list(target.shape)


def _binary(node: Node, name: str, prediction: Tensor, target: Tensor, weight: Tensor, valued: bool) -> Seen:
    """Reads the targets of a binary cross-entropy."""
    kind = wide(target)
    own, with_logits = node._saved_weight, name == "BinaryCrossEntropyWithLogits"
    if own is not None:
        weight = weight * own.detach()
    positive = node._saved_pos_weight if with_logits else None
    columns = _width(_own_shape(node, target), target)
    rows = target.reshape(-1, columns).to(kind)
    each = _rows(weight, target, columns).to(kind)
    ones, zeros = each * rows, each * (1.0 - rows)
    if positive is not None:
        ones = ones * _rows(positive.detach(), target, columns).to(kind)
    value = None
    if valued:
        shape = target.shape
        if with_logits:
            log_one, log_zero = F.logsigmoid(prediction), F.logsigmoid(-prediction)
        else:
            # As torch bounds them.
            log_one, log_zero = prediction.log().clamp_min(-100.0), (-prediction).log1p().clamp_min(-100.0)
        value = -(ones.reshape(shape) * log_one + zeros.reshape(shape) * log_zero).sum(dtype=kind)
    sums = torch.stack([ones.sum(0), zeros.sum(0)])
    return Seen(Sums(BINARY, sums, _bounds(rows, _doubt(weight, False) if valued else None)), value)


def _columns(form: Form, target: Tensor, weight: Tensor, own: Sequence[int], checked: bool) -> Sums:
    """Adds up targets by the columns of the prediction; ``weight`` is one for all, or one for each."""
    kind = wide(target)
    columns = _width(own, target)
    rows = target.reshape(-1, columns).to(kind)
    if weight.dim() == 0:
        scale = weight.to(kind)
        total = rows.new_full((columns,), rows.shape[0])
        weighted = rows
    else:
        scale = None
        each = _rows(weight, target, columns).to(kind)
        total, weighted = each.sum(0), rows * each
    parts = [total]
    if form == SQUARES:
        parts += [weighted.sum(0), (weighted * rows).sum(0)]
    stacked = torch.stack(parts)
    sums = Sums(form, stacked if scale is None else stacked * scale)
    if checked:
        sums.bounds = _bounds(rows, _doubt(weight, form != SQUARES))
    if form != SQUARES:
        stride = -(-rows.shape[0] // MOST_ROWS)
        sums.rows = rows[::stride, :: -(-columns // MOST_COLUMNS)].clone()
    return sums


def _width(own: Sequence[int], target: Tensor) -> int:
    """Returns the columns of a prediction: all but its first dimension, where targets have these last."""
    columns = 1
    for size in own[1:]:
        columns *= size
    tail = list(target.shape)[target.dim() - len(own) + 1 :] if len(own) > 1 else []
    return columns if columns > 0 and tail == list(own[1:]) else 1


def _rows(weight: Tensor, target: Tensor, columns: int) -> Tensor:
    return weight if weight.dim() == 0 else weight.expand(target.shape).reshape(-1, columns)


def _bounds(rows: Tensor, doubt: Tensor | None) -> Tensor:
    low, high = rows.amin(), rows.amax()
    # Of very few it cannot be told that they are always the same.
    spread = high - low if rows.numel() >= 4 else torch.ones_like(low)
    return torch.stack([torch.zeros_like(low) if doubt is None else doubt.to(low), -low, high, spread])


def _doubt(weight: Tensor, is_even: bool) -> Tensor:
    """Returns more than zero where weights are none of targets; ``is_even``: where they differ, too."""
    low, high = weight.amin(), weight.amax()
    wrong = low < -NEGATIVE * high.abs()
    if is_even:
        # Those that are zero are of what was left out.
        wrong = wrong | (torch.where(weight > UNEVEN * high, weight, high).amin() < (1.0 - UNEVEN) * high)
    return wrong


def _weighted(each: Tensor, weight: Tensor) -> Tensor:
    return (each * weight).sum(dtype=wide(each))


def _by_hand(node: Node, name: str) -> Term | None:
    """Finds the square or the absolute value of a difference between a model's output and a target."""
    used = _used(node)
    if name == "Pow":
        is_square = getattr(node, "_saved_exponent", None) == 2
    else:
        is_square = name == "Mul" and len(used) == 2 and used[0] is not None and _are_alike(used[0], used[1])
    if not is_square and name != "Abs":
        return None
    difference = used[0]
    if difference is None or _name(difference) not in ("Sub", "Rsub"):
        return None
    sides = _used(difference)
    if len([one for one in sides if one is not None]) != 1 or getattr(difference, "_saved_alpha", 1) != 1:
        return None
    is_first = sides[0] is not None
    output = _values_of(sides[0] if is_first else sides[1])
    if output is None:
        return None
    # `other - self` for the node of its own, and one less than twice the place for the other.
    sign = 1.0 if is_first != (_name(difference) == "Rsub") else -1.0
    form = SQUARES if is_square else L1
    return Term(node, lambda gradient, valued: _read_by_hand(node, form, output, sign, gradient, valued))


def _are_alike(a: Node, b: Node | None) -> bool:
    """Tells whether two nodes are the same, or the same is done to the same in both, and maybe to other constants."""
    return a is b or (b is not None and _name(a) == _name(b) and a.next_functions == b.next_functions)


def _values_of(node: Node) -> Tensor | None:
    """Returns the values of a model's output, where a node has them or only views them."""
    while node is not None:
        kept = node.metadata.get(OUTPUT)
        if kept is not None:
            values, version = kept
            return values if values._version == version else None
        if _name(node) not in VIEWS:
            return None
        node = _used(node)[0]
    return None


def _read_by_hand(node: Node, form: Form, output: Tensor, sign: float, gradient: Tensor, valued: bool) -> Seen:
    difference = node._saved_self.detach()
    if output.numel() == difference.numel():
        output, own = output.reshape(difference.shape), difference.shape
    else:
        own, output = output.shape, output.expand(difference.shape)
    target = output.to(difference.dtype) - sign * difference
    weight = gradient.detach()
    value = _weighted(error(form)(difference.to(wide(difference))), weight) if valued else None
    sums = _columns(form, target, weight, own, valued)
    if valued and _name(node) == "Mul":
        doubt = (node._saved_other.detach() != difference).any() | _doubt(weight, False)
        sums.bounds = _bounds(target, doubt)
    return Seen(sums, value)
