"""Stopping in good order: nobody new is let in, those who are in a call may finish it for a while, then the server ends."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

log = logging.getLogger(__name__)

LOOK = 0.25
"""Seconds between two looks whether all have left."""


class Calls(Protocol):
    """What is drained."""

    @property
    def is_calling(self) -> bool:
        """Whether somebody has a connection for media."""

    def drain(self, seconds: float) -> None:
        """Let nobody new in, and tell those who are there. seconds: until the server ends."""


class Drain:
    """Of one server. Made on its event loop."""

    def __init__(self, seconds: float, calls: Calls, stop: Callable[[], None], release: Callable[[], Awaitable[None]]) -> None:
        """seconds: that calls may go on. stop: ends the server. release: gives the jobs that are worked on back to the queue."""
        self._seconds, self._calls, self._stop, self._release = seconds, calls, stop, release
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self.has_begun = False

    def begin(self) -> bool:
        """Begin, from a signal's handler; false when there is no time for it, or it has begun before: then stop at once."""
        if self._seconds <= 0 or self.has_begun:
            return False
        self.has_begun = True
        self._loop.call_soon_threadsafe(self._start)
        return True

    def _start(self) -> None:
        self._task = self._loop.create_task(self._drain())

    async def _drain(self) -> None:
        until = time.monotonic() + self._seconds
        log.info("draining: nobody new is let in")
        self._calls.drain(self._seconds)
        await self._release()
        while self._calls.is_calling and time.monotonic() < until:
            await asyncio.sleep(LOOK)
        self._stop()
