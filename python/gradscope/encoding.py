"""Numbers as a record writes them."""

from __future__ import annotations

import base64
import math
import struct
import sys
from array import array
from typing import Any, Dict, Sequence

from ._constants import MOMENT_DIGITS, NORM_DIGITS

#: A line of a record, or a part of one.
Line = Dict[str, Any]


def number(value: float) -> Any:
    """Returns what stands for a number: itself, or the name of what is not finite."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def short(value: float) -> float:
    """Rounds to the digits that norms keep."""
    return float(f"{value:.{NORM_DIGITS - 1}e}") if math.isfinite(value) else value


def short_moment(value: float) -> float:
    """Rounds to the digits that moments keep in a history."""
    return float(f"{value:.{MOMENT_DIGITS - 1}e}")


def text(data: bytes) -> str:
    """Returns bytes as base64 without padding."""
    return base64.b64encode(data).decode("ascii").rstrip("=")


def floats(values: Sequence[float]) -> str:
    """Packs values as little-endian float32, in base64."""
    packed = array("f", values)
    if sys.byteorder == "big":
        packed.byteswap()
    return text(packed.tobytes())


def quantile_summary(values: Sequence[float]) -> str:
    """Packs the upper three bytes of each value as float32, rounded, in base64."""
    # A zero with a sign is written as one without.
    bits = struct.unpack(f">{len(values)}I", struct.pack(f">{len(values)}f", *(v + 0.0 for v in values)))
    packed = bytearray(struct.pack(f">{len(values)}I", *map(_rounded, bits)))
    del packed[3::4]
    return text(bytes(packed))


def _rounded(bits: int) -> int:
    """Rounds a float32 to one whose lowest byte is empty; never to infinity, nor to a zero with a sign."""
    rounded = bits + 0x80
    if rounded & 0x7F800000 == 0x7F800000:
        rounded = bits
    return 0 if rounded & 0xFFFFFF00 == 0x80000000 else rounded
