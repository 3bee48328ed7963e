"""Which layers a model has: one for each weight, under the dotted name of its module."""

import math
from typing import Any, Dict, List, Optional, Set, Tuple, Type

from torch import Tensor, nn
from torch.nn.modules import batchnorm, conv, instancenorm

#: What a module computes, as a record names it; the first that fits.
KINDS: Tuple[Tuple[Type[nn.Module], str], ...] = (
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
#: Whose outputs have their units along the second dimension; of others it is the last.
CHANNELS_SECOND = {"conv1d", "conv2d", "conv3d", "conv-transpose", "batch-norm", "instance-norm", "group-norm"}
#: Whose modules put out the weighted sums themselves.
WEIGHTED = {"linear", "conv1d", "conv2d", "conv3d", "conv-transpose"}


class Layer:
    """A weight with the bias that belongs to it, and what was found out about it."""

    def __init__(self, name: str, kind: str, weight: Tensor, bias: Optional[Tensor], owner: str) -> None:
        self.name, self.kind, self.weight, self.bias, self.owner = name, kind, weight, bias, owner
        #: The module that puts out its weighted sums; ``None`` where these are inside of one.
        self.module: Optional[nn.Module] = None
        self.activation = "identity"
        self.output = self.normalized = False

    @property
    def units(self) -> int:
        shape = self.weight.shape
        if self.kind == "conv-transpose":
            groups = getattr(self.module, "groups", 1)
            return int(shape[1] * groups)
        return int(shape[0])

    def header(self) -> Dict[str, Any]:
        """As the first line of a record describes it."""
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
    """What a module computes."""
    for known, kind in KINDS:
        if isinstance(module, known):
            return kind
    if type(module).__name__.endswith("RMSNorm"):
        return "rms-norm"
    return "other"


def find(model: nn.Module) -> List[Layer]:
    """Every weight of the model once, a shared one under its first name."""
    layers: List[Layer] = []
    seen: Set[int] = set()
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


def in_forward_order(layers: List[Layer], called: Dict[str, int]) -> List[Layer]:
    """By the first call of their modules, or of what these are part of."""

    def place(layer: Layer) -> int:
        path = layer.owner
        while path not in called and path:
            path = path.rpartition(".")[0]
        return called.get(path, 0)

    return sorted(layers, key=place)
