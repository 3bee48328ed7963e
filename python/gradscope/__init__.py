"""Records how the layers of a PyTorch model learn.

>>> scope = gradscope.watch(model, "run.jsonl")     # once
>>> scope.step(loss)                                # after loss.backward(), before optimizer.step()

``gradscope report run.jsonl`` then says which layers do not learn, since when, why, and what fixes it.
"""

from ._constants import VERSION as __version__
from .api import Scope, watch
from .model.order import OrderError
from .recorder import EVERY
from .settings import chance_loss

__all__ = ["EVERY", "OrderError", "Scope", "__version__", "chance_loss", "watch"]
