"""Stage times and rates over the last moments."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class StageTimes:
    """Milliseconds by stage name, of the last `window` seconds (and at most `most` entries a stage). Thread-safe."""

    def __init__(self, window: float = 1.0, most: int = 256, clock: Callable[[], float] = time.monotonic) -> None:
        self._window, self._most, self._clock = window, most, clock
        self._lock = threading.Lock()
        self._entries: dict[str, deque[tuple[float, float]]] = {}

    def add(self, stage: str, milliseconds: float) -> None:
        """One measurement."""
        with self._lock:
            self._entries.setdefault(stage, deque(maxlen=self._most)).append((self._clock(), milliseconds))

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes."""
        start = time.perf_counter()
        yield
        self.add(stage, (time.perf_counter() - start) * 1000)

    def values(self, stage: str) -> list[float]:
        """The measurements of a stage, oldest first."""
        oldest = self._clock() - self._window
        with self._lock:
            return [value for when, value in self._entries.get(stage, ()) if when >= oldest]

    def medians(self) -> dict[str, float]:
        """Stage -> median milliseconds, for stages with a measurement in the window."""
        with self._lock:
            names = list(self._entries)
        found = {name: self.values(name) for name in names}
        return {name: round(statistics.median(values), 2) for name, values in found.items() if values}

    def rate(self, stage: str) -> float:
        """Measurements of a stage a second."""
        return len(self.values(stage)) / self._window
