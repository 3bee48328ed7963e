"""A callback for Lightning: ``Trainer(callbacks=[GradscopeCallback("run.jsonl")])``."""

from .frameworks.lightning import GradscopeCallback

__all__ = ["GradscopeCallback"]
