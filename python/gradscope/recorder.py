"""The one policy of what is written when, as ``src/record/recorder.rs`` of the program.

Whoever trains asks for a :class:`StepPlan` before each step, measures as it says, and hands over the numbers; which of
them become lines, and how much of them, is decided here: steps and epochs are thinned, the first step is captured by
itself, the last epoch and the first few are kept in full and the others as a history, and norms of steps become
spreads of epochs. A step is handed over before its update has been made, as a :class:`PendingStep`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, Mapping, NamedTuple, Sequence, Union

from .encoding import Line, number
from .measure.capture import Capture
from .measure.meter import MeasuredStep, Meter, PendingStep
from .plan import DetailLevel, StepPlan
from .spreads import Spreads
from .thinning import EpochThinning, StepThinning, in_full
from .writer import Writer

#: Steps of an epoch, unless told otherwise.
EVERY = 100
#: Parts of an epoch in each of which weights, updates and activation frequencies are measured once.
PARTS = 10
#: Captures closer than this many steps hold what a history does, the first apart, of a model of more values than that.
CLOSE_CAPTURES, SMALL_MODEL = 10, 100_000
#: Steps that wait on the device at most.
MAX_WAITING = 1000

#: Steps of an epoch, or ``"epoch"`` where the script says when one ends.
Every = Union[int, str]


class RecorderSettings(NamedTuple):
    """The settings of a recorder, which stay what they are over a run."""

    every: Every
    #: Epochs of the run, where they are known.
    epochs: int | None
    #: Of captures after the first.
    detail: DetailLevel

    @classmethod
    def for_model(cls, every: Every, epochs: int | None, size: int) -> RecorderSettings:
        """Chooses the detail of captures by their distance, and the number of values in the model's parameters."""
        are_close = isinstance(every, int) and every < CLOSE_CAPTURES and size > SMALL_MODEL
        return cls(every, epochs, DetailLevel.QUANTILES if are_close else DetailLevel.FULL)


class EpochScores(NamedTuple):
    """The facts of an epoch that its steps do not tell."""

    #: The largest learning rate.
    lr: float
    #: By their names in a record.
    scores: Mapping[str, float]
    #: Whether the run ended inside it.
    is_partial: bool = False
    #: The loss of the best constant prediction, where it was found.
    baseline: Line | None = None

    def optional(self, name: str) -> Any:
        """Returns a score as a record writes it; ``None`` where there is none."""
        return number(float(self.scores[name])) if name in self.scores else None


class EndOfRun(NamedTuple):
    """The end of a run, and how long it took."""

    #: ``None`` of a run that failed: its record just stops.
    outcome: str | None
    wall_s: float
    #: Seconds of these that recording took.
    capture_s: float


@dataclass
class EpochUnderWay:
    """The epoch that steps are added to."""

    spreads: Spreads
    #: Number of its first step.
    start: int
    #: Whether it is captured; undecided until its first step is planned.
    is_kept: bool | None = None
    loss_sum: float = 0.0
    samples: int = 0
    #: The last step that was captured, and its capture.
    captured: tuple[MeasuredStep, Capture] | None = None


