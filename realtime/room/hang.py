"""Notices threads of the render process that are stuck in one piece of work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

LOOK = 0.5
"""Seconds between two looks that count at the most: time in which the watching thread does not run either, on a busy or suspended
machine, counts as little."""


class HungError(Exception):
    """One piece of work takes longer than its limit."""


class HangWatch:
    """limits: seconds that each worker's longest piece of work may take. `check` is called often, by a thread of its own."""

    def __init__(self, limits: list[float], now: float) -> None:
        self._limits, self._looked = limits, now
        self._work = [0] * len(limits)  # of each worker: a number of its own for each piece, 0 between two
        self._seen = [0] * len(limits)
        self._taken = [0.0] * len(limits)
        self._count = [0] * len(limits)

    @contextmanager
    def working(self, worker: int) -> Iterator[None]:
        """The worker's thread is at one piece of work."""
        self._count[worker] += 1
        self._work[worker] = self._count[worker]
        try:
            yield
        finally:
            self._work[worker] = 0

    def check(self, now: float) -> None:
        """Raise `HungError` when a worker is stuck."""
        passed, self._looked = min(now - self._looked, LOOK), now
        for worker, limit in enumerate(self._limits):
            work = self._work[worker]
            if not work or work != self._seen[worker]:
                self._seen[worker], self._taken[worker] = work, 0.0
            else:
                self._taken[worker] += passed
            if self._taken[worker] > limit:
                raise HungError
