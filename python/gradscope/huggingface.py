"""For the Trainer of Hugging Face's transformers: ``gradscope.huggingface.watch(trainer, "run.jsonl")``."""

from .frameworks.huggingface import GradscopeCallback, watch

__all__ = ["GradscopeCallback", "watch"]
