"""Head models by name, as avatar files name them."""

from __future__ import annotations

from models.errors import HeadModelError
from models.heads.base import HeadModel

NAMES = ("anny", "flame2020", "flame2023")


def by_name(name: str) -> HeadModel:
    """The head model called `name`. Raises `HeadModelError` for an unknown one, or one whose file is missing."""
    if name == "anny":
        from models.heads.anny import AnnyHead

        return AnnyHead()
    if name in NAMES:
        from models.heads.flame import FlameHead

        return FlameHead(name)
    raise HeadModelError(f"one of the head models {', '.join(NAMES)} was expected, not {name!r}; update Visavis or enroll again")
