"""Plain threads that run nogil kernels side by side, shared by all rasterizers of the process.

The caller always takes part, and the kernels claim their work piece by piece, so a helper that starts late (the GIL was
elsewhere) or never (the pool is busy with another picture) costs speed and nothing else.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

MOST = 16

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None


def available() -> int:
    """How many threads this process may use at once, at most MOST."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, MOST))


def run(task: Callable[[int], None], workers: int) -> None:
    """Call task(0) here and task(1) .. task(workers - 1) on helpers; return when all that began have ended."""
    helpers = [_shared_pool().submit(task, worker) for worker in range(1, workers)]
    try:
        task(0)
    finally:
        for helper in helpers:
            if not helper.cancel():
                helper.result()


def _shared_pool() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max(1, available() - 1), thread_name_prefix="splat")
        return _pool


def _forget_pool() -> None:
    """In a forked child the parent's threads do not exist, and its lock may be held for ever."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
