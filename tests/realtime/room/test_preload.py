"""What all rooms' processes are forked from."""

from __future__ import annotations

import os
import subprocess
import sys

CHECK = """
import os, threading
import realtime.room.preload
from models.tracking import gauss_newton
print(threading.active_count(), len(os.listdir("/proc/self/task")), len(gauss_newton._products.signatures) > 0)
"""


def test_the_solver_is_compiled_and_no_thread_runs_that_would_not_survive_a_fork() -> None:
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["1", "1", "True"]