class Recorder:
    """Decides what of a run is written when, from the end of its first step on."""

    def __init__(self, writer: Writer, meter: Meter, settings: RecorderSettings, order: Sequence[int]) -> None:
        """``order`` lists the layers of the meter as the record does."""
        self._writer, self._meter, self._settings, self._order = writer, meter, settings, order
        self._layers = len(order)
        self._step_thinning, self._epoch_thinning = StepThinning(self._layers), EpochThinning(self._layers)
        self._captures = 0
        #: Steps and epochs that are done.
        self.steps_done = self._epoch = self._epochs_done = 0
        #: Steps of the last epoch that the script has ended.
        self._length: int | None = None
        self._found_non_finite = False
        self._pending: PendingStep | None = None
        self._waiting: list[PendingStep] = []
        self._now = self._begin_epoch()
        self._now.is_kept = self._keeps_epoch()

    @property
    def steps_in_epoch(self) -> int:
        """Steps of the epoch under way that are done."""
        return self.steps_done - self._now.start

    @property
    def has_ended_epoch(self) -> bool:
        """Tells whether the epoch under way has all of its steps, where it is known how many these are."""
        return isinstance(self._settings.every, int) and self.steps_in_epoch >= self._settings.every

    def plan_step(self) -> StepPlan:
        """Decides what the next step shows."""
        if self._now.is_kept is None:
            self._now.is_kept = self._keeps_epoch()
        every, place = self._settings.every, self.steps_in_epoch + 1
        if isinstance(every, int):
            is_due, part = place == every, max(every // PARTS, 1)
        elif self._length is None:
            is_due, part = (place - 1) % EVERY == 0, PARTS
        else:
            is_due, part = place == self._length, PARTS
        has_norms = is_due or place % part == 0
        detail = DetailLevel.NOTHING
        if self._now.is_kept and has_norms:
            detail = self._settings.detail if is_due else DetailLevel.FREQUENCIES
        return StepPlan(self.steps_done, detail, has_norms)

    def push_step(self, step: PendingStep) -> None:
        """Takes a step whose update has not been made yet."""
        self._pending = step
        self.steps_done += 1

    def finish_pending(self) -> None:
        """Measures the update of the last step, which has been made by now, and writes the step if it was captured."""
        step, self._pending = self._pending, None
        if step is None:
            return
        self._meter.after_update(step)
        self._waiting.append(step)
        if step.capture is not None or len(self._waiting) >= MAX_WAITING:
            self._write_steps()

    def close_epoch(self, scores: EpochScores) -> None:
        """Ends the epoch under way, and writes it if something was captured in it."""
        self.finish_pending()
        self._write_steps()
        if not scores.is_partial:
            self._length = self.steps_in_epoch
            self._epochs_done += 1
        if self._now.is_kept and self._now.captured is not None:
            step, capture = self._now.captured
            self._write_epoch(self._epoch_head(step, scores), capture)
        self._epoch += 1
        self._now = self._begin_epoch()

    def finish(self, end: EndOfRun) -> None:
        """Writes the steps that are left, and the end."""
        self._write_points(self._step_thinning.flush())
        if end.outcome is None:
            self._writer.abandon()
            return
        self._writer.finish(
            {
                "outcome": end.outcome,
                "epochs_done": self._epochs_done,
                "steps_done": self.steps_done,
                "wall_s": end.wall_s,
                "capture_s": end.capture_s,
                "test": None,
            }
        )

    def _begin_epoch(self) -> EpochUnderWay:
        return EpochUnderWay(Spreads(self._layers), self.steps_done)

    def _keeps_epoch(self) -> bool:
        epochs = self._settings.epochs
        return self._epoch_thinning.keep(self._epoch) or (epochs is not None and self._epoch + 1 >= epochs)

    def _write_steps(self) -> None:
        """Fetches the steps that wait, and writes the points of step curves that are complete."""
        waiting, self._waiting = self._waiting, []
        for step in self._meter.fetch(waiting):
            weight = step.samples or 1
            self._now.loss_sum += step.loss * weight
            self._now.samples += weight
            self._now.spreads.add(step)
            if step.capture is not None:
                self._now.captured = (step, step.capture)
            self._write_points(self._step_thinning.push(self._step_line(step)))

    def _write_points(self, points: Sequence[Line]) -> None:
        for point in points:
            self._writer.write("step", point)

    def _step_line(self, step: MeasuredStep) -> Line:
        norms: list[Line] = []
        if step.weights and step.updates:
            columns = {"weight_l2": step.weights, "grad_l2": step.gradients, "update_l2": step.updates}
            norms = [{name: (v[i],) * 3 for name, v in columns.items()} for i in self._order]
        line: Line = {
            "epoch": self._epoch,
            "step": step.number,
            "steps": 1,
            "loss": (step.loss,) * 3,
            "grad_l2": (step.grad_l2,) * 3,
            "layers": norms,
        }
        place = None if self._found_non_finite else self._find_non_finite(step)
        if place is not None:
            self._found_non_finite = True
            line["non_finite"] = place
        # An epoch of that step alone holds its capture.
        is_epoch = self.has_ended_epoch and self.steps_done == 1
        if step.number == 0 and step.capture is not None and not is_epoch:
            layers = step.capture.lines(DetailLevel.FULL)
            line["capture"] = [layers[i] for i in self._order]
        return line

    def _find_non_finite(self, step: MeasuredStep) -> Line | None:
        """Returns the place of the first NaN or infinity of a step."""
        layers = self._meter.layers
        if not math.isfinite(step.loss):
            broken = step.capture.broken_activations() if step.capture is not None else set()
            for i in self._order:
                if i in broken:
                    return {"stage": "activation", "layer": layers[i].name}
            return {"stage": "loss", "layer": None}
        if step.is_scaled:
            return None
        for i in reversed(self._order):
            if not math.isfinite(step.gradients[i]):
                return {"stage": "gradient", "layer": layers[i].name}
        for i in self._order:
            if step.updates and not math.isfinite(step.updates[i]):
                return {"stage": "weight", "layer": layers[i].name}
        return None

    def _write_epoch(self, head: Line, capture: Capture) -> None:
        line = partial(_epoch_line, head, capture, self._now.spreads.lines(), self._order)
        is_full = capture.detail == DetailLevel.FULL
        if is_full and in_full(self._captures, self._layers):
            self._writer.write_epoch(line(DetailLevel.FULL), None)
        else:
            # The run's last one is drawn, where enough of it was measured.
            self._writer.write_epoch(line(DetailLevel.QUANTILES), partial(line, DetailLevel.FULL) if is_full else None)
        self._captures += 1

    def _epoch_head(self, step: MeasuredStep, scores: EpochScores) -> Line:
        line: Line = {"epoch": self._epoch, "step": step.number}
        if scores.is_partial:
            line["partial"] = True
        line["lr"] = number(scores.lr)
        line["train_loss"] = number(self._now.loss_sum / max(self._now.samples, 1))
        line["train_score"] = number(float(scores.scores.get("train_score", math.nan)))
        line["dev_loss"], line["dev_score"] = scores.optional("dev_loss"), scores.optional("dev_score")
        line["grad_l2"] = number(step.grad_l2)
        for name in ("test_loss", "test_score"):
            if name in scores.scores:
                line[name] = scores.optional(name)
        if scores.baseline is not None:
            line["baseline"] = scores.baseline
        return line


def _epoch_line(head: Line, capture: Capture, spreads: list[Line], order: Sequence[int], detail: DetailLevel) -> Line:
    layers = capture.lines(detail)
    return {**head, "layers": [{**layers[i], "steps": spreads[i]} for i in order]}
