"""An engine that runs at once, and hands over to a better one that is still being built."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.engines.base import Arrays, Engine, zeros

log = logging.getLogger(__name__)

TOLERANCE = 0.02
"""Largest difference of an output, relative to its largest value, with which the other engine may take over: no jump is seen."""


class SwitchingEngine:
    """See `base.Engine`. first: runs meanwhile. make: builds the other, in a thread; when that fails or its results differ, the
    first stays."""

    def __init__(self, first: Engine, make: Callable[[], Engine]) -> None:
        self._engine, self._lock, self._closed = first, threading.Lock(), False
        self._last: Arrays = zeros(first.inputs)
        self.inputs, self.outputs = first.inputs, first.outputs
        self._building = threading.Thread(target=self._build, args=(make,), name="engine-build", daemon=True)
        self._building.start()

    @property
    def description(self) -> str:
        """Of the engine that runs now."""
        return self._engine.description

    def wait(self, timeout: float | None = None) -> None:
        """Until the other is built or has failed."""
        self._building.join(timeout)

    def run(self, feeds: Arrays) -> dict[str, NDArray[Any]]:
        """See `base.Engine`."""
        with self._lock:
            out = self._engine.run(feeds)
            self._last = feeds
            return out

    def close(self) -> None:
        """See `base.Engine`."""
        with self._lock:
            self._closed = True
            self._engine.close()

    def _build(self, make: Callable[[], Engine]) -> None:
        other: Engine | None = None
        try:
            other = make()
            other.run(zeros(other.inputs))  # its first run takes longest
            taken = self._take(other)
        except Exception as error:  # whatever CUDA or TensorRT has to say; the first one goes on
            log.warning("%s stays: %s", self.description, re.sub(r"\s+", " ", str(error) or type(error).__name__)[:200])
            taken = False
        if other is not None and not taken:
            other.close()

    def _take(self, other: Engine) -> bool:
        with self._lock:
            before = self._engine
            if self._closed:
                return False
            apart = difference(before.run(self._last), other.run(self._last))
            if not apart <= TOLERANCE:
                log.warning("%s stays: %s differs by %.3f", before.description, other.description, apart)
                return False
            self._engine = other
        log.info("%s takes over from %s", other.description, before.description)
        before.close()
        return True


def difference(ours: Arrays, theirs: Arrays) -> float:
    """The largest difference, relative to the largest value of each output; inf where shapes or names differ."""
    if ours.keys() != theirs.keys():
        return float("inf")
    apart = [0.0]
    for name, a in ours.items():
        b = theirs[name]
        if a.shape != b.shape:
            return float("inf")
        if a.size:
            largest = max(float(np.abs(a).max()), 1e-6)
            apart.append(float(np.abs(a.astype(np.float64) - b).max()) / largest)
    return max(apart) if np.isfinite(apart).all() else float("inf")
