"""Stage times and rates over the last moments, and of the whole process since it began."""

from __future__ import annotations

import statistics
import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STAGES = ("decode", "landmarks", "track", "solve", "pose", "splat", "encode", "total", "picture")
"""What is counted since the process began; pictures count, their time is nothing."""
BOUNDS = (1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0, 80.0, 100.0, 150.0, 250.0, 500.0, 1000.0)
"""Upper ends of the classes that times are counted in, milliseconds; one more class holds the rest."""


class StageTotals:
    """How many times of each stage fell into which class, and their sum, since the process began. Thread-safe; nothing is
    allocated for a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = {stage: [0] * (len(BOUNDS) + 1) for stage in STAGES}
        self._sums = dict.fromkeys(STAGES, 0.0)

    def add(self, stage: str, milliseconds: float) -> None:
        """One measurement; those of other stages are left out."""
        counts = self._counts.get(stage)
        if counts is not None:
            with self._lock:
                counts[bisect_left(BOUNDS, milliseconds)] += 1
                self._sums[stage] += milliseconds

    def read(self) -> dict[str, tuple[list[int], float]]:
        """Stage -> count in each class, sum in milliseconds."""
        with self._lock:
            return {stage: (list(counts), self._sums[stage]) for stage, counts in self._counts.items()}


TOTALS = StageTotals()
"""Of this process; every `StageTimes` adds to it."""


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
        TOTALS.add(stage, milliseconds)

    def restart(self, window: float, most: int) -> None:
        """Forget all measurements, and keep those to come for another time; all who have this object see the same ones."""
        with self._lock:
            self._window, self._most, self._entries = window, most, {}

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
