"""What all rooms' processes are forked from."""

from __future__ import annotations

import os
import subprocess
import sys

CHECK = """
import os, threading
import realtime.room.preload
from models.splat import blend
from models.tracking import gauss_newton
threads = threading.active_count(), len(os.listdir("/proc/self/task"))
print(*threads, *(len(kernel.signatures) for kernel in (gauss_newton._products, blend.blend_rgb)))
"""


def test_kernels_are_compiled_and_no_thread_runs_that_would_not_survive_a_fork() -> None:
    """Neither one of OpenBLAS, which would take time from drawing in each room."""
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["1", "1", "1", "1"]
