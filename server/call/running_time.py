"""A clock that stands still while the process does: suspended, starved, or held up by something long on its event loop."""

from __future__ import annotations

import time
from collections.abc import Callable


class RunningTime:
    """Seconds that pass while it is asked for at least every `longest` seconds; of a longer pause no more than that counts. So
    nobody is given up because nothing was heard of them while nobody listened."""

    def __init__(self, longest: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest, self._clock = longest, clock
        self._last = clock()
        self._stood = 0.0

    def __call__(self) -> float:
        """The time, seconds."""
        now = self._clock()
        self._stood += max(0.0, now - self._last - self._longest)
        self._last = now
        return now - self._stood
