"""A run while it goes: the hooks of the model, the plan of the step under way, and the measurements around it."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Mapping, NamedTuple

from torch import Tensor

from .baseline.baseline import Baseline
from .header import FirstStep, Run, header
from .measure.activations import Conditions
from .measure.capture import Capture
from .measure.meter import Meter
from .measure.probe import Probe
from .model.layers import NORMS, in_forward_order
from .model.order import OrderCheck
from .model.passes import Passes
from .model.scaler import inverse_scale
from .plan import FIRST_STEP, StepPlan
from .recorder import EndOfRun, EpochScores, Recorder
from .writer import Writer


class Clock:
    """The seconds of a run, and those of them that recording takes: what runs in a ``with`` block of it."""

    def __init__(self) -> None:
        self._started = self._began = time.perf_counter()
        self._spent = 0.0

    def __enter__(self) -> Clock:
        self._began = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._spent += time.perf_counter() - self._began

    def end(self, outcome: str | None) -> EndOfRun:
        """Reads the clock, inside of a block, at the end of the run."""
        now = time.perf_counter()
        return EndOfRun(outcome, now - self._started, self._spent + now - self._began)


class Started(NamedTuple):
    """The parts of a session that only its first step can make."""

    meter: Meter
    recorder: Recorder


class Session:
    """Measures a model around the steps of its optimizers."""

    def __init__(self, run: Run, sees_activations: bool) -> None:
        self._run, self._target = run, run.target
        self._clock = Clock()
        self._is_closed = False
        self._order = OrderCheck(self._target.parameters, self._target.layers)
        self._passes = Passes(self._target, self._begin_model_pass)
        self._probe = Probe(self._target.layers if sees_activations else [], run.ranks.are_several, self._begin_pass)
        #: Where nobody has told what guessing costs, the targets are looked at.
        self._baseline = Baseline(self._target)
        if run.settings.baseline_loss is None:
            self._baseline.begin()
        #: Of the step under way, once its first pass has begun.
        self._plan: StepPlan | None = None
        #: ``None`` before the first step.
        self._started: Started | None = None

    def step(self, loss: Any, scaler: Any) -> None:
        """Measures a step of the optimizer; see :meth:`gradscope.Scope.step`."""
        with self._clock:
            self._order.check()
            plan = self._plan or self._plan_step()
            if self._started is None:
                self._started = self._start(loss)
            meter, recorder = self._started.meter, self._started.recorder
            self._baseline.step(loss)
            recorder.finish_pending()
            inverse = inverse_scale(scaler)
            pending = meter.before_update(plan, self._passes.take_samples(), loss, inverse)
            if plan.is_captured:
                # To the script, above Scope.step.
                self._target.warn_of_replaced_layers(stacklevel=3)
                pending.capture = Capture(self._target.layers, plan.detail, self._conditions(), inverse)
                pending.capture.measure(self._probe)
            self._probe.end_step()
            recorder.push_step(pending)
            self._plan = None

    def epoch(self, scores: Mapping[str, float]) -> None:
        """Ends an epoch with its scores, unless no step of it has been done."""
        if self._started is None or self._started.recorder.steps_in_epoch == 0:
            return
        with self._clock:
            self._close_epoch(self._started.recorder, scores)

    def close(self, outcome: str | None) -> None:
        """Writes what is left and the end, and lets go of the model; ``outcome`` is ``None`` of a run that failed."""
        self._is_closed = True
        self._passes.remove()
        self._probe.remove()
        if self._started is None:
            self._baseline.end()
            return
        recorder = self._started.recorder
        with self._clock:
            if recorder.steps_in_epoch > 0:
                self._close_epoch(recorder, {}, is_partial=not recorder.has_ended_epoch)
            self._baseline.end()
            recorder.finish(self._clock.end(outcome))

    def _begin_model_pass(self) -> None:
        """A forward pass through the model begins."""
        self._begin_pass()
        self._order.note_pass()

    def _begin_pass(self) -> None:
        """A forward pass through the model, or a part of it, begins."""
        if self._plan is not None or self._is_closed:
            return
        self._plan_step()
        self._order.note_pass()
        if self._started is None:
            self._order.keep_weights()

    def _plan_step(self) -> StepPlan:
        """Decides what the step that begins will show; the step before may have ended its epoch."""
        if self._started is None:
            plan = FIRST_STEP
        else:
            recorder = self._started.recorder
            if recorder.has_ended_epoch:
                self._close_epoch(recorder, {})
            plan = recorder.plan_step()
        self._plan = plan
        self._probe.begin_step(plan)
        return plan

    def _close_epoch(self, recorder: Recorder, scores: Mapping[str, float], *, is_partial: bool = False) -> None:
        baseline = self._baseline.end_epoch(is_last=self._is_closed)
        recorder.close_epoch(EpochScores(self._run.optimizers.largest("lr"), scores, is_partial, baseline))
        self._probe.end_epoch()

    def _start(self, loss: Any) -> Started:
        """Writes the header, in the first step: by now it is known what the model is."""
        found = self._probe.resolve(loss if isinstance(loss, Tensor) else None)
        self._passes.end_first_step()
        layers, called = self._target.layers, self._passes.called
        if not self._probe.sources and not any(layer.output for layer in layers):
            matrices = [layer for layer in layers if layer.kind not in NORMS | {"embedding", "other"}]
            if matrices:
                in_forward_order(matrices, called)[-1].output = True
        ordered = in_forward_order(layers, called)
        self._run.optimizers.find()
        first = FirstStep(
            layers=ordered,
            loss=self._run.settings.loss or found or "unknown",
            has_activations=bool(self._probe.sources),
            slopes=self._probe.slopes(),
            samples=self._passes.samples,
            input_size=self._passes.input_size,
        )
        has_decay = self._run.optimizers.largest("weight_decay") > 0.0
        meter = Meter(layers, self._target.parameters, has_decay)
        writer = Writer(self._run.path, header(self._run, first))
        if self._run.settings.baseline_loss is not None:
            # The header says it.
            self._baseline.end()
        order = [layers.index(layer) for layer in ordered]
        return Started(meter, Recorder(writer, meter, self._run.recorder_settings(), order))

    def _conditions(self) -> Conditions:
        has_dropout = any(p > 0 for p in self._target.dropout())
        return Conditions(self._run.settings.rows, self._run.ranks.world, has_dropout)
