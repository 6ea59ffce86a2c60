"""Head models by name, as avatar files name them."""

from __future__ import annotations

from functools import cache

from models.errors import HeadModelError
from models.heads.base import HeadModel

NAMES = ("anny", "flame2020", "flame2023")


def by_name(name: str) -> HeadModel:
    """The head model called `name`. Raises `HeadModelError` for an unknown one, or one whose file is missing."""
    if name == "anny":
        return _anny()
    if name in NAMES:
        from models.heads.flame import FlameHead

        return FlameHead(name)
    raise HeadModelError(f"one of the head models {', '.join(NAMES)} was expected, not {name!r}; update Visavis or enroll again")


@cache
def _anny() -> HeadModel:
    """Loaded once: it is the same for everybody, and never changed."""
    from models.heads.anny import AnnyHead

    return AnnyHead()
