"""What a check of the way to a room comes to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

LIMIT = 8.0
"""Seconds that one check may take."""

State = Literal["passed", "failed", "untested"]
SIGNS: dict[State, str] = {"passed": "✓", "failed": "✗", "untested": "-"}


@dataclass(frozen=True)
class Finding:
    """check: its name. text: what was found, the cure, or why it was not tested; one sentence."""

    check: str
    state: State
    text: str

    @property
    def line(self) -> str:
        """For a person."""
        return f"{SIGNS[self.state]} {self.check}: {self.text}"


class CheckError(Exception):
    """A check failed: one sentence with the cure."""


class UntrustedError(CheckError):
    """The certificate is none that browsers take, but the connection stands."""


@asynccontextmanager
async def limited(sentence: str) -> AsyncIterator[None]:
    """Raises `CheckError` with the sentence when the block takes longer than `LIMIT`."""
    try:
        async with asyncio.timeout(LIMIT):
            yield
    except TimeoutError:
        raise CheckError(sentence) from None
