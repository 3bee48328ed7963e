"""What guessing costs, measured over the steps of an epoch."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any, Callable, NamedTuple, Sequence

import torch
from torch import Tensor

from ..model.hooks import Hook
from ..model.passes import is_compiling
from ..model.target import Target
from .passes import Key, Look, SeenPass
from .sums import Number, Sums, number
from .terms import mark_outputs
from .watch import BACKWARD

#: Steps at the beginning, and every so many later, in which the terms have to account for the loss.
FIRST_CHECKS, CHECK_EVERY = 5, 16
#: Share of the loss that the terms may leave out, or add to it.
UNEXPLAINED = 0.02
#: Part of two losses by which they may differ and are the same; of short types, more.
SAME, SAME_OF_SHORT = 1e-3, 1e-2
#: Backward passes that belong to one step, at most.
MOST_PASSES = 256


class Chosen(Enum):
    """The passes of a step that its loss, as the script tells it, is of."""

    ALL = "all"
    FIRST = "first"
    LAST = "last"
    #: All, where the loss told is that of the last before it was divided by their number.
    UNDIVIDED = "undivided"


class Found(NamedTuple):
    """The cost of the best constant prediction, in the units of the loss that the script tells."""

    loss: float
    #: Share of the loss that the terms account for.
    explained: float


class Measurement:
    """Watches backward passes from :meth:`begin` to :meth:`end`."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._passes: list[SeenPass] = []
        #: Of several passes; undecided until a step has several.
        self._chosen: tuple[Chosen, int] | None = None
        self._sums: dict[Key, Sums] = {}
        self._count: Tensor | float = 0.0
        #: Of the steps that were checked: the loss told, how many times the loss of the passes that is, what the terms
        #: account for, and the loss of the passes.
        self._checks: list[tuple[Number, Number, Number, Number]] = []
        self._failed = False
        self._hook: Any = None
        #: Steps that had a backward pass.
        self.steps = 0

    def begin(self) -> None:
        """Begins to look."""
        if not self._target.is_compiled:
            self._hook = self._target.outer.register_forward_hook(Hook(self._after_forward))
        BACKWARD.add(self._before_backward)

    def end(self) -> None:
        """Looks at nothing any more."""
        BACKWARD.remove(self._before_backward)
        if self._hook is not None:
            self._hook.remove()
            self._hook = None
        self._passes = []

    @property
    def _is_checked(self) -> bool:
        return self.steps < FIRST_CHECKS or self.steps % CHECK_EVERY == 0

    def _after_forward(self, module: Any, inputs: Any, output: Any) -> None:
        if not is_compiling() and torch.is_grad_enabled():
            mark_outputs(output)

    def _before_backward(self, roots: Sequence[Tensor], gradients: Sequence[Any] | None) -> Callable[[], None]:
        look = Look(self._target.parameters, roots, gradients)
        look.begin(roots, self._is_checked)

        def end() -> None:
            seen = look.end()
            if seen is None:
                return
            if len(self._passes) >= MOST_PASSES:
                self._failed = True
            elif self._passes and self._chosen == (Chosen.ALL, 0):
                self._passes[0] = self._passes[0].and_next(seen)
            else:
                self._passes.append(seen)

        return end

    def step(self, told: Any) -> None:
        """Takes the passes since the last step; ``told`` is the loss of the step as the script has it."""
        passes, self._passes = self._passes, []
        if not passes or self._failed:
            return
        try:
            with torch.no_grad():
                self._add(passes, told)
        except Exception:
            self._failed = True
        self.steps += 1

    def _add(self, passes: list[SeenPass], told: Any) -> None:
        is_short = isinstance(told, Tensor) and told.dtype in (torch.float16, torch.bfloat16)
        loss = (
            number(told.detach().mean() if told.dim() > 0 else told.detach())
            if isinstance(told, Tensor)
            else float(told)
        )
        many, last = len(passes), passes[-1].root
        seen = self._choose(passes, loss, is_short)
        if seen is None or not seen.is_whole:
            self._failed = True
            return
        root = last * many if many > 1 and self._chosen == (Chosen.UNDIVIDED, 0) else seen.root
        factor = _ratio(loss, root)
        self._count = self._count + (factor != 0.0)
        if isinstance(factor, Tensor) or factor != 0.0:
            for key, sums in seen.sums.items():
                own = sums.times(factor)
                if key in self._sums:
                    self._sums[key].add(own)
                else:
                    self._sums[key] = own
        if self._is_checked and seen.value is not None:
            self._checks.append((loss, factor, seen.value, seen.root))

    def _choose(self, passes: list[SeenPass], loss: Number, is_short: bool) -> SeenPass | None:
        """Returns the passes that the loss told is of, as one."""
        if len(passes) > 1 and self._chosen is None:
            # The one time that a device is waited for: as a rule in the first step, which is captured.
            roots = [float(one.root) for one in passes]
            self._chosen = _choice(roots, float(loss), SAME_OF_SHORT if is_short else SAME)
            if self._chosen is None:
                return None
        chosen, last = self._chosen or (Chosen.ALL, 0)
        if chosen == Chosen.FIRST:
            return passes[0]
        if chosen == Chosen.LAST:
            passes = passes[-last:]
        seen = passes[0]
        for other in passes[1:]:
            seen = seen.and_next(other)
        return seen

    def result(self) -> Found | None:
        """Returns what was found; ``None`` where it is not known. Waits for the device."""
        try:
            return None if self._failed or not self._sums else self._result()
        except Exception:
            return None

    def _result(self) -> Found | None:
        checks = [[float(v) for v in row] for row in self._checks]
        checks = [row for row in checks if all(map(math.isfinite, row)) and row[1] != 0.0]
        whole = sum(abs(row[3] * row[1]) for row in checks)
        if not whole > 0.0 or not _are_the_same([row[1] for row in checks]):
            return None
        explained = sum(row[2] * row[1] * math.copysign(1.0, row[3] * row[1]) for row in checks) / whole
        if not abs(explained - 1.0) <= UNEXPLAINED:
            return None
        cost = 0.0
        for sums in self._sums.values():
            own = sums.cost()
            if own is None:
                return None
            cost += own
        cost /= float(self._count)
        if any(sums.is_square for sums in self._sums.values()):
            # Contrastive losses tell rows of a batch apart, which costs less than to guess one of them.
            cost = min(cost, checks[0][0])
        return Found(cost, explained) if math.isfinite(cost) and cost > 0.0 else None


