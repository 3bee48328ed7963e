"""The devices of tensors: the cost of looking at a number there, and memory to work in."""

from __future__ import annotations

import threading
from itertools import islice
from typing import List, Sequence, Union

import torch
from torch import Tensor

#: Values that are added up at a time on the processor: four megabytes.
PIECE = 1 << 20
#: Largest values from which float32 is enough for squares, and the share of the squares that their deviations have
#: then to be.
TINY, CANCELLED = 1e-12, 1e-2
#: Numbers that are known, or still on their device.
Numbers = Union[List[float], Tensor]


def wide(tensor: Tensor) -> torch.dtype:
    """Returns the type to add up in: float64, where the device has it."""
    return torch.float32 if tensor.device.type == "mps" else torch.float64


def known_at_once(device: torch.device) -> bool:
    """Tells whether looking at a number on this device waits for nothing."""
    return device.type == "cpu"


def together(scalars: Sequence[Tensor]) -> Numbers:
    """Joins scalars; on the processor, where nothing is waited for, they are looked at."""
    waiting = [s.device for s in scalars if not known_at_once(s.device)]
    if not waiting:
        return [s.item() for s in scalars]
    return torch.stack([s.float().to(waiting[0]) for s in scalars])


def fetched(numbers: Sequence[Numbers]) -> list[list[float]]:
    """Brings all numbers over, in one copy from the device."""
    waiting = [n for n in numbers if isinstance(n, Tensor)]
    values = iter(torch.cat(on_one_device(waiting)).tolist() if waiting else [])
    return [list(islice(values, n.numel())) if isinstance(n, Tensor) else n for n in numbers]


def on_one_device(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Moves tensors to the device of the first: layers of a model may be on several."""
    return [t.to(tensors[0].device) for t in tensors]


class _Workspaces(threading.local):
    def __init__(self) -> None:
        self.by_type: dict[torch.dtype, Tensor] = {}


_workspaces = _Workspaces()


def workspace(count: int, dtype: torch.dtype) -> Tensor:
    """Returns memory for so many numbers on the processor; this thread's next call writes over it where they are no
    more than :data:`PIECE`."""
    if count > PIECE:
        return torch.empty(count, dtype=dtype, device="cpu")
    if dtype not in _workspaces.by_type:
        # One that was made in inference mode could not be written to outside of it.
        with torch.inference_mode(False):
            _workspaces.by_type[dtype] = torch.empty(PIECE, dtype=dtype, device="cpu")
    return _workspaces.by_type[dtype][:count]
