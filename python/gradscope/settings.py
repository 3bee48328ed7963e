"""The settings of a run, checked before anything is watched."""

from __future__ import annotations

import math
import operator
import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .encoding import Line, number
from .model.passes import InputSize
from .model.ranks import Ranks
from .recorder import Every

#: Stands for a setting of which nothing is known; it is written as NaN, and rules that need it are not measured.
UNKNOWN = math.nan
#: Losses whose targets are classes, and all that are known.
OF_CLASSES = ("bce", "cross-entropy")
LOSSES = (*OF_CLASSES, "mse")


def chance_loss(targets: Tensor, loss: str) -> float:
    """Returns the baseline loss, that of the best constant prediction: the entropy of the classes, or the variance of
    the targets.

    ``loss`` is ``"bce"``, ``"cross-entropy"`` or ``"mse"``; the first two want classes as targets.
    """
    values = targets.detach().reshape(-1)
    if loss == "mse":
        return float(values.double().var(unbiased=False))
    share = torch.unique(values, return_counts=True)[1].double() / values.numel()
    return float(-(share * share.log()).sum())


@dataclass
class Settings:
    """The settings of ``watch`` that go into a record, checked: ``ValueError`` of what cannot be."""

    every: Every
    loss: str | None
    targets: Tensor | None
    #: The loss of the best constant prediction, where it is known; ``chance_loss`` of ``watch``.
    baseline_loss: float | None
    rows: int | None
    epochs: int | None
    #: ``None`` where gradients are not clipped, and NaN where it is not known.
    clip_norm: float | None
    clip_value: float | None
    name: str
    data: str

    def __post_init__(self) -> None:
        if self.every != "epoch":
            self.every = _whole("every", self.every, ', or "epoch"')
        if self.loss is not None and self.loss not in LOSSES:
            raise ValueError(f'loss={self.loss!r}: should be "bce", "cross-entropy" or "mse", or left out')
        if self.targets is not None:
            _check_targets(self.targets, self.loss)
        if self.baseline_loss is not None:
            self.baseline_loss = _positive("chance_loss", self.baseline_loss)
        if self.rows is not None:
            self.rows = _whole("rows", self.rows)
        if self.epochs is not None:
            self.epochs = _whole("epochs", self.epochs)
        is_unknown = isinstance(self.clip_norm, float) and math.isnan(self.clip_norm)
        if self.clip_norm is not None and not is_unknown:
            self.clip_norm = _positive("clip_norm", self.clip_norm)
        if self.clip_value is not None:
            self.clip_value = _positive("clip_value", self.clip_value)
        for name, text in (("name", self.name), ("data", self.data)):
            if not isinstance(text, str):
                raise ValueError(f"{name}={text!r}: should be a text")

    def data_header(self, loss: str, inputs: InputSize) -> Line:
        """Describes the data of a run with this loss, and forgets the targets."""
        targets, self.targets = self.targets, None
        regression = loss not in OF_CLASSES
        classes: list[str] = []
        mean = std = None
        if targets is not None:
            self.rows = self.rows or int(targets.shape[0])
            if self.baseline_loss is None and loss in LOSSES and (regression or _are_classes(targets)):
                self.baseline_loss = chance_loss(targets, loss)
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
            "inputs": inputs.columns,
            "classes": classes,
            "chance_loss": number(UNKNOWN if self.baseline_loss is None else self.baseline_loss),
            "input_rms": number(inputs.rms),
            "target_mean": mean,
            "target_std": std,
        }


def _check_targets(targets: Any, loss: str | None) -> None:
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


def record_path(path: str | os.PathLike[str], ranks: Ranks) -> str:
    """Returns where a rank writes its record, and makes the folder."""
    text = os.fspath(path)
    if ranks.are_several:
        stem, suffix = os.path.splitext(text)
        text = f"{stem}.rank{ranks.rank}{suffix}"
    if not text or os.path.exists(text) and not os.path.isfile(text):
        raise ValueError(f"{text!r} is no file that a record can be written to")
    os.makedirs(os.path.dirname(text) or ".", exist_ok=True)
    return text
