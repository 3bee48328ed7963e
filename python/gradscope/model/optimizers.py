"""The optimizers of a run, and their settings."""

from __future__ import annotations

import gc
import math
from typing import Any, Iterable, Sequence, Union

import torch
from torch import Tensor

#: An optimizer or several, as a script passes them.
Given = Union[torch.optim.Optimizer, Iterable[torch.optim.Optimizer]]


class Optimizers:
    """Those that a script has named, else those that are found to hold its parameters."""

    def __init__(self, given: Given | None, parameters: Sequence[Tensor]) -> None:
        self._own = {id(p) for p in parameters}
        self._listed = [] if given is None else _listed(given)

    def find(self) -> None:
        """Looks for them, unless they were named: every one of this process that holds one of the parameters."""
        if not self._listed:
            # By type: asking an object for its class wakes lazy ones.
            found = [o for o in gc.get_objects() if issubclass(type(o), torch.optim.Optimizer)]
            self._listed = [o for o in found if any(id(p) in self._own for g in o.param_groups for p in g["params"])]

    @property
    def names(self) -> list[str]:
        """Their names, as ``gradscope run`` spells them."""
        return sorted({type(o).__name__.lower() for o in self._listed})

    def largest(self, setting: str, otherwise: float = math.nan) -> float:
        """Returns the largest value of a setting among the groups that hold the parameters."""
        groups = [g for o in self._listed for g in o.param_groups if any(id(p) in self._own for p in g["params"])]
        return max([float(g[setting]) for g in groups if setting in g], default=otherwise)


def _listed(given: Any) -> list[torch.optim.Optimizer]:
    several = not hasattr(given, "param_groups") and isinstance(given, Iterable)
    listed = list(given) if several else [given]
    if not all(hasattr(one, "param_groups") for one in listed):
        raise ValueError(f"optimizer={given!r}: should be an optimizer, or a list of them")
    return listed
