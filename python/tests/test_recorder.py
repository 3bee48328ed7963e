"""The policy of what is written when, without a model; and the signature that scripts and editors see."""

import inspect

import pytest

import gradscope as recorder
from gradscope.measure.meter import MeasuredStep, PendingStep
from gradscope.plan import FIRST_STEP, DetailLevel
from gradscope.recorder import EndOfRun, EpochScores, Recorder, RecorderSettings

NOTHING, FREQUENCIES, QUANTILES, FULL = (
    DetailLevel.NOTHING,
    DetailLevel.FREQUENCIES,
    DetailLevel.QUANTILES,
    DetailLevel.FULL,
)


class Lines(list):
    """Takes the place of a file."""

    def write(self, kind, line):
        self.append((kind, line))

    def write_epoch(self, line, in_full):
        self.append(("epoch", line))

    def finish(self, end):
        self.append(("end", end))


class Captured:
    """A capture of a layer that has nothing to tell."""

    def __init__(self, detail):
        self.detail = detail

    def lines(self, detail):
        return [{"detail": detail}]


class Numbers:
    """Measures a single layer, of which every norm is the number of the step."""

    layers = [None]

    def after_update(self, step):
        step.updates = [float(step.plan.number)]

    def fetch(self, steps):
        return [self.measured(step, step.plan.number) for step in steps]

    def measured(self, step, n):
        return MeasuredStep(n, 1, False, float(n), float(n), [float(n)], [], step.updates, [], step.capture)


def recorded(settings, steps, ends=()):
    """The plans of a run and its lines; after the steps that ``ends`` lists, the script ends an epoch."""
    lines, plans = Lines(), [FIRST_STEP]
    own = Recorder(lines, Numbers(), settings, [0])
    for step in range(steps):
        if step > 0:
            if own.has_ended_epoch:
                own.close_epoch(EpochScores(0.1, {}))
            plans.append(own.plan_step())
        own.finish_pending()
        capture = Captured(plans[-1].detail) if plans[-1].is_captured else None
        own.push_step(PendingStep(plans[-1], 1, False, [], capture=capture))
        if step in ends:
            own.close_epoch(EpochScores(0.1, {"dev_loss": 0.5}))
    if own.steps_in_epoch:
        own.close_epoch(EpochScores(0.1, {}, is_partial=not own.has_ended_epoch))
    own.finish(EndOfRun("finished", 2.0, 1.0))
    return plans, lines


def test_an_epoch_is_captured_at_its_last_step_and_looked_at_in_ten_parts():
    plans, lines = recorded(RecorderSettings(20, None, FULL), 45)
    assert [p.number for p in plans] == list(range(45))
    assert [p.number for p in plans if p.detail == FULL] == [0, 19, 39]
    assert [p.number for p in plans if p.detail == FREQUENCIES] == [n for n in range(1, 45, 2) if n not in (19, 39)]
    assert all(p.norms == (p.detail > NOTHING) for p in plans)
    epochs = [line for kind, line in lines if kind == "epoch"]
    assert [(e["epoch"], e["step"], "partial" in e) for e in epochs] == [(0, 19, False), (1, 39, False)]
    assert epochs[1]["train_loss"] == sum(range(20, 40)) / 20
    assert epochs[1]["layers"][0]["steps"]["grad_l2"] == {"min": 20.0, "median": 29.5, "max": 39.0}
    assert lines[-1][1] == {
        "outcome": "finished",
        "epochs_done": 2,
        "steps_done": 45,
        "wall_s": 2.0,
        "capture_s": 1.0,
        "test": None,
    }


def test_the_first_step_is_captured_by_itself_unless_it_is_an_epoch():
    _, lines = recorded(RecorderSettings(2, None, FULL), 4)
    assert [("capture" in line) for kind, line in lines if kind == "step"] == [True, False, False, False]
    _, lines = recorded(RecorderSettings(1, None, FULL), 2)
    assert not any("capture" in line for kind, line in lines if kind == "step")


def test_the_length_of_an_epoch_is_that_of_the_one_before():
    plans, lines = recorded(RecorderSettings("epoch", None, FULL), 24, ends=(7, 15, 23))
    assert [p.number for p in plans if p.detail == FULL] == [0, 15, 23]
    assert [(e["step"], e["dev_loss"]) for kind, e in lines if kind == "epoch"] == [(0, 0.5), (15, 0.5), (23, 0.5)]


def test_epochs_thin_out_and_the_last_is_captured_where_it_is_known():
    _, lines = recorded(RecorderSettings(1, 301, FULL), 301)
    epochs = [line["epoch"] for kind, line in lines if kind == "epoch"]
    assert epochs[:128] == list(range(128)) and epochs[-1] == 300 and len(epochs) < 220
    _, lines = recorded(RecorderSettings(1, None, FULL), 301)
    assert sum(kind == "epoch" for kind, _ in lines) < 220


@pytest.mark.parametrize("every, size, detail", [(9, 100_001, QUANTILES), (10, 100_001, FULL), (9, 100_000, FULL)])
def test_captures_close_to_one_another_of_large_models_hold_less(every, size, detail):
    settings = RecorderSettings.for_model(every, None, size)
    plans, _ = recorded(settings, 20)
    assert [p.detail for p in plans if p.is_captured] == [FULL, *[detail] * (20 // every)]
    assert RecorderSettings.for_model("epoch", None, size).detail == FULL


def test_watch_and_scope_say_what_they_take():
    own, scopes = (inspect.signature(f).parameters for f in (recorder.watch, recorder.Scope))
    assert [str(p) for p in own.values()] == [str(p) for p in scopes.values()] and len(own) == 15
    assert not any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in own.values())
    for text in (recorder.watch.__doc__, recorder.Scope.__init__.__doc__):
        assert all(f":param {name}:" in text for name in own)
    assert inspect.signature(recorder.watch).return_annotation == "Scope"
