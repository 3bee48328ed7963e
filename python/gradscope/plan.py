"""Plans of what is measured of a step, and how much of it is kept."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class DetailLevel(IntEnum):
    """An amount of detail, of a step's layers or of one tensor's values; every level includes those before it.

    A step that is not captured shows ``NOTHING`` or ``FREQUENCIES``. One that is captured is kept in ``FULL``, or with
    ``QUANTILES`` as a history is: these of weights and their gradients, moments of everything else.
    """

    #: The loss and the norms of gradients alone.
    NOTHING = 0
    #: The activation frequencies of ReLU units.
    FREQUENCIES = 1
    #: Counts, range and moments of a tensor.
    MOMENTS = 2
    #: A quantile summary.
    QUANTILES = 3
    #: Bins, from which quantiles come with a known error.
    BINS = 4
    #: Bins with a sample of the values.
    FULL = 5


class StepPlan(NamedTuple):
    """The measurements that a step is to show, decided before its first forward pass."""

    #: Counts the steps of a run, from 0.
    number: int
    detail: DetailLevel
    #: Whether ‖W‖ and ‖ΔW‖ of every layer are measured.
    norms: bool

    @property
    def is_captured(self) -> bool:
        """Tells whether distributions are measured."""
        return self.detail >= DetailLevel.MOMENTS


#: The first step of every run: the untouched model is captured in full.
FIRST_STEP = StepPlan(0, DetailLevel.FULL, True)
