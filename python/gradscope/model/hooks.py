"""Hooks that stay behind when their module is copied or saved."""

from __future__ import annotations

from typing import Any, Callable


class Hook:
    """Calls a function as a hook; of a copy of the module nothing is measured, and its scope is not copied with it."""

    def __init__(self, call: Callable[..., None]) -> None:
        self._call = call

    def __call__(self, *args: Any) -> None:
        """Calls it with what the hook is called with."""
        self._call(*args)

    def __deepcopy__(self, memo: dict[int, Any]) -> Callable[..., None]:
        return nothing

    def __reduce__(self) -> tuple[Callable[[], Callable[..., None]], tuple[()]]:
        return _left_behind, ()


def nothing(*args: Any) -> None:
    """Takes the place of a hook in a copy."""


def _left_behind() -> Callable[..., None]:
    return nothing
