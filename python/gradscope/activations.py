"""What layers put out at a capture point, of every unit over its samples."""

import math
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

import torch
from torch import Tensor

from .device import CANCELLED, PIECE, TINY, known_at_once, wide, workspace
from .distribution import Distribution, floats
from .layers import Layer
from .record import number
from .sums import Measured


class Units(NamedTuple):
    """Mean and squared deviations of every unit over its samples."""

    count: int
    mean: Tensor
    deviations: Tensor
    #: The sum of all values and that of their squares, where these cost nothing.
    sums: Optional[Tuple[float, float]] = None

    @classmethod
    def of(cls, rows: Tensor, each: bool) -> "Units":
        """Of ``[samples, units]``; unless ``each`` unit is looked at, the sum of deviations is what is asked for."""
        if not each and known_at_once(rows.device) and rows.dtype == torch.float32 and rows.numel() <= PIECE:
            mean = rows.mean(0)
            apart = torch.sub(rows, mean, out=workspace(rows.numel(), rows.dtype).view(rows.shape))
            deviations = apart.square_().sum(0)
            # Where samples are much alike float32 leaves rounding, and its squares have a smaller range.
            count, of_means, all_of_them = rows.shape[0], torch.dot(mean, mean).item(), deviations.sum().item()
            if max(CANCELLED * count * of_means, TINY * TINY) < all_of_them < math.inf:
                return cls(count, mean, deviations, (count * mean.sum().item(), all_of_them + count * of_means))
        apart = rows.to(wide(rows), copy=True)
        mean = apart.mean(0)
        return cls(rows.shape[0], mean, apart.sub_(mean).square_().sum(0))

    def fetched(self) -> "Units":
        """On the processor, in float64."""
        return Units(self.count, self.mean.cpu().double(), self.deviations.cpu().double())

    def merged(self, other: "Units") -> "Units":
        """With the samples of another pass."""
        n, m = self.count, other.count
        apart = other.mean - self.mean
        deviations = self.deviations + other.deviations + apart * apart * (n * m / (n + m))
        return Units(n + m, self.mean + apart * (m / (n + m)), deviations)

    def spread(self) -> float:
        """Standard deviation over samples, the mean square of all units'; a single sample tells nothing."""
        if self.count < 2:
            return math.nan
        return math.sqrt(self.deviations.sum().item() / (self.count * self.deviations.numel()))


class Pass(NamedTuple):
    """What one forward pass showed of a layer."""

    pre: Measured
    post: Measured
    pre_units: Units
    post_units: Units
    saturated: Optional[Tensor]
    sums: Optional[Tensor]


class Fired:
    """On how many samples each ReLU unit fired, and its largest pre-activation."""

    def __init__(self, units: int, device: torch.device) -> None:
        self.samples = 0
        #: Numbers of the steps that were looked at.
        self.numbers: Set[int] = set()
        self.fired = torch.zeros(units, dtype=torch.int64, device=device)
        self.largest = torch.full((units,), -math.inf, device=device)

    def add(self, step: int, rows: Tensor) -> None:
        """Of ``[samples, units]``."""
        self.numbers.add(step)
        self.samples += rows.shape[0]
        self.fired += _positive(rows)
        self.largest = torch.maximum(self.largest, rows.float().amax(0))


class Activations:
    """What a layer put out at a capture point."""

    def __init__(self, layer: Layer, pre: Distribution, post: Distribution, one: Pass) -> None:
        self.layer, self.pre, self.post = layer, pre, post
        self.units = int(one.pre_units.mean.numel())
        self.moments = [one.pre_units.fetched(), one.post_units.fetched()]
        self.saturated = None if one.saturated is None else float(one.saturated)
        self.sums = None if one.sums is None else one.sums.tolist()

    def merge(self, other: "Activations") -> None:
        """Adds another pass of the same step."""
        mine, theirs = self.moments[0].count, other.moments[0].count
        self.pre.merge(other.pre)
        self.post.merge(other.post)
        self.moments = [a.merged(b) for a, b in zip(self.moments, other.moments)]
        if self.saturated is not None and other.saturated is not None:
            self.saturated = (self.saturated * mine + other.saturated * theirs) / (mine + theirs)
        if self.sums is not None and other.sums is not None:
            self.sums = [min(self.sums[0], other.sums[0]), max(self.sums[1], other.sums[1])]

    def line(
        self, gradient_rows: Optional[List[float]], firing: Optional[Dict[str, Any]], shared: bool, history: bool
    ) -> Dict[str, Any]:
        """As it stands in a record; with ``shared``, with what merging the records of ranks needs."""
        pre, post = self.moments
        line: Dict[str, Any] = {
            "pre": self.pre.wire("moments" if history else "all" if shared else "quantiles"),
            "post": self.post.wire("moments" if history else "all"),
            "units": self.units,
            "pre_sample_std": number(pre.spread()),
            "post_sample_std": number(post.spread()),
            "saturated_fraction": self.saturated,
        }
        if firing is not None:
            line["firing"] = firing
        hidden = not self.layer.output and self.units > 1
        if gradient_rows is not None and hidden and self.layer.activation != "relu":
            std = (post.deviations / post.count).sqrt() if post.count > 1 else post.deviations * math.nan
            line["activity"] = {"std": floats(std.tolist()), "grad": floats(gradient_rows)}
        if self.sums is not None:
            line["output_sum"] = {"min": number(self.sums[0]), "max": number(self.sums[1])}
        if shared:
            line["per_unit"] = {
                "samples": pre.count,
                "pre_mean": floats(pre.mean.tolist()),
                "pre_m2": floats(pre.deviations.tolist()),
                "post_mean": floats(post.mean.tolist()),
                "post_m2": floats(post.deviations.tolist()),
            }
        return line


def _positive(rows: Tensor) -> Tensor:
    """How many of ``[samples, units]`` are above zero in each unit."""
    count = rows.numel()
    if not known_at_once(rows.device) or count > PIECE:
        return (rows > 0).sum(0)
    # Float32 counts so few exactly, and adds up faster than truth values.
    return torch.gt(rows, 0, out=workspace(count, torch.float32).view(rows.shape)).sum(0).long()
