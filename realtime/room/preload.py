"""What a room's render process needs of Python, imported once by the process that all of them are forked from.

So a room begins in half the time, and the rooms of a server share that memory. Nothing here may start a thread: threads do not
survive a fork.
"""

from __future__ import annotations

import importlib
import signal

from models.heads import registry

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
    "models.tracking.solver",
    "realtime.room.process",
    "realtime.room.scene",
)

signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it goes to the whole group; whoever started us decides when we stop
for name in MODULES:
    importlib.import_module(name)
registry.by_name("anny")
