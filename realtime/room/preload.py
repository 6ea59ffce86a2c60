"""What a room's render process needs of Python, imported once by the process that all of them are forked from.

So a room begins in a fraction of the time, and the rooms of a server share that memory. Nothing here may start a thread: threads
do not survive a fork.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal

MODULES = (
    "cv2",
    "mediapipe",
    "models.avatar_file",
    "models.renderer",
    "models.splat.choose",
    "models.splat.cpu",
    "models.tracking.calibration",
    "models.tracking.face_tracker",
    "models.tracking.one_euro",
    "realtime.room.choose_renderer",
    "realtime.room.cpu_renderer",
    "realtime.room.process",
    "realtime.room.scene",
    "realtime.room.warm",
)

signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it goes to the whole group; whoever started us decides when we stop
# Before NumPy is loaded: a room's matrices are small, and threads that wait for more of them take a tenth of its time away.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
for name in MODULES:
    importlib.import_module(name)
gc.collect()
gc.freeze()  # the rooms' collections write into none of this, so they go on sharing it
