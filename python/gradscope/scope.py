"""What a training script talks to: :func:`watch` and :class:`Scope`."""

import atexit
import math
import os
import sys
import time
import warnings
from functools import partial
from types import TracebackType
from typing import Any, Dict, List, Optional, Sequence, Tuple, Type, Union

import torch
from torch import Tensor, nn

from .capture import Capture
from .hooks import Hook
from .layers import NORMS, find, in_forward_order
from .meter import Meter, Spreads, Step
from .optimizers import Given, Optimizers
from .probe import EVERYTHING, FIRING, NOTHING, Probe, is_compiling
from .record import SCHEMA, EpochThinning, StepThinning, Writer, in_full, number
from .settings import UNKNOWN, Settings, record_path
from .sums import DRAWN

__version__ = "0.1.0"

#: Steps of an epoch, unless told otherwise.
EVERY = 100
#: Parts of an epoch in each of which weights, updates and firing are measured once.
PARTS = 10
#: Captures closer than this many steps hold what a history does, the first apart, of a model of more parameters
#: than that.
DENSE, SMALL = 10, 100_000
#: Steps that wait on the device at most.
WAITING = 1000


class OrderError(RuntimeError):
    """``scope.step(loss)`` was called where there is nothing to be measured any more."""


def watch(model: nn.Module, path: Union[str, "os.PathLike[str]"], **settings: Any) -> "Scope":
    """Begins to record how a model trains; ``gradscope report PATH`` says what became of it.

    Takes the settings of :class:`Scope`. Under ``torch.distributed`` every rank writes a file of its own,
    ``run.rank0.jsonl`` for ``run.jsonl``; ``gradscope merge`` makes one of them.
    """
    return Scope(model, path, **settings)


