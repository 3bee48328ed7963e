"""Reads nonlinearities, also functional ones, outputs and the loss off the autograd graph.

Nodes are followed by their names, which are those of the operations: a ``ReluBackward0`` behind the
node of a layer's output is the nonlinearity of that layer, whether a module, a function or an in-place
function has made it.
"""

from __future__ import annotations

import re
from typing import Any, Callable, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Node = Any

#: Operations that leave values as they are.
PASSED = re.compile(
    r"^(View|UnsafeView|Reshape|ReshapeAlias|_ReshapeAlias|T|Transpose|Permute|Squeeze|Unsqueeze|Alias|Clone|"
    r"ToCopy|_ToCopy|Contiguous|_UnsafeView|Error)$"
)
#: The same, and those that dropout makes.
DROPPED = re.compile(PASSED.pattern[:-2] + r"|Mul|Div|NativeDropout|FusedDropout)$")
NORM = re.compile(r"(BatchNorm|LayerNorm|GroupNorm|InstanceNorm|RmsNorm|RMSNorm)")
LOSSES = {
    "NllLoss": "cross-entropy",
    "NllLoss2D": "cross-entropy",
    "NllLossNd": "cross-entropy",
    "CrossEntropyLoss": "cross-entropy",
    "BinaryCrossEntropy": "bce",
    "BinaryCrossEntropyWithLogits": "bce",
    "MseLoss": "mse",
}


class Nonlinearity(NamedTuple):
    """A function that a layer's output goes through."""

    name: str
    apply: Callable[[Tensor], Tensor]
    #: Of a leaky ReLU.
    slope: float | None = None


def name_of(node: Node) -> str:
    """Returns the operation that a node undoes: ``Relu`` of ``ReluBackward0``."""
    return re.sub(r"Backward\d*$", "", node.name())


def nonlinearity(node: Node) -> Nonlinearity | None:
    """Returns the nonlinearity of a node, if it is one that a record knows."""
    name = name_of(node)
    if name == "LeakyRelu":
        slope = float(node._saved_negative_slope)
        return Nonlinearity("lrelu", lambda x: F.leaky_relu(x, slope), slope)
    if name == "Elu":
        alpha, scale = float(node._saved_alpha), float(node._saved_scale)
        if scale != 1.0:
            return Nonlinearity("selu", torch.selu)
        return Nonlinearity("elu", lambda x: F.elu(x, alpha))
    simple: dict[str, Nonlinearity] = {
        "Relu": Nonlinearity("relu", torch.relu),
        "Gelu": Nonlinearity("gelu", F.gelu),
        "Silu": Nonlinearity("silu", F.silu),
        "Sigmoid": Nonlinearity("sigmoid", torch.sigmoid),
        "Tanh": Nonlinearity("tanh", torch.tanh),
    }
    return simple.get(name)


class Graph:
    """All nodes behind a loss, with their users."""

    def __init__(self, root: Node) -> None:
        self.root = root
        self.users: dict[Node, list[Node]] = {}
        waiting, seen = [root], {root}
        while waiting:
            node = waiting.pop()
            for used, _ in node.next_functions:
                if used is None:
                    continue
                self.users.setdefault(used, []).append(node)
                if used not in seen:
                    seen.add(used)
                    waiting.append(used)

    def loss(self) -> str | None:
        """Returns the name of the loss, where there is one and a record knows it."""
        found = {LOSSES[name] for name in map(name_of, self.users.keys() | {self.root}) if name in LOSSES}
        return found.pop() if len(found) == 1 else None

    def outputs(self, layers: set[Node]) -> set[Node]:
        """Returns those of these nodes that the loss is computed from with none of the others in between."""
        found: set[Node] = set()
        waiting, seen = [self.root], {self.root}
        while waiting:
            node = waiting.pop()
            if node in layers:
                found.add(node)
                continue
            for used, _ in node.next_functions:
                if used is not None and used not in seen:
                    seen.add(used)
                    waiting.append(used)
        return found

    def next(self, node: Node, passed: re.Pattern[str] = PASSED) -> Node | None:
        """Returns the one node that uses the output of this, beyond those that are ``passed``; ``None`` of several."""
        while True:
            users = self.users.get(node, [])
            if len(users) != 1:
                return None
            node = users[0]
            if not passed.match(name_of(node)):
                return node
