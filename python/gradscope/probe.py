"""What layers put out, seen by forward hooks; nothing is kept but sums on the model's device."""

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn

from .activations import Activations, Fired, Pass, Units
from .device import wide
from .distribution import fetch
from .graph import DROPPED, NORM, Graph, Nonlinearity, name_of, nonlinearity
from .hooks import Hook
from .layers import CHANNELS_SECOND, NORMS, WEIGHTED, Layer
from .sums import BINNED, MOMENTS, SAMPLED, measure

#: A unit-sample is saturated where its slope is below this share of the largest.
SATURATED = 0.05

NOTHING, FIRING, EVERYTHING = range(3)


class Source(NamedTuple):
    """Whose output goes into the nonlinearity of a layer."""

    layer: int
    apply: Optional[Nonlinearity]
    #: What stands between the model's output and the loss.
    softmax: bool


class Probe:
    """Watches the modules of the layers."""

    def __init__(self, layers: List[Layer], shared: bool, start: Callable[[], None]) -> None:
        self.layers = layers
        #: Called by every pass: a step may begin with any of the modules.
        self.start = start
        #: Whether the record is to be merged with those of other ranks.
        self.shared = shared
        self.level = NOTHING
        #: Whether moments of what layers put out are enough.
        self.lean = False
        #: Number of the step under way.
        self.step = 0
        #: Whether the nonlinearities are known.
        self.resolved = False
        #: Nodes and outputs of the pass that they are found in.
        self.nodes: Dict[int, List[Any]] = {}
        self.kept: Dict[int, List[Tensor]] = {}
        self.sources: Dict[int, Source] = {}
        self.passes: Dict[int, List[Pass]] = {}
        self.signals: Dict[int, Tensor] = {}
        self.firing: Dict[int, Fired] = {}
        self.handles = [
            layer.module.register_forward_hook(Hook(self._hook(index, layer)))
            for index, layer in enumerate(layers)
            if layer.module is not None
        ]

    def remove(self) -> None:
        """Leaves the model as it was."""
        for handle in self.handles:
            handle.remove()
        self.handles = []

    def begin(self, level: int, step: int) -> None:
        """What the passes from here on are to show."""
        self.step = step
        self.level = level
        self.passes, self.signals = {}, {}
        if not self.resolved:
            self.nodes, self.kept = {}, {}

    def _hook(self, index: int, layer: Layer) -> Callable[[nn.Module, Any, Any], None]:
        weighted = layer.kind in WEIGHTED

        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if is_compiling() or not torch.is_grad_enabled() or not module.training:
                return
            self.start()
            if self.level == NOTHING:
                return
            if not isinstance(output, Tensor) or output.numel() == 0:
                return
            if not self.resolved:
                self.nodes.setdefault(index, []).append(output.grad_fn)
                # Whatever follows may work in place.
                self.kept.setdefault(index, []).append(output.detach().clone())
            elif index in self.sources:
                self._see(index, output.detach())
            if weighted and self.level == EVERYTHING and output.grad_fn is not None:
                output.grad_fn.register_hook(self._signal(index))

        return hook

    def _signal(self, index: int) -> Callable[[Any, Any], None]:
        def hook(_: Any, gradients: Tuple[Optional[Tensor], ...]) -> None:
            gradient = gradients[0] if gradients else None
            if gradient is not None:
                square = torch.linalg.vector_norm(gradient.detach().float()).to(wide(gradient)).square()
                before = self.signals.get(index)
                self.signals[index] = square if before is None else before + square

        return hook

    def resolve(self, loss: Optional[Tensor]) -> Optional[str]:
        """Finds nonlinearities and outputs in the graph of the first loss; gives the loss its name."""
        self.resolved = True
        if loss is None or loss.grad_fn is None:
            self.nodes, self.kept = {}, {}
            return None
        graph = Graph(loss)
        owner = {node: index for index, nodes in self.nodes.items() for node in nodes if node is not None}
        weighted = {node for node, index in owner.items() if self.layers[index].kind in WEIGHTED}
        outputs = graph.outputs(weighted)
        for node in weighted:
            index = owner[node]
            layer = self.layers[index]
            layer.output = layer.output or node in outputs
            at, source = graph.next(node), index
            while at is not None and owner.get(at) is not None and self.layers[owner[at]].kind in NORMS:
                layer.normalized, source = True, owner[at]
                at = graph.next(at)
            known = nonlinearity(at) if at is not None else None
            if known is not None:
                layer.activation = known.name
                after = graph.next(at, DROPPED)
                layer.normalized |= after is not None and NORM.search(name_of(after)) is not None
            elif not layer.output:
                continue
            softmax = at is not None and name_of(at) == "Softmax"
            self.sources[source] = Source(index, known, softmax)
        for index, outputs_seen in self.kept.items():
            if index in self.sources:
                for output in outputs_seen:
                    self._see(index, output)
        self.nodes, self.kept = {}, {}
        return graph.loss()

    def _see(self, index: int, pre: Tensor) -> None:
        """What goes into the nonlinearity of a layer, in one pass."""
        source = self.sources[index]
        rows, samples = _rows(pre, self.layers[index].kind)
        kind = source.apply.name if source.apply else "identity"
        if kind == "relu":
            fired = self.firing.get(source.layer)
            if fired is None or fired.fired.numel() != samples.shape[1]:
                fired = self.firing[source.layer] = Fired(samples.shape[1], pre.device)
            fired.add(self.step, samples)
        if self.level < EVERYTHING:
            return
        if source.apply:
            out = source.apply.apply(rows)
        else:
            out = torch.softmax(rows, -1) if source.softmax else rows
        saturated = None
        if kind == "sigmoid":
            saturated = (out * (1 - out) * 4 < SATURATED).float().mean()
        elif kind == "tanh":
            saturated = (1 - out * out < SATURATED).float().mean()
        same = out is rows
        kept = MOMENTS if self.lean else SAMPLED
        layer = self.layers[source.layer]
        each = self.shared or (kind != "relu" and not layer.output)
        units = Units.of(rows, each)
        measured = measure(rows, kept if same or self.shared else min(kept, BINNED), units.sums)
        out_units = units if same else Units.of(out, each)
        sums = None
        if layer.output and layer.units > 1:
            total = out.sum(1, dtype=wide(out))
            sums = torch.stack([total.min(), total.max()])
        self.passes.setdefault(source.layer, []).append(
            Pass(
                measured,
                measured if same else measure(out, kept, out_units.sums),
                units,
                out_units,
                saturated,
                sums,
            )
        )

    def take(self) -> Dict[int, "Activations"]:
        """What the passes since the beginning of the step showed, of every layer."""
        of = [(index, one) for index, passes in self.passes.items() for one in passes]
        found = iter(fetch([m for _, one in of for m in (one.pre, one.post)]))
        activations: Dict[int, Activations] = {}
        for index, one in of:
            seen = Activations(self.layers[index], next(found), next(found), one)
            if index in activations:
                activations[index].merge(seen)
            else:
                activations[index] = seen
        self.passes = {}
        return activations


def _rows(values: Tensor, kind: str) -> Tuple[Tensor, Tensor]:
    """``[positions, units]``, and the same with the largest value of each sample's channel."""
    if kind in CHANNELS_SECOND and values.dim() > 2:
        flat = values.flatten(2)
        return flat.transpose(1, 2).reshape(-1, values.shape[1]), flat.amax(2)
    rows = values.reshape(-1, values.shape[-1])
    return rows, rows


#: Whether what runs is being compiled; where torch cannot tell, it does not compile.
is_compiling: Callable[[], bool] = getattr(getattr(torch, "compiler", None), "is_compiling", lambda: False)