class Scope:
    """Records a model while it trains.

    Call :meth:`step` once for every step of the optimizer: after ``loss.backward()``, before gradients are
    clipped and before ``optimizer.step()``. The other order raises :class:`OrderError`. Works as a context
    manager too; without it the record is ended when the process ends.

    ``every``: steps after which everything is captured, which is what reports call an epoch (100), or
    ``"epoch"`` where :meth:`epoch` says when one ends. ``optimizer``: the optimizer, or several; those that
    hold the model's parameters are found without. ``scaler``: a gradient scaler, whose scale is taken out.
    ``loss``: ``"bce"``, ``"cross-entropy"`` or ``"mse"``; found in the graph of the loss where left out.
    ``targets``: the training targets, or ``chance_loss``: what guessing costs; without either, rules that
    ask whether anything is learned are not measured. ``rows``: rows of the training set. ``epochs``: how
    many there will be. ``clip_norm``, ``clip_value``: what gradients are clipped at, ``None`` for not at
    all. ``activations``: whether to look at what layers put out.
    """

    def __init__(
        self,
        model: nn.Module,
        path: Union[str, "os.PathLike[str]"],
        *,
        every: Union[int, str] = EVERY,
        optimizer: Optional[Given] = None,
        scaler: Optional[Any] = None,
        loss: Optional[str] = None,
        targets: Optional[Tensor] = None,
        chance_loss: Optional[float] = None,
        rows: Optional[int] = None,
        epochs: Optional[int] = None,
        clip_norm: Optional[float] = UNKNOWN,
        clip_value: Optional[float] = None,
        activations: bool = True,
        name: Optional[str] = None,
        data: str = "unknown",
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ValueError(f"watch() takes a torch.nn.Module, not {type(model).__name__}")
        self._settings = Settings(
            every=every,
            loss=loss,
            targets=targets,
            chance_loss=chance_loss,
            rows=rows,
            epochs=epochs,
            clip_norm=clip_norm,
            clip_value=clip_value,
            name=type(model).__name__ if name is None else name,
            data=data,
        )
        self._every = self._settings.every
        self._outer = model
        inner: Any = model
        while isinstance(inner, nn.parallel.DistributedDataParallel) or hasattr(inner, "_orig_mod"):
            # What is compiled is run as a whole: no hook sees into it.
            activations = activations and not hasattr(inner, "_orig_mod")
            inner = inner._orig_mod if hasattr(inner, "_orig_mod") else inner.module
        self.model: nn.Module = inner
        self.layers = find(self.model)
        if not self.layers:
            raise ValueError("the model has no layer with a weight: there is nothing to watch")
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        if not parameters:
            raise ValueError("every parameter of the model is frozen: there is nothing to watch")
        if any(isinstance(p, nn.parameter.UninitializedTensorMixin) for p in self.model.parameters()):
            raise ValueError("the model has lazy layers: run a batch through it before it is watched")
        self.rank, self.world = _ranks()
        self.path = record_path(path, self.rank, self.world)
        numel = sum(p.numel() for p in self.model.parameters())
        self._dense = isinstance(self._every, int) and self._every < DENSE and numel > SMALL
        self._optimizers = Optimizers(optimizer, parameters)
        self._scaler = scaler
        self._parameters = parameters
        self._probe = Probe(self.layers if activations else [], self.world > 1, self._start)
        self._meter: Optional[Meter] = None
        self._writer: Optional[Writer] = None
        self._steps = StepThinning(len(self.layers))
        self._thinning = EpochThinning(len(self.layers))
        self._captures = 0
        # The step under way.
        self._number = 0
        self._planned = False
        self._capture_now = self._weighed = False
        self._batch = 0
        self._versions: Optional[int] = None
        self._first_weights: Optional[List[Tensor]] = None
        self._called: Dict[str, int] = {}
        self._inputs: Tuple[int, float] = (0, UNKNOWN)
        # The last step, until its update has been made.
        self._last: Optional[Step] = None
        self._open: Optional[Capture] = None
        self._captured: Dict[int, Capture] = {}
        # The epoch under way.
        self._epoch = 0
        self._begun = 0
        self._length: Optional[int] = None
        self._keep: Optional[bool] = None
        self._ended = False
        self._latest: Optional[Capture] = None
        self._spreads = Spreads(len(self.layers))
        self._losses = [0.0, 0.0]
        self._broken = self._told = False
        self._started = time.perf_counter()
        self._spent = 0.0
        self.closed = False
        self._hooks = [self._outer.register_forward_pre_hook(Hook(self._forward))]
        for path_of, module in self.model.named_modules():
            if path_of:
                self._hooks.append(module.register_forward_pre_hook(Hook(self._call(path_of))))
        atexit.register(self._at_exit)

    # What the model's hooks do.

    def _call(self, path: str) -> Any:
        def hook(module: nn.Module, inputs: Any) -> None:
            if torch.is_grad_enabled():
                self._called.setdefault(path, len(self._called))

        return hook

    def _forward(self, module: nn.Module, inputs: Tuple[Any, ...]) -> None:
        if is_compiling() or self.closed or not module.training or not torch.is_grad_enabled():
            return
        self._start()
        self._versions = sum(p._version for p in self._parameters)
        first = next((x for x in inputs if isinstance(x, Tensor) and x.dim() > 0), None)
        if first is not None:
            self._batch += int(first.shape[0])
        if self._number == 0 and math.isnan(self._inputs[1]):
            if first is not None and first.dim() > 1:
                columns = math.prod(first.shape[1:])
                square = float(first.detach().double().square().mean()) if first.is_floating_point() else UNKNOWN
                self._inputs = (columns, math.sqrt(square) if square >= 0.0 else UNKNOWN)

    def _start(self) -> None:
        """A pass through the model, or a part of it, begins."""
        if self._planned or self.closed:
            return
        self._plan()
        self._versions = sum(p._version for p in self._parameters)
        if self._number == 0:
            self._first_weights = [layer.weight.detach().clone() for layer in self.layers]

    def _plan(self) -> None:
        """What the step that begins will show."""
        self._planned = True
        if self._ended and self._last is not None:
            # The epoch before was ended by the step before.
            self._close_epoch({})
        index = self._number - self._begun
        if self._keep is None:
            epochs = self._settings.epochs
            last = epochs is not None and self._epoch + 1 >= epochs
            self._keep = self._thinning.keep(self._epoch) or last
        if isinstance(self._every, int):
            due, part = index + 1 == self._every, max(self._every // PARTS, 1)
        elif self._length is None:
            due, part = index % EVERY == 0, PARTS
        else:
            due, part = index + 1 == self._length, PARTS
        self._capture_now = self._number == 0 or (due and self._keep)
        self._weighed = self._capture_now or due or (index + 1) % part == 0
        level = EVERYTHING if self._capture_now else FIRING if self._weighed and self._keep else NOTHING
        self._probe.lean = self._dense and self._number > 0
        self._probe.begin(level, self._number)

    # What a script calls.

    def step(self, loss: Any, scaler: Optional[Any] = None) -> None:
        """One step of the optimizer: after ``loss.backward()``, before clipping and ``optimizer.step()``.

        ``loss`` is the step's loss as it is to be recorded, unscaled: the tensor itself, which is only read
        at capture points. ``scaler``: the gradient scaler, if not given to :func:`watch`.
        """
        began = time.perf_counter()
        if self.closed:
            raise OrderError("scope.step(loss) after scope.close()")
        self._check_order()
        if not self._planned:
            self._plan()
        self._finish()
        if self._meter is None:
            self._begin(loss)
        assert self._meter is not None
        inverse = self._inverse_scale(scaler or self._scaler)
        step = Step(self._number, self._batch, self._weighed)
        step.scaled, step.captured = inverse is not None, self._capture_now
        self._meter.before(step, loss, inverse)
        if self._capture_now:
            self._look_for_what_is_gone()
            self._open = Capture(self._number, self.layers, self._probe, inverse, self._probe.lean)
            self._captured[self._number] = self._open
        self._probe.begin(NOTHING, self._number)
        self._last = step
        self._number += 1
        self._batch, self._planned = 0, False
        if isinstance(self._every, int) and self._number - self._begun >= self._every:
            self._ended = True
        self._spent += time.perf_counter() - began

    def epoch(self, **scores: float) -> None:
        """Ends an epoch, after its last ``optimizer.step()``; with what is known of it.

        Takes ``train_score``, ``dev_loss``, ``dev_score``, ``test_loss`` and ``test_score``: numbers, scores
        the higher the better (accuracy as a share of 1, or minus the mean squared error).
        """
        known = {"train_score", "dev_loss", "dev_score", "test_loss", "test_score"}
        if not scores.keys() <= known:
            raise TypeError(f"epoch() takes {', '.join(sorted(known))}; not {', '.join(sorted(scores.keys() - known))}")
        if self.closed or self._writer is None or self._number == self._begun:
            return
        began = time.perf_counter()
        self._length = self._number - self._begun
        self._close_epoch(scores)
        self._spent += time.perf_counter() - began

    def close(self, outcome: Optional[str] = "finished") -> None:
        """Writes what is left and the end, and lets go of the model."""
        if self.closed:
            return
        self.closed = True
        atexit.unregister(self._at_exit)
        for hook in self._hooks:
            hook.remove()
        self._probe.remove()
        if self._writer is None:
            return
        began = time.perf_counter()
        done = self._epoch
        if self._number > self._begun:
            whole = self._ended
            self._close_epoch({}, unfinished=not whole)
            done += whole
        for point in self._steps.flush():
            self._writer.write("step", point)
        now = time.perf_counter()
        self._spent += now - began
        if outcome is None:
            self._writer.file.close()
            return
        self._writer.close(
            {
                "outcome": outcome,
                "epochs_done": done,
                "steps_done": self._number,
                "wall_s": now - self._started,
                "capture_s": self._spent,
                "test": None,
            }
        )

    def __enter__(self) -> "Scope":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close(_outcome(kind))

    def _at_exit(self) -> None:
        self.close(_outcome(getattr(sys, "last_type", None)))

    # How it is done.

    def _check_order(self) -> None:
        """That backward has been and the optimizer has not."""
        place = "call it after loss.backward() and before clipping, optimizer.step() and zero_grad()"
        if all(p.grad is None for p in self._parameters):
            raise OrderError(f"scope.step(loss) found no gradient: {place}")
        moved = self._versions is not None and self._versions != sum(p._version for p in self._parameters)
        if not moved and self._first_weights is not None:
            # Some optimizers move weights without a trace; looking is affordable once.
            moved = any(
                not torch.equal(a.nan_to_num(), b.weight.detach().nan_to_num())
                for a, b in zip(self._first_weights, self.layers)
            )
        if self._first_weights is not None:
            self._first_weights = []
        if moved:
            raise OrderError(f"scope.step(loss) came after optimizer.step(): {place}")

    def _look_for_what_is_gone(self) -> None:
        """Layers that were put in place of others are not watched: that is told, once."""
        own = {id(p) for p in self.model.parameters()}
        gone = [layer.name for layer in self.layers if id(layer.weight) not in own]
        if gone and not self._told:
            self._told = True
            names = ", ".join(gone)
            warnings.warn(f"gradscope: the model no longer has the weights of {names}; watch it anew", stacklevel=3)

    def _inverse_scale(self, scaler: Optional[Any]) -> Optional[Tensor]:
        """One over the loss scale, where gradients still carry it; nothing is waited for."""
        scale = getattr(scaler, "_scale", None)
        if scaler is None or scale is None or not scaler.is_enabled():
            return None
        states = getattr(scaler, "_per_optimizer_states", {})
        stages = [getattr(s.get("stage"), "name", "") for s in states.values()]
        if any(stage == "UNSCALED" for stage in stages):
            return torch.ones((), device=scale.device)
        return 1.0 / scale.detach()

    def _begin(self, loss: Any) -> None:
        """The first step: by now it is known what the model is."""
        found = self._probe.resolve(loss if isinstance(loss, Tensor) else None)
        seen = bool(self._probe.sources)
        for hook in self._hooks[1:]:
            hook.remove()
        del self._hooks[1:]
        if not seen and not any(layer.output for layer in self.layers):
            matrices = [layer for layer in self.layers if layer.kind not in NORMS | {"embedding", "other"}]
            if matrices:
                in_forward_order(matrices, self._called)[-1].output = True
        self._order = [self.layers.index(one) for one in in_forward_order(self.layers, self._called)]
        loss_name = self._settings.loss or found or "unknown"
        self._optimizers.find()
        decay = self._optimizers.largest("weight_decay")
        self._meter = Meter(self.layers, self._parameters, decay > 0.0)
        self._writer = Writer(self.path, self._header(loss_name, decay, seen))

    def _header(self, loss_name: str, decay: float, seen: bool) -> Dict[str, Any]:
        layers = [self.layers[i] for i in self._order]
        names = self._optimizers.names
        activations = [layer.activation for layer in layers if layer.activation != "identity"]
        norms = [layer.kind for layer in layers if layer.kind in NORMS]
        dropout = [m.p for m in self.model.modules() if isinstance(m, nn.modules.dropout._DropoutNd)]
        slopes = [s.apply.slope for s in self._probe.sources.values() if s.apply and s.apply.slope is not None]
        device, settings = self.layers[0].weight.device, self._settings
        header: Dict[str, Any] = {
            "schema": SCHEMA,
            "gradscope": __version__,
            "commit": "",
            "libtorch": str(torch.__version__),
            "command": ["python", *sys.argv],
            "run": {
                "model": settings.name,
                "loss": loss_name,
                "seed": torch.initial_seed() & (2**63 - 1),
                "epochs": settings.epochs or 0,
                "optimizer": "+".join(names) or "unknown",
                "lr": number(self._optimizers.largest("lr")),
                "momentum": number(self._optimizers.largest("momentum", 0.0 if names else UNKNOWN)),
                "weight_decay": number(decay if names else UNKNOWN),
                "clip_norm": None if settings.clip_norm is None else number(settings.clip_norm),
                "clip_value": settings.clip_value,
                "batch_size": self._batch,
                "steps_per_epoch": self._every if isinstance(self._every, int) else 0,
                "init": "unknown",
                "bias": "unknown",
                "activation": max(activations, key=activations.count) if activations else "identity",
                "lrelu_slope": slopes[0] if slopes else 0.01,
                "norm": norms[0] if norms else "none",
                "dropout": max(dropout) if dropout else 0.0,
                "device": str(device),
                "threads": torch.get_num_threads(),
            },
            "data": settings.data_header(loss_name, self._inputs),
            "layers": [layer.header() for layer in layers],
        }
        if not seen:
            header["run"]["capture"] = "activations=off"
        if self._dense:
            header["run"]["quantiles_of"] = DRAWN
        if self.world > 1:
            header["ranks"] = {"of": self.world, "rank": self.rank}
        return header

    def _finish(self) -> None:
        """What the last step's update made of the weights; at capture points, everything is fetched."""
        if self._last is None or self._meter is None:
            return
        last, self._last = self._last, None
        self._meter.after(last, None if self._open is None else self._open.update)
        if self._open is not None:
            self._open.finish()
            last.weights, last.updates = self._open.norms("weight"), self._open.norms("update")
            self._latest, self._open = self._open, None
            self._fetch()
        elif len(self._meter.steps) >= WAITING:
            self._fetch()

    def _fetch(self) -> None:
        assert self._meter is not None and self._writer is not None
        for step in self._meter.fetch():
            gradients = self._meter.layer_gradients(step)
            total = self._meter.total_gradient(step)
            if step.scaled and not math.isfinite(total) and math.isfinite(step.loss):
                # The scaler leaves such a step out, and lowers its scale: nothing has broken.
                gradients, total = [math.nan] * len(gradients), math.nan
            self._spreads.add(gradients, step)
            weight = step.rows or 1
            self._losses[0] += step.loss * weight
            self._losses[1] += weight
            line = self._step_line(step, gradients, total)
            for point in self._steps.push(line):
                self._writer.write("step", point)

    def _step_line(self, step: Step, gradients: Sequence[float], total: float) -> Dict[str, Any]:
        norms: List[Dict[str, Any]] = []
        if step.weights and step.updates:
            columns = {"weight_l2": step.weights, "grad_l2": gradients, "update_l2": step.updates}
            norms = [{name: (v[i],) * 3 for name, v in columns.items()} for i in self._order]
        line: Dict[str, Any] = {
            "epoch": self._epoch,
            "step": step.number,
            "steps": 1,
            "loss": (step.loss,) * 3,
            "grad_l2": (total,) * 3,
            "layers": norms,
        }
        capture = self._captured.pop(step.number, None)
        if capture is not None:
            capture.grad_l2 = total
        broken = None if self._broken else self._place(step, gradients, capture)
        if broken is not None:
            self._broken = True
            line["non_finite"] = broken
        if step.number == 0 and capture is not None and not (self._ended and self._number == 1):
            line["capture"] = [capture.lines(self._facts())[i] for i in self._order]
        return line

    def _place(self, step: Step, gradients: Sequence[float], capture: Optional[Capture]) -> Optional[Dict[str, Any]]:
        """Where the first NaN or infinity of the run appeared, if it is in this step."""
        if not math.isfinite(step.loss):
            put_out = capture.activations if capture is not None else {}
            for i in self._order:
                seen = put_out.get(i)
                if seen is not None and any(d.finite < d.count for d in (seen.pre, seen.post)):
                    return {"stage": "activation", "layer": self.layers[i].name}
            return {"stage": "loss", "layer": None}
        if step.scaled:
            return None
        for i in reversed(self._order):
            if not math.isfinite(gradients[i]):
                return {"stage": "gradient", "layer": self.layers[i].name}
        for i in self._order:
            if step.updates and not math.isfinite(step.updates[i]):
                return {"stage": "weight", "layer": self.layers[i].name}
        return None

    def _facts(self) -> Dict[str, Any]:
        dropout = any(isinstance(m, nn.modules.dropout._DropoutNd) and m.p > 0 for m in self.model.modules())
        return {"rows": self._settings.rows, "world": self.world, "dropout": dropout}

    def _close_epoch(self, scores: Dict[str, float], unfinished: bool = False) -> None:
        """Writes the epoch that the last step has ended, if something was captured in it."""
        assert self._writer is not None and self._meter is not None
        self._finish()
        self._fetch()
        capture = self._latest
        if capture is not None and capture.number >= self._begun and self._keep:
            steps = self._spreads.lines()
            facts = self._facts()
            line: Dict[str, Any] = {"epoch": self._epoch, "step": capture.number}
            if unfinished:
                line["partial"] = True
            line.update(
                {
                    "lr": number(self._optimizers.largest("lr")),
                    "train_loss": number(self._losses[0] / max(self._losses[1], 1)),
                    "train_score": number(float(scores.get("train_score", math.nan))),
                    "dev_loss": _optional(scores, "dev_loss"),
                    "dev_score": _optional(scores, "dev_score"),
                    "grad_l2": number(capture.grad_l2),
                }
            )
            for name in ("test_loss", "test_score"):
                if name in scores:
                    line[name] = _optional(scores, name)

            def told(history: bool) -> Dict[str, Any]:
                own = capture.lines(facts, history)
                return {**line, "layers": [{**own[i], "steps": steps[i]} for i in self._order]}

            full = not capture.lean and in_full(self._captures, len(self.layers))
            whole = None if full or capture.lean else partial(told, False)
            self._writer.epoch(told(not full), whole)
            self._captures += 1
        self._epoch += 1
        self._begun, self._ended, self._keep = self._number, False, None
        self._spreads, self._losses = Spreads(len(self.layers)), [0.0, 0.0]
        self._probe.firing = {}
        self._latest = None


def _optional(scores: Dict[str, float], name: str) -> Any:
    return number(float(scores[name])) if name in scores else None


def _outcome(kind: Optional[Type[BaseException]]) -> Optional[str]:
    """How a run ended; one that failed just stops, and its record with it."""
    if kind is None:
        return "finished"
    return "interrupted" if issubclass(kind, KeyboardInterrupt) else None


def _ranks() -> Tuple[int, int]:
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1
