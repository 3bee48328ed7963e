"""The loss scale of mixed precision."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def inverse_scale(scaler: Any) -> Tensor | None:
    """Returns one over the loss scale, where gradients still carry it; nothing is waited for."""
    scale = getattr(scaler, "_scale", None)
    if scaler is None or scale is None or not scaler.is_enabled():
        return None
    states = getattr(scaler, "_per_optimizer_states", {})
    stages = [getattr(s.get("stage"), "name", "") for s in states.values()]
    if any(stage == "UNSCALED" for stage in stages):
        return torch.ones((), device=scale.device)
    inverse: Tensor = 1.0 / scale.detach()
    return inverse
