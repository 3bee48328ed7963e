"""A record on disk: JSON Lines, appended while training goes."""

from __future__ import annotations

import json
import os
from typing import Callable, NamedTuple

from .encoding import Line


class _LastEpoch(NamedTuple):
    """The bytes of the last epoch, and what replaces them at the end of the run."""

    start: int
    end: int
    in_full: Callable[[], Line]


class Writer:
    """Writes a line at a time, each flushed: a run that is killed leaves a readable record."""

    def __init__(self, path: str, header: Line) -> None:
        folder, name = os.path.split(path)
        temporary = os.path.join(folder, f".{name}.new")
        # Open for as long as the run takes.
        self._file = open(temporary, "w+b")  # noqa: SIM115
        self._last: _LastEpoch | None = None
        self.write("header", header)
        os.replace(temporary, path)

    def write(self, kind: str, line: Line) -> None:
        """Appends a line."""
        text = json.dumps({"kind": kind, **line}, separators=(",", ":"), allow_nan=False)
        self._file.write(text.encode() + b"\n")
        self._file.flush()

    def write_epoch(self, line: Line, in_full: Callable[[], Line] | None) -> None:
        """Appends an epoch; if it is the run's last, ``in_full`` takes its place at the end."""
        start = self._file.tell()
        self.write("epoch", line)
        self._last = _LastEpoch(start, self._file.tell(), in_full) if in_full else None

    def finish(self, end: Line) -> None:
        """Writes the last captured epoch in full, and the end."""
        if self._last is not None:
            self._file.seek(self._last.end)
            after = self._file.read()
            self._file.seek(self._last.start)
            self._file.truncate()
            self.write("epoch", self._last.in_full())
            self._file.write(after)
        self.write("end", end)
        self._file.close()

    def abandon(self) -> None:
        """Leaves the record without an end, as that of a run that failed."""
        self._file.close()
