"""Hooks that stay behind when their module is copied or saved."""

from typing import Any, Callable, Dict, Tuple


class Hook:
    """Calls a function; of a copy of the module nothing is measured, and its scope is not copied with it."""

    def __init__(self, call: Callable[..., None]) -> None:
        self._call = call

    def __call__(self, *args: Any) -> None:
        self._call(*args)

    def __deepcopy__(self, memo: Dict[int, Any]) -> Callable[..., None]:
        return nothing

    def __reduce__(self) -> Tuple[Callable[[], Callable[..., None]], Tuple[()]]:
        return _left_behind, ()


def nothing(*args: Any) -> None:
    """What a copy's hook does."""


def _left_behind() -> Callable[..., None]:
    return nothing
