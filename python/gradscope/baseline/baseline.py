"""What guessing costs, for a record: measured in the first epoch, and withdrawn where a later one says otherwise."""

from __future__ import annotations

from ..encoding import Line, number, short
from ..model.target import Target
from .measurement import Found, Measurement

#: Steps that a measurement takes at least, where epochs are shorter.
MIN_STEPS = 20
#: Epochs between the first measurement and the second.
PAUSE = 1
#: How many times more or less a later epoch's baseline is where targets are made by what learns.
MOVED = 2.0


class Baseline:
    """The loss of the best constant prediction, of the targets that are seen in the graph of the loss.

    Targets that a network makes itself, as in Q-learning, move with it: the measurement is made again in the third
    epoch, and what was found is withdrawn where the two do not agree.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._now: Measurement | None = None
        self._found: Found | None = None
        self._is_withdrawn = False
        #: Epochs until the second measurement begins; ``None`` before the first has ended, and once it has begun.
        self._pause: int | None = None
        self._is_second = False

    def begin(self) -> None:
        """Begins to look at backward passes."""
        self._now = Measurement(self._target)
        self._now.begin()

    def end(self) -> None:
        """Looks at nothing any more."""
        if self._now is not None:
            self._now.end()
            self._now = None

    def step(self, loss: object) -> None:
        """Takes the backward passes of a step."""
        if self._now is not None:
            self._now.step(loss)

    def end_epoch(self, is_last: bool) -> Line | None:
        """Ends an epoch; returns what its line says, ``None`` where nothing is known."""
        now = self._now
        if now is not None and (is_last or now.steps >= MIN_STEPS):
            self.end()
            self._take(now.result(), now.steps)
        elif now is None and self._pause is not None and not is_last:
            self._pause -= 1
            if self._pause <= 0:
                self._pause, self._is_second = None, True
                self.begin()
        return self._line()

    def _take(self, found: Found | None, steps: int) -> None:
        if not self._is_second:
            self._found = found
            self._pause = None if found is None else PAUSE
        elif self._found is not None and steps > 0:
            moved = MOVED if found is None else max(found.loss / self._found.loss, self._found.loss / found.loss)
            self._is_withdrawn = found is None or moved > MOVED

    def _line(self) -> Line | None:
        if self._found is None:
            return None
        loss = number(float("nan") if self._is_withdrawn else self._found.loss)
        line: Line = {"loss": loss, "source": "targets", "explained": short(self._found.explained)}
        if self._is_withdrawn:
            line["withdrawn"] = True
        return line
