"""The processes that train one model together."""

from __future__ import annotations

from typing import NamedTuple

import torch


class Ranks(NamedTuple):
    """The number of this process, from 0, and how many there are."""

    rank: int
    world: int

    @classmethod
    def current(cls) -> Ranks:
        """Asks ``torch.distributed``; a process that is alone is the only rank."""
        distributed = torch.distributed
        if distributed.is_available() and distributed.is_initialized():
            return cls(distributed.get_rank(), distributed.get_world_size())
        return cls(0, 1)

    @property
    def are_several(self) -> bool:
        """Tells whether the record is to be merged with those of others."""
        return self.world > 1
