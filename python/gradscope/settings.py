"""What a script says of its run, checked before anything is watched."""

import math
import operator
import os
from typing import Any, Dict, List, Optional, Tuple, Union

import torch
from torch import Tensor

from .record import number

#: That nothing is known of a setting; it is written as NaN, and what needs it is not measured.
UNKNOWN = math.nan
#: Losses whose targets are classes, and all that are known.
OF_CLASSES = ("bce", "cross-entropy")
LOSSES = (*OF_CLASSES, "mse")


def chance_loss(targets: Tensor, loss: str) -> float:
    """What the best constant prediction costs: the entropy of the classes, or the variance of the targets.

    ``loss`` is ``"bce"``, ``"cross-entropy"`` or ``"mse"``; the first two want classes as targets.
    """
    values = targets.detach().reshape(-1)
    if loss == "mse":
        return float(values.double().var(unbiased=False))
    share = torch.unique(values, return_counts=True)[1].double() / values.numel()
    return float(-(share * share.log()).sum())


class Settings:
    """What ``watch`` was given that goes into the record's header."""

    def __init__(
        self,
        *,
        every: Union[int, str],
        loss: Optional[str],
        targets: Optional[Tensor],
        chance_loss: Optional[float],
        rows: Optional[int],
        epochs: Optional[int],
        clip_norm: Optional[float],
        clip_value: Optional[float],
        name: str,
        data: str,
    ) -> None:
        self.every = every if every == "epoch" else _whole("every", every, ', or "epoch"')
        if loss is not None and loss not in LOSSES:
            raise ValueError(f'loss={loss!r}: should be "bce", "cross-entropy" or "mse", or left out')
        self.loss = loss
        if targets is not None:
            _check_targets(targets, loss)
        self.targets = targets
        self.chance = UNKNOWN if chance_loss is None else _positive("chance_loss", chance_loss)
        self.rows = None if rows is None else _whole("rows", rows)
        self.epochs = None if epochs is None else _whole("epochs", epochs)
        unknown = isinstance(clip_norm, float) and math.isnan(clip_norm)
        self.clip_norm = clip_norm if clip_norm is None or unknown else _positive("clip_norm", clip_norm)
        self.clip_value = None if clip_value is None else _positive("clip_value", clip_value)
        for what, text in (("name", name), ("data", data)):
            if not isinstance(text, str):
                raise ValueError(f"{what}={text!r}: should be a text")
        self.name, self.data = name, data

    def data_header(self, loss: str, inputs: Tuple[int, float]) -> Dict[str, Any]:
        """The data of a run with this loss and so many inputs of that root mean square; forgets the targets."""
        targets, self.targets = self.targets, None
        regression = loss not in OF_CLASSES
        classes: List[str] = []
        mean = std = None
        if targets is not None:
            self.rows = self.rows or int(targets.shape[0])
            if math.isnan(self.chance) and loss in LOSSES and (regression or _are_classes(targets)):
                self.chance = chance_loss(targets, loss)
            if regression:
                mean, std = (float(v) for v in (targets.double().mean(), targets.double().std(unbiased=False)))
            elif _are_classes(targets):
                classes = [f"{v:g}" for v in torch.unique(targets).tolist()]
        return {
            "name": self.data,
            "task": "regression" if regression else "classification",
            "train": self.rows or 0,
            "dev": 0,
            "test": 0,
            "inputs": inputs[0],
            "classes": classes,
            "chance_loss": number(self.chance),
            "input_rms": number(inputs[1]),
            "target_mean": mean,
            "target_std": std,
        }


def _check_targets(targets: Any, loss: Optional[str]) -> None:
    if not isinstance(targets, Tensor) or targets.dim() == 0 or targets.numel() == 0:
        found = f"one of the shape {list(targets.shape)}" if isinstance(targets, Tensor) else type(targets).__name__
        raise ValueError(f"targets=: should be a tensor with a row for every row of the training set, not {found}")
    if targets.is_floating_point() and not bool(torch.isfinite(targets).all()):
        raise ValueError("targets=: some of them are NaN or infinite")
    if loss in OF_CLASSES and not _are_classes(targets):
        raise ValueError(f'targets=: those of loss="{loss}" should be classes, which are whole numbers')


def _are_classes(targets: Tensor) -> bool:
    return not targets.is_floating_point() or bool((targets == targets.round()).all())


def _whole(name: str, value: Any, otherwise: str = "") -> int:
    try:
        found = operator.index(value)
    except TypeError:
        found = 0
    if isinstance(value, bool) or found < 1:
        raise ValueError(f"{name}={value!r}: should be a whole number from 1{otherwise}")
    return found


def _positive(name: str, value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not 0.0 < found < math.inf:
        raise ValueError(f"{name}={value!r}: should be a number above 0")
    return found


def record_path(path: Union[str, "os.PathLike[str]"], rank: int, world: int) -> str:
    """Where a rank of so many writes its record; the folder is made."""
    text = os.fspath(path)
    if world > 1:
        stem, suffix = os.path.splitext(text)
        text = f"{stem}.rank{rank}{suffix}"
    if not text or os.path.exists(text) and not os.path.isfile(text):
        raise ValueError(f"{text!r} is no file that a record can be written to")
    os.makedirs(os.path.dirname(text) or ".", exist_ok=True)
    return text
