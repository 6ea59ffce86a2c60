"""How long work tells how far along it is."""

from __future__ import annotations

from collections.abc import Callable

ProgressCallback = Callable[[str, float], None]
"""Called with the name of the stage and the part of all work that is done, 0 to 1."""


def no_progress(stage: str, part: float) -> None:
    """A `ProgressCallback` that does nothing."""
