"""The layers of a model: one for each weight, under the dotted name of its module."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.modules import batchnorm, conv, instancenorm

from ..encoding import Line

#: Kinds of modules, as a record names them; the first that fits counts.
KINDS: tuple[tuple[type[nn.Module], str], ...] = (
    (nn.Linear, "linear"),
    (nn.Bilinear, "linear"),
    (conv._ConvTransposeNd, "conv-transpose"),
    (nn.Conv1d, "conv1d"),
    (nn.Conv2d, "conv2d"),
    (nn.Conv3d, "conv3d"),
    (nn.Embedding, "embedding"),
    (nn.EmbeddingBag, "embedding"),
    (nn.RNNBase, "recurrent"),
    (nn.RNNCellBase, "recurrent"),
    (instancenorm._InstanceNorm, "instance-norm"),
    (batchnorm._BatchNorm, "batch-norm"),
    (nn.LayerNorm, "layer-norm"),
    (nn.GroupNorm, "group-norm"),
)
NORMS = {"instance-norm", "batch-norm", "layer-norm", "group-norm", "rms-norm"}
#: Kinds whose outputs have their units along the second dimension; of others it is the last.
CHANNELS_SECOND = {"conv1d", "conv2d", "conv3d", "conv-transpose", "batch-norm", "instance-norm", "group-norm"}
#: Kinds whose modules put out the weighted sums themselves.
WEIGHTED = {"linear", "conv1d", "conv2d", "conv3d", "conv-transpose"}


@dataclass(eq=False)
class Layer:
    """A weight with the bias that belongs to it, and what was found out about it."""

    name: str
    kind: str
    weight: Tensor
    bias: Tensor | None
    #: Path of the module that the weight belongs to.
    owner: str
    #: The module that puts out the weighted sums; ``None`` where these are inside of one.
    module: nn.Module | None = None
    #: The nonlinearity behind it, as a record names it.
    activation: str = "identity"
    #: Whether the loss is computed from its output with no other layer in between.
    output: bool = False
    #: Whether a normalization stands between it and its nonlinearity, or right behind that.
    normalized: bool = False

    @property
    def units(self) -> int:
        """The number of outputs, channels of a convolution."""
        shape = self.weight.shape
        if self.kind == "conv-transpose":
            groups = getattr(self.module, "groups", 1)
            return int(shape[1] * groups)
        return int(shape[0])

    def header(self) -> Line:
        """Describes the layer in the first line of a record."""
        shape = list(self.weight.shape)
        matrix = self.kind not in NORMS
        return {
            "name": self.name,
            "kind": self.kind,
            "shape": shape,
            "fan_in": math.prod(shape[1:]) if matrix else 1,
            "units": self.units,
            "bias": self.bias is not None,
            "parameters": self.weight.numel() + (0 if self.bias is None else self.bias.numel()),
            "activation": self.activation,
            "output": self.output,
            "normalized": self.normalized,
            "trainable": self.weight.requires_grad,
        }


def kind_of(module: nn.Module) -> str:
    """Returns the kind of a module, ``other`` of one that no record knows."""
    for known, kind in KINDS:
        if isinstance(module, known):
            return kind
    if type(module).__name__.endswith("RMSNorm"):
        return "rms-norm"
    return "other"


def find(model: nn.Module) -> list[Layer]:
    """Returns a layer for every weight of a model, for a shared one under its first name."""
    layers: list[Layer] = []
    seen: set[int] = set()
    for path, module in model.named_modules():
        own = {name: p for name, p in module.named_parameters(recurse=False) if p is not None}
        kind = kind_of(module)
        for name, weight in own.items():
            simple = name == "weight"
            if id(weight) in seen or not _is_weight(name, weight, kind):
                continue
            seen.add(id(weight))
            bias = own.get(name.replace("weight", "bias")) if "weight" in name else None
            full = path if simple else f"{path}.{name}" if path else name
            inside = "linear" if name.startswith(("in_proj", "q_proj", "k_proj", "v_proj")) else kind
            layer = Layer(full or "model", kind if simple else inside, weight, bias, path)
            if simple and kind in WEIGHTED | NORMS:
                layer.module = module
            layers.append(layer)
    return layers


def _is_weight(name: str, parameter: Tensor, kind: str) -> bool:
    if parameter.numel() == 0 or "bias" in name:
        return False
    return parameter.dim() >= 2 or (name == "weight" and kind in NORMS)


def in_forward_order(layers: list[Layer], called: dict[str, int]) -> list[Layer]:
    """Sorts layers by the first call of their modules, or of what these are part of."""

    def place(layer: Layer) -> int:
        path = layer.owner
        while path not in called and path:
            path = path.rpartition(".")[0]
        return called.get(path, 0)

    return sorted(layers, key=place)
