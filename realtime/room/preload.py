"""What a room's render process needs of Python, imported once by the process that all of them are forked from.

So a room begins in a fraction of the time, and the rooms of a server share that memory. Nothing here may start a thread: threads
do not survive a fork.
"""

from __future__ import annotations

import importlib
import signal

import numpy as np

from models.heads import registry
from models.tracking.solver import Solver
from realtime.room.pipeline import facing

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
    "realtime.room.process",
    "realtime.room.scene",
)

signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it goes to the whole group; whoever started us decides when we stop
for name in MODULES:
    importlib.import_module(name)
model = registry.by_name("anny")
person = model.person(np.zeros(model.identity_count, np.float32))
Solver(person).solve(facing(person), 0.0)  # loads its compiled kernels, which takes 0.3 s
