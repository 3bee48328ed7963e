"""The two names that a training script talks to: :func:`watch` and :class:`Scope`."""

from __future__ import annotations

import atexit
import inspect
import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from torch import Tensor, nn

from .header import Run
from .model.optimizers import Given, Optimizers
from .model.order import OrderError
from .model.ranks import Ranks
from .model.target import Target
from .recorder import EVERY, Every
from .session import Session
from .settings import UNKNOWN, Settings, record_path

if TYPE_CHECKING:
    from typing_extensions import ParamSpec

    P = ParamSpec("P")
T = TypeVar("T")

#: Names that :meth:`Scope.epoch` takes.
SCORES = ("dev_loss", "dev_score", "test_loss", "test_score", "train_score")


def _with_parameters_of(other: Callable[P, T]) -> Callable[[Callable[..., T]], Callable[P, T]]:
    """Gives a function the parameters of another, for ``help()`` and editors."""

    def decorate(function: Callable[..., T]) -> Callable[P, T]:
        own = inspect.signature(function).return_annotation
        function.__signature__ = inspect.signature(other).replace(return_annotation=own)  # type: ignore[attr-defined]
        return function

    return decorate


class Scope:
    """Records a model while it trains; made by :func:`watch`, which documents the parameters.

    Call :meth:`step` once for every step of the optimizer: after ``loss.backward()``, before gradients are
    clipped and before ``optimizer.step()``. The other order raises :class:`OrderError`. Works as a context
    manager too; without it the record is ended when the process ends.

    ``model`` and ``layers`` are what is watched, without the wrappers of ``DistributedDataParallel`` and
    ``torch.compile``; ``path`` is where the record of this ``rank`` of ``world`` is written; ``closed`` tells
    whether it has ended.
    """

    def __init__(
        self,
        model: nn.Module,
        path: str | os.PathLike[str],
        *,
        every: Every = EVERY,
        optimizer: Given | None = None,
        scaler: Any = None,
        loss: str | None = None,
        targets: Tensor | None = None,
        chance_loss: float | None = None,
        rows: int | None = None,
        epochs: int | None = None,
        clip_norm: float | None = UNKNOWN,
        clip_value: float | None = None,
        activations: bool = True,
        name: str | None = None,
        data: str = "unknown",
    ) -> None:
        target = Target(model)
        settings = Settings(
            every=every,
            loss=loss,
            targets=targets,
            baseline_loss=chance_loss,
            rows=rows,
            epochs=epochs,
            clip_norm=clip_norm,
            clip_value=clip_value,
            name=type(model).__name__ if name is None else name,
            data=data,
        )
        ranks = Ranks.current()
        run = Run(target, settings, Optimizers(optimizer, target.parameters), ranks, record_path(path, ranks))
        self.model, self.layers = target.model, target.layers
        self.path, self.rank, self.world = run.path, ranks.rank, ranks.world
        self.closed = False
        self._scaler = scaler
        self._session = Session(run, activations and not target.is_compiled)
        atexit.register(self._at_exit)

    def step(self, loss: Any, scaler: Any = None) -> None:
        """Records a step of the optimizer: after ``loss.backward()``, before clipping and ``optimizer.step()``.

        ``loss`` is the step's loss as it is to be recorded, unscaled: the tensor itself, which is only read
        at capture points. ``scaler``: the gradient scaler, if not given to :func:`watch`.
        """
        if self.closed:
            raise OrderError("scope.step(loss) after scope.close()")
        self._session.step(loss, scaler or self._scaler)

    def epoch(self, **scores: float) -> None:
        """Ends an epoch, after its last ``optimizer.step()``; with what is known of it.

        Takes ``train_score``, ``dev_loss``, ``dev_score``, ``test_loss`` and ``test_score``: numbers, scores
        the higher the better (accuracy as a share of 1, or minus the mean squared error).
        """
        unknown = sorted(scores.keys() - set(SCORES))
        if unknown:
            raise TypeError(f"epoch() takes {', '.join(SCORES)}; not {', '.join(unknown)}")
        if not self.closed:
            self._session.epoch(scores)

    def close(self, outcome: str | None = "finished") -> None:
        """Writes what is left and the end, and lets go of the model; a run that failed has no ``outcome``."""
        if self.closed:
            return
        self.closed = True
        atexit.unregister(self._at_exit)
        self._session.close(outcome)

    def __enter__(self) -> Scope:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(_outcome(kind))

    def _at_exit(self) -> None:
        self.close(_outcome(getattr(sys, "last_type", None)))


@_with_parameters_of(Scope)
def watch(*args: Any, **settings: Any) -> Scope:
    """Begins to record how a model trains; ``gradscope report PATH`` says what became of it.

    Under ``torch.distributed`` every rank writes a file of its own, ``run.rank0.jsonl`` for ``run.jsonl``;
    ``gradscope merge`` makes one of them. Settings that cannot be raise ``ValueError``.

    :param model: the model, as the script trains it; may be wrapped in ``DistributedDataParallel`` or compiled.
    :param path: the file of the record, whose folder is made; one that is there is replaced.
    :param every: steps after which everything is captured, which reports call an epoch (100); ``"epoch"`` where
        :meth:`Scope.epoch` says when one ends.
    :param optimizer: the optimizer, or several; left out, those that hold the model's parameters are found.
    :param scaler: a gradient scaler, whose scale is taken out of gradients.
    :param loss: ``"bce"``, ``"cross-entropy"`` or ``"mse"``; left out, it is found in the graph of the loss.
    :param targets: the training targets, a row for every row of the training set, of which the baseline loss is
        computed.
    :param chance_loss: the baseline loss, that of the best constant prediction. Without it or ``targets``, rules that
        ask whether anything is learned are not measured.
    :param rows: rows of the training set.
    :param epochs: epochs that there will be.
    :param clip_norm: the norm that gradients are clipped at, ``None`` for not at all.
    :param clip_value: the value that gradients are clipped at, ``None`` for not at all.
    :param activations: whether to look at what layers put out.
    :param name: the name of the model in reports; its class, unless told otherwise.
    :param data: the name of the data in reports.
    """
    return Scope(*args, **settings)


Scope.__init__.__doc__ = watch.__doc__


def _outcome(kind: type[BaseException] | None) -> str | None:
    """Returns how a run ended that this has ended; one that failed just stops, and its record with it."""
    if kind is None:
        return "finished"
    return "interrupted" if issubclass(kind, KeyboardInterrupt) else None
