"""Who gets the blame when the process dies: those whose avatar or webcam picture its threads were working on. Of several at once
nobody can say whose fault it was, so a process that follows one that died works on one person at a time for a while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from realtime.room.hang import HangWatch
from realtime.room.memory import Flags

CAREFUL = 60.0
"""Seconds for which it does."""


class Blame:
    """flags: where the server looks when the process has died. careful: whether somebody is suspected already."""

    def __init__(self, flags: Flags, watch: HangWatch, *, careful: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._flags, self._watch, self._clock = flags, watch, clock
        self._turn = threading.Lock()
        self._careful_until = clock() + CAREFUL if careful else float("-inf")

    @contextmanager
    def working(self, worker: int, participant: int, patience: float = -1) -> Iterator[bool]:
        """The worker's thread is at one piece of work on a participant; -1: on nobody in particular. patience: seconds to wait
        for another thread's work, -1 without end; yields whether it is this one's turn. Who it was stays on record when the
        work raises: that ends the process."""
        careful = self._clock() < self._careful_until
        if careful and not self._turn.acquire(timeout=patience):
            yield False
            return
        self._flags.work_on(worker, participant)
        with self._watch.working(worker):
            yield True
        self._flags.work_on(worker, -1)
        if careful:
            self._turn.release()
