"""A callback for Lightning: ``Trainer(callbacks=[GradscopeCallback("run.jsonl")])``."""

from __future__ import annotations

import math
from typing import Any

try:
    from lightning.pytorch import Callback
except ImportError:  # its name before 2.0
    from pytorch_lightning import Callback  # type: ignore[no-redef,assignment]

from ..api import Scope, watch

__all__ = ["GradscopeCallback"]


class GradscopeCallback(Callback):  # type: ignore[misc]
    """Records a training run, with the settings of :func:`gradscope.watch`.

    Its epochs are the trainer's, unless ``every`` says otherwise. ``dev_loss`` and ``dev_score`` name logged
    metrics that are to be recorded as such. The loss is what ``training_step`` returns; of manual
    optimization, the last one.
    """

    def __init__(
        self, path: str, *, dev_loss: str | None = "val_loss", dev_score: str | None = None, **settings: Any
    ) -> None:
        self.path, self.settings = path, {"every": "epoch", **settings}
        self.metrics = {"dev_loss": dev_loss, "dev_score": dev_score}
        self.scope: Scope | None = None
        self._loss: Any = math.nan

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.max_epochs and trainer.max_epochs > 0:
            self.settings.setdefault("epochs", trainer.max_epochs)
        # Lightning clips after the hook that is used here.
        self.settings.setdefault("clip_norm", trainer.gradient_clip_val or None)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self.scope = watch(pl_module, self.path, optimizer=trainer.optimizers, **self.settings)

    def on_before_backward(self, trainer: Any, pl_module: Any, loss: Any) -> None:
        # Lightning divides the loss where gradients are accumulated.
        self._loss = loss * trainer.accumulate_grad_batches

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any, *_: Any) -> None:
        if self.scope is not None:
            self.scope.step(self._loss)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        if self.scope is None:
            return
        known = trainer.callback_metrics
        scores: dict[str, float] = {
            name: float(known[metric]) for name, metric in self.metrics.items() if metric in known
        }
        self.scope.epoch(**scores)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        if self.scope is not None:
            self.scope.close("interrupted" if getattr(trainer, "interrupted", False) else "finished")

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        if self.scope is not None:
            self.scope.close("interrupted" if isinstance(exception, KeyboardInterrupt) else None)
