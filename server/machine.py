"""What processor this is and how fast: what measured figures have to be read with."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

ADDITIONS = 2_000_000


def processor() -> str:
    """The processor's name as the system knows it, such as 'AMD EPYC', and how many of its cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{_name()}, {cores} {'core' if cores == 1 else 'cores'}"


def seconds_of_additions(repeats: int = 3) -> float:
    """Seconds of processor time that ten million additions in a Python loop take here, the best of `repeats`.

    One number of a processor and its clock, to compare machines by; it says nothing about vector units.
    """
    best = float("inf")
    for _ in range(repeats):
        total, start = 0, time.thread_time()
        for number in range(ADDITIONS):
            total += number
        best = min(best, time.thread_time() - start)
    return best * 10_000_000 / ADDITIONS


def _name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            field, _, value = line.partition(":")
            if field.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
