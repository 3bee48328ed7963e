"""The first line of a record, which says what the run is."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import NamedTuple

import torch

from ._constants import SCHEMA, VERSION
from .encoding import Line, number
from .measure.sums import DRAWN
from .model.layers import NORMS, Layer
from .model.optimizers import Optimizers
from .model.passes import InputSize
from .model.ranks import Ranks
from .model.target import Target
from .plan import DetailLevel
from .recorder import RecorderSettings
from .settings import UNKNOWN, Settings


@dataclass
class Run:
    """Everything that is known of a run before its first step."""

    target: Target
    settings: Settings
    optimizers: Optimizers
    ranks: Ranks
    path: str

    def recorder_settings(self) -> RecorderSettings:
        """Returns the settings that decide what is captured."""
        return RecorderSettings.for_model(self.settings.every, self.settings.epochs, self.target.size())


class FirstStep(NamedTuple):
    """The facts of a model that only its first step tells."""

    #: In the order of a forward pass.
    layers: list[Layer]
    #: The name of the loss.
    loss: str
    #: Whether activations are seen.
    has_activations: bool
    #: Of leaky ReLUs.
    slopes: list[float]
    samples: int
    input_size: InputSize


def header(run: Run, first: FirstStep) -> Line:
    """Writes the first line of a record."""
    line: Line = {
        "schema": SCHEMA,
        "gradscope": VERSION,
        "commit": "",
        "libtorch": str(torch.__version__),
        "command": ["python", *sys.argv],
        "run": _run(run, first),
        "data": run.settings.data_header(first.loss, first.input_size),
        "layers": [layer.header() for layer in first.layers],
    }
    if not first.has_activations:
        line["run"]["capture"] = "activations=off"
    if run.recorder_settings().detail == DetailLevel.QUANTILES:
        line["run"]["quantiles_of"] = DRAWN
    if run.ranks.are_several:
        line["ranks"] = {"of": run.ranks.world, "rank": run.ranks.rank}
    return line


def _run(run: Run, first: FirstStep) -> Line:
    settings, optimizers = run.settings, run.optimizers
    names, dropout = optimizers.names, run.target.dropout()
    activations = [layer.activation for layer in first.layers if layer.activation != "identity"]
    norms = [layer.kind for layer in first.layers if layer.kind in NORMS]
    return {
        "model": settings.name,
        "loss": first.loss,
        "seed": torch.initial_seed() & (2**63 - 1),
        "epochs": settings.epochs or 0,
        "optimizer": "+".join(names) or "unknown",
        "lr": number(optimizers.largest("lr")),
        "momentum": number(optimizers.largest("momentum", 0.0 if names else UNKNOWN)),
        "weight_decay": number(optimizers.largest("weight_decay") if names else UNKNOWN),
        "clip_norm": None if settings.clip_norm is None else number(settings.clip_norm),
        "clip_value": settings.clip_value,
        "batch_size": first.samples,
        "steps_per_epoch": settings.every if isinstance(settings.every, int) else 0,
        "init": "unknown",
        "bias": "unknown",
        "activation": max(activations, key=activations.count) if activations else "identity",
        "lrelu_slope": first.slopes[0] if first.slopes else 0.01,
        "norm": norms[0] if norms else "none",
        "dropout": max(dropout) if dropout else 0.0,
        "device": str(run.target.layers[0].weight.device),
        "threads": torch.get_num_threads(),
    }
