"""Lists in parts: each answer names where the next one begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

Item = TypeVar("Item")
Row = TypeVar("Row")
MOST = 200
"""Entries of one answer."""
After = Annotated[str, Query(max_length=64, description="`next` of the part before; the beginning when left out.")]
Limit = Annotated[int, Query(ge=1, le=MOST, description="Entries at the most.")]


class Page(BaseModel, Generic[Item]):
    """A part of a list. next: for `?after=`, or None at the end."""

    items: list[Item]
    next: str | None = None


def page_of(rows: Iterable[Row], limit: int, out: Callable[[Row], Item], mark: Callable[[Row], object]) -> Page[Item]:
    """Of rows that begin where the part begins; one more than `limit` is looked at. mark: what `?after=` begins behind."""
    found = list(islice(rows, limit + 1))
    is_last = len(found) <= limit
    return Page(items=[out(row) for row in found[:limit]], next=None if is_last else str(mark(found[limit - 1])))
