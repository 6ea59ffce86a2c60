"""What runs in the render process for every webcam frame and every view.

`Pipeline` is all that the process asks for, so tests run it with a fake. `LivePipeline` is the real one; nothing heavy is
imported before it is made.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from models.errors import MissingPartError
from models.types import DriveFrame
from realtime.view import View

Pixels = NDArray[np.uint8]


class Pipeline(Protocol):
    """`step` and `recalibrate` run in one thread, `render` in another; each is called by one thread at a time."""

    timings: dict[str, float]
    """Milliseconds that each stage took the last time it ran: track, solve, pose, splat."""

    def step(self, rgb: Pixels, timestamp: float) -> DriveFrame:
        """A webcam frame, (H, W, 3) uint8 RGB, taken at `timestamp` seconds -> the drive frame to render."""

    def render(self, drive: DriveFrame, view: View, out: Pixels) -> None:
        """Draw the avatar into `out`, (height, width, 3) uint8 RGB, all of it."""

    def recalibrate(self) -> None:
        """Take the face of the next second as neutral."""

    @property
    def calibrating(self) -> bool:
        """Whether the neutral face is being taken."""


def load_factory(where: str) -> Callable[..., Pipeline]:
    """The callable that 'package.module:name' names."""
    module, _, name = where.partition(":")
    try:
        return cast("Callable[..., Pipeline]", getattr(importlib.import_module(module), name))
    except (ImportError, AttributeError) as error:
        raise MissingPartError(f"the pipeline {where!r} was expected, but cannot be loaded ({error})") from error


class LivePipeline:
    """Tracker, solver and smoothing for the webcam; the avatar renderer for the views."""

    def __init__(self, avatar_path: str | Path, width: int = 512, height: int = 512) -> None:
        from realtime.renderer import AvatarRenderer
        from realtime.smoothing import DriveSmoother, NeutralCalibration
        from realtime.solver import Solver
        from realtime.tracker import FaceTracker

        self.timings: dict[str, float] = {}
        self._width, self._height = width, height
        self._renderer = AvatarRenderer(avatar_path, width, height)
        self._tracker = FaceTracker()
        self._solver = Solver(self._renderer.head, self._renderer.identity)
        self._smoother = DriveSmoother()
        self._neutral = NeutralCalibration()
        self._last = DriveFrame(confidence=0.0)
        self._warm_up()

    def _warm_up(self) -> None:
        """Compile and allocate what the first frame would otherwise wait for."""
        picture: Pixels = np.zeros((self._height, self._width, 3), np.uint8)
        self._tracker.track(picture)
        self.render(DriveFrame(), View(), picture)

    def step(self, rgb: Pixels, timestamp: float) -> DriveFrame:
        """See `Pipeline`. Without a face the last pose stays, with confidence 0."""
        start = time.perf_counter()
        landmarks: Any = self._tracker.track(rgb)
        self.timings["track"] = (time.perf_counter() - start) * 1000
        start = time.perf_counter()
        self._last = self._solver.solve(landmarks, rgb.shape[1], rgb.shape[0], timestamp)
        self.timings["solve"] = (time.perf_counter() - start) * 1000
        return self._smoother(self._last)

    def render(self, drive: DriveFrame, view: View, out: Pixels) -> None:
        """See `Pipeline`."""
        self._renderer.render_into(drive, view.camera(self._width, self._height), out)

    def recalibrate(self) -> None:
        """See `Pipeline`."""

    @property
    def calibrating(self) -> bool:
        """See `Pipeline`."""
        return False
