"""A file that is exchanged for a better one while somebody reads it."""

from __future__ import annotations

import pytest

from models.errors import StorageError
from server.api.latest import read_latest


def test_the_one_that_took_its_place_is_read() -> None:
    names, there = iter(["instant", "standard", "high"]), {"high": b"the best"}

    def read(name: str) -> bytes:
        if name not in there:
            raise StorageError("gone")
        return there[name]

    assert read_latest(lambda: next(names), read) == ("high", b"the best")


def test_one_that_is_missing_and_has_no_other_is_an_error() -> None:
    asked = []

    def read(name: str) -> bytes:
        asked.append(name)
        raise StorageError("gone")

    with pytest.raises(StorageError, match="gone"):
        read_latest(lambda: "instant", read)
    assert asked == ["instant"] * 2