def _choice(roots: Sequence[float], loss: float, same: float) -> tuple[Chosen, int] | None:
    """Chooses the passes whose losses the loss told is made of: all of them, the last few, or the first alone; also
    where it is their mean, or that of a micro-batch before it was divided, or lacks the scale of mixed precision."""
    many = len(roots)
    sums = {(Chosen.ALL, 0): sum(roots), (Chosen.LAST, 1): roots[-1]}
    sums.update({(Chosen.LAST, last): sum(roots[-last:]) for last in range(2, many)})
    sums[Chosen.FIRST, 0] = roots[0]
    for choice, value in sums.items():
        if abs(loss - value) <= same * abs(value):
            return choice
    if abs(loss - roots[-1] * many) <= same * abs(loss):
        return Chosen.UNDIVIDED, 0
    if abs(loss - sum(roots) / many) <= same * abs(loss):
        return Chosen.ALL, 0
    for choice in ((Chosen.ALL, 0), (Chosen.LAST, 1)):
        if _are_the_same([1.0, loss / sums[choice] if sums[choice] else math.nan], same):
            return choice
    return None


def _ratio(loss: Number, root: Number) -> Number:
    """Returns how many times the loss of the passes the loss told is; zero where one of them is none, or infinite."""
    if isinstance(loss, float) and isinstance(root, float):
        is_known = math.isfinite(loss) and math.isfinite(root) and root != 0.0
        return loss / root if is_known else 0.0
    device = root.device if isinstance(root, Tensor) else torch.as_tensor(loss).device
    own = torch.as_tensor(root, device=device)
    factor = torch.as_tensor(loss, device=device) / own
    return torch.where(torch.isfinite(factor) & torch.isfinite(own), factor, torch.zeros_like(factor))


def _are_the_same(factors: Sequence[float], same: float = UNEXPLAINED) -> bool:
    """Tells whether factors are the same, apart from powers of two, as mixed precision changes its scale by."""
    for factor in factors:
        ratio = factor / factors[0]
        if not ratio > 0.0:
            return False
        power = math.log2(ratio)
        if not abs(power - round(power)) <= same:
            return False
    return True
