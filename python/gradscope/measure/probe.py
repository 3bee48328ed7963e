"""Sees what layers put out by forward hooks; nothing is kept but sums on the model's device."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

import torch
from torch import Tensor, nn

from ..model.graph import DROPPED, NORM, Graph, Node, Nonlinearity, name_of, nonlinearity
from ..model.hooks import Hook
from ..model.layers import CHANNELS_SECOND, NORMS, WEIGHTED, Layer
from ..model.passes import is_compiling
from ..plan import DetailLevel, StepPlan
from .activations import ActivationFrequency, Activations, Pass, UnitMoments
from .device import wide
from .distribution import fetch
from .sums import measure

#: A unit-sample is saturated where its slope is below this share of the largest.
SATURATED = 0.05


class Source(NamedTuple):
    """The layer whose nonlinearity a module's output goes into; the module may be a normalization behind it."""

    layer: int
    apply: Nonlinearity | None
    #: Whether a softmax stands between the model's output and the loss.
    has_softmax: bool


class Probe:
    """Watches the modules of the layers."""

    def __init__(self, layers: list[Layer], is_shared: bool, begin: Callable[[], None]) -> None:
        """``is_shared``: the record is to be merged with those of other ranks. ``begin`` is called by every pass, as a
        step may begin with any of the modules."""
        self._layers, self._is_shared, self._begin_pass = layers, is_shared, begin
        self._detail = DetailLevel.NOTHING
        #: Number of the step under way.
        self._step = 0
        #: Of modules, once the graph of the first loss has told them.
        self.sources: dict[int, Source] = {}
        #: Until then, nodes and outputs of the pass that they are found in.
        self._is_resolved = False
        self._nodes: dict[int, list[Node]] = {}
        self._outputs: dict[int, list[Tensor]] = {}
        self._passes: dict[int, list[Pass]] = {}
        #: Squared norms of the gradients of what layers put out.
        self.output_gradients: dict[int, Tensor] = {}
        #: Of the epoch under way.
        self.frequencies: dict[int, ActivationFrequency] = {}
        self._handles = [
            layer.module.register_forward_hook(Hook(self._hook(index, layer)))
            for index, layer in enumerate(layers)
            if layer.module is not None
        ]

    def remove(self) -> None:
        """Leaves the model as it was."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def begin_step(self, plan: StepPlan) -> None:
        """Looks at the passes from here on as planned."""
        self._step = plan.number
        self._look(plan.detail)

    def end_step(self) -> None:
        """Looks at no pass until the next step begins."""
        self._look(DetailLevel.NOTHING)

    def end_epoch(self) -> None:
        """Forgets the activation frequencies of the epoch."""
        self.frequencies = {}

    def _look(self, detail: DetailLevel) -> None:
        self._detail = detail
        self._passes, self.output_gradients = {}, {}
        if not self._is_resolved:
            self._nodes, self._outputs = {}, {}

    def _hook(self, index: int, layer: Layer) -> Callable[[nn.Module, Any, Any], None]:
        is_weighted = layer.kind in WEIGHTED

        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if is_compiling() or not torch.is_grad_enabled() or not module.training:
                return
            self._begin_pass()
            if self._detail == DetailLevel.NOTHING or not isinstance(output, Tensor) or output.numel() == 0:
                return
            if not self._is_resolved:
                self._nodes.setdefault(index, []).append(output.grad_fn)
                # Whatever follows may work in place.
                self._outputs.setdefault(index, []).append(output.detach().clone())
            elif index in self.sources:
                self._see(index, output.detach())
            if is_weighted and self._detail >= DetailLevel.MOMENTS and output.grad_fn is not None:
                output.grad_fn.register_hook(self._output_gradient_hook(index))

        return hook

    def _output_gradient_hook(self, index: int) -> Callable[[Any, Any], None]:
        def hook(_: Any, gradients: tuple[Tensor | None, ...]) -> None:
            gradient = gradients[0] if gradients else None
            if gradient is not None:
                square = torch.linalg.vector_norm(gradient.detach().float()).to(wide(gradient)).square()
                before = self.output_gradients.get(index)
                self.output_gradients[index] = square if before is None else before + square

        return hook

    def resolve(self, loss: Tensor | None) -> str | None:
        """Finds nonlinearities and outputs in the graph of the first loss; returns the name of the loss."""
        self._is_resolved = True
        nodes, outputs = self._nodes, self._outputs
        self._nodes, self._outputs = {}, {}
        if loss is None or loss.grad_fn is None:
            return None
        graph = Graph(loss.grad_fn)
        self._find_sources(graph, {node: index for index, own in nodes.items() for node in own if node is not None})
        for index, seen in outputs.items():
            if index in self.sources:
                for output in seen:
                    self._see(index, output)
        return graph.loss()

    def _find_sources(self, graph: Graph, owner: dict[Node, int]) -> None:
        """Follows every weighted node to the nonlinearity behind it; ``owner`` are the layers of nodes."""
        weighted = {node for node, index in owner.items() if self._layers[index].kind in WEIGHTED}
        outputs = graph.outputs(weighted)
        for node in weighted:
            index = owner[node]
            layer = self._layers[index]
            layer.output = layer.output or node in outputs
            at, source = graph.next(node), index
            while at is not None and owner.get(at) is not None and self._layers[owner[at]].kind in NORMS:
                layer.normalized, source = True, owner[at]
                at = graph.next(at)
            known = nonlinearity(at) if at is not None else None
            if known is not None:
                layer.activation = known.name
                after = graph.next(at, DROPPED)
                layer.normalized |= after is not None and NORM.search(name_of(after)) is not None
            elif not layer.output:
                continue
            self.sources[source] = Source(index, known, at is not None and name_of(at) == "Softmax")

    def _see(self, index: int, pre: Tensor) -> None:
        """Sees what goes into the nonlinearity of a layer, in one pass."""
        source = self.sources[index]
        rows, samples = _rows(pre, self._layers[index].kind)
        if source.apply is not None and source.apply.name == "relu":
            counts = self.frequencies.get(source.layer)
            if counts is None or counts.units != samples.shape[1]:
                counts = self.frequencies[source.layer] = ActivationFrequency(samples.shape[1], pre.device)
            counts.add(self._step, samples)
        if self._detail >= DetailLevel.MOMENTS:
            self._passes.setdefault(source.layer, []).append(self._measure(source, rows))

    def _measure(self, source: Source, rows: Tensor) -> Pass:
        """Measures ``[positions, units]`` of a layer before its nonlinearity, and after."""
        kind = source.apply.name if source.apply else "identity"
        out = rows
        if source.apply is not None:
            out = source.apply.apply(rows)
        elif source.has_softmax:
            out = torch.softmax(rows, -1)
        saturated = None
        if kind == "sigmoid":
            saturated = (out * (1 - out) * 4 < SATURATED).float().mean()
        elif kind == "tanh":
            saturated = (1 - out * out < SATURATED).float().mean()
        is_same = out is rows
        kept = DetailLevel.FULL if self._detail == DetailLevel.FULL else DetailLevel.MOMENTS
        layer = self._layers[source.layer]
        each = self._is_shared or (kind != "relu" and not layer.output)
        units = UnitMoments.measure(rows, each)
        pre = measure(rows, kept if is_same or self._is_shared else min(kept, DetailLevel.BINS), units.sums)
        out_units = units if is_same else UnitMoments.measure(out, each)
        sums = None
        if layer.output and layer.units > 1:
            total = out.sum(1, dtype=wide(out))
            sums = torch.stack([total.min(), total.max()])
        post = pre if is_same else measure(out, kept, out_units.sums)
        return Pass(pre, post, units, out_units, saturated, sums)

    def slopes(self) -> list[float]:
        """Returns the slopes of leaky ReLUs."""
        return [s.apply.slope for s in self.sources.values() if s.apply and s.apply.slope is not None]

    def take(self) -> dict[int, Activations]:
        """Returns the activations of every layer in the passes since the beginning of the step."""
        passes, self._passes = self._passes, {}
        of = [(index, one) for index, own in passes.items() for one in own]
        found = iter(fetch([m for _, one in of for m in (one.pre, one.post)]))
        activations: dict[int, Activations] = {}
        for index, one in of:
            seen = Activations(self._layers[index], next(found), next(found), one)
            if index in activations:
                activations[index].merge(seen)
            else:
                activations[index] = seen
        return activations


def _rows(values: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """Returns ``[positions, units]``, and the same with the largest value of each sample's channel."""
    if kind in CHANNELS_SECOND and values.dim() > 2:
        flat = values.flatten(2)
        return flat.transpose(1, 2).reshape(-1, values.shape[1]), flat.amax(2)
    rows = values.reshape(-1, values.shape[-1])
    return rows, rows
