"""Files of avatars that may be exchanged for better ones while somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from models.errors import StorageError

Result = TypeVar("Result")


def read_latest(name_of: Callable[[], str], read: Callable[[str], Result]) -> tuple[str, Result]:
    """The name of a file and what `read` makes of it. When the file is gone because another one has taken its place just now,
    that one's. name_of: looks for the name anew, and raises when there is none any more. Raises what both raise; `StorageError`
    only for a file that is still the one to read."""
    before = None
    while True:
        name = name_of()
        try:
            return name, read(name)
        except StorageError:
            if name == before:
                raise
            before = name
