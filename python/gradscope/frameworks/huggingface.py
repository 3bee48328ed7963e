"""For the Trainer of Hugging Face's transformers: ``gradscope.huggingface.watch(trainer, "run.jsonl")``."""

from __future__ import annotations

from typing import Any

import torch
from transformers import TrainerCallback

from ..api import Scope
from ..api import watch as watch_model

__all__ = ["GradscopeCallback", "watch"]


def watch(trainer: Any, path: str, **settings: Any) -> GradscopeCallback:
    """Records a trainer's model, from its ``train()`` on; takes the settings of :func:`gradscope.watch`.

    The trainer clips gradients before it calls its callbacks: ``training_step`` is wrapped, after which they
    are as backward left them.
    """
    callback = GradscopeCallback(path, **settings)
    inner = trainer.training_step

    def training_step(model: Any, *rest: Any, **named: Any) -> Any:
        callback.begin(trainer, model)
        loss = inner(model, *rest, **named)
        callback.after_backward(trainer, loss)
        return loss

    compute = trainer.compute_loss

    def compute_loss(*rest: Any, **named: Any) -> Any:
        found = compute(*rest, **named)
        callback.graph = found[0] if isinstance(found, tuple) else found
        return found

    trainer.training_step, trainer.compute_loss = training_step, compute_loss
    trainer.add_callback(callback)
    return callback


class GradscopeCallback(TrainerCallback):  # type: ignore[misc]
    """Ends epochs and the record; see :func:`watch`."""

    def __init__(self, path: str, **settings: Any) -> None:
        self.path, self.settings = path, settings
        self.scope: Scope | None = None
        self._losses: Any = 0.0
        #: The last loss with its graph, which the trainer's own steps do not give away.
        self.graph: torch.Tensor | None = None

    def begin(self, trainer: Any, model: Any) -> None:
        """Before the first pass: by now the trainer has wrapped the model and made its optimizer."""
        if self.scope is None:
            settings = dict(self.settings)
            settings.setdefault("clip_norm", trainer.args.max_grad_norm or None)
            settings.setdefault("scaler", getattr(trainer.accelerator, "scaler", None))
            optimizer = getattr(trainer.optimizer, "optimizer", trainer.optimizer)
            self.scope = watch_model(model, self.path, optimizer=optimizer, **settings)

    def after_backward(self, trainer: Any, loss: Any) -> None:
        """After every pass; a step of the optimizer follows where gradients are whole."""
        self._losses = self._losses + (loss.detach() if isinstance(loss, torch.Tensor) else loss)
        if self.scope is not None and trainer.accelerator.sync_gradients:
            # The trainer divides each loss by the passes of a step.
            value = self._losses
            if self.graph is not None and self.graph.grad_fn is not None and isinstance(value, torch.Tensor):
                # Its value, and the other's graph.
                value = self.graph + (value.to(self.graph.device) - self.graph).detach()
            self.scope.step(value)
            self._losses, self.graph = 0.0, None

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
        if self.scope is not None and metrics and "eval_loss" in metrics:
            self.scope.epoch(dev_loss=float(metrics["eval_loss"]))

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.scope is not None:
            self.scope.close()
