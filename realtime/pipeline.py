"""The work of the render process for every webcam frame and every view.

`Pipeline` is all that the process asks for, so tests run it with a fake. `LivePipeline` is the real one; nothing heavy is
imported before it is made.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from models.errors import MissingPartError
from models.types import Camera, DriveFrame, Gaussians
from realtime.quality import QualityControl
from realtime.rest import relative
from realtime.view import ViewRequest

if TYPE_CHECKING:
    from models.heads.base import PersonHead
    from models.splat.base import LiveRasterizer
    from models.tracking.landmarks import Landmarks

Pixels = NDArray[np.uint8]
FACE_SHARE = 0.8
"""Of the picture's height that `facing` fills with head and shoulders."""


class Pipeline(Protocol):
    """`step` and `recalibrate` run in one thread, `render` in another; each is called by one thread at a time."""

    timings: dict[str, float]
    """Milliseconds that each stage took the last time it ran: track, solve, pose, splat."""

    def step(self, rgb: Pixels, timestamp: float) -> DriveFrame:
        """A webcam frame, (H, W, 3) uint8 RGB, taken at `timestamp` seconds -> the drive frame to render.

        Its pose is relative to the resting head: the identity is upright and in the middle. Confidence 0: there is no face.
        """

    def render(self, drive: DriveFrame, view: ViewRequest, out: Pixels) -> None:
        """Draw the avatar into `out`, (height, width, 3) uint8 RGB, all of it."""

    def recalibrate(self) -> None:
        """Measure the resting face anew in the next second."""

    @property
    def calibrating(self) -> bool:
        """Whether the resting face is being measured."""


def load_factory(where: str) -> Callable[..., Pipeline]:
    """The callable that 'package.module:name' names."""
    module, _, name = where.partition(":")
    try:
        return cast("Callable[..., Pipeline]", getattr(importlib.import_module(module), name))
    except (ImportError, AttributeError, ValueError) as error:
        raise MissingPartError(f"the pipeline {where!r} was expected, but cannot be loaded ({error})") from error


class LivePipeline:
    """Tracker, solver, calibration and smoothing for the webcam; poser and rasterizer for the views.

    The avatar is posed once for a drive frame, however many views look at it. `avatar` is an avatar file's bytes. Raises
    `AvatarFileError` when they are none, `MissingPartError` for a rasterizer that is not installed.
    """

    def __init__(self, avatar: bytes, width: int = 512, height: int = 512, rasterizer: str = "auto") -> None:
        from models import avatar_file
        from models.heads import registry
        from models.renderer import AvatarRenderer
        from models.splat import choose
        from models.tracking.calibration import Calibration
        from models.tracking.face_tracker import FaceTracker
        from models.tracking.one_euro import DriveFilter
        from models.tracking.solver import Solver

        loaded = avatar_file.loads(avatar)
        model = registry.by_name(loaded.head)
        avatar_file.check(loaded, model)
        self.timings: dict[str, float] = {}
        self._rasterizer = cast("LiveRasterizer", choose.by_name(rasterizer))
        self._renderer = AvatarRenderer(loaded, model, self._rasterizer, width, height)
        self._posed: tuple[DriveFrame, Gaussians] | None = None
        self._quality, self._spent = QualityControl(), 0.0
        self._small: Pixels = np.zeros((0, 0, 3), np.uint8)
        self._tracker = FaceTracker()
        self._solver = Solver(self._renderer.person)
        self._calibration = Calibration(self._solver)
        self._filter = DriveFilter()
        self._warm_up(width, height)

    def _warm_up(self, width: int, height: int) -> None:
        """Compile and allocate everything for the first frame, so that it does not wait."""
        picture: Pixels = np.zeros((height, width, 3), np.uint8)
        self._tracker.track(picture)
        self._solver.solve(facing(self._renderer.person), 0.0)
        self._solver.reset()
        self.render(DriveFrame(), ViewRequest(), picture)

    def step(self, rgb: Pixels, timestamp: float) -> DriveFrame:
        """See `Pipeline`."""
        with self._timed("track"):
            landmarks = self._tracker.track(rgb)
        with self._timed("solve"):
            was_running = self._calibration.running
            drive = self._calibration.solve(landmarks, timestamp)
            if was_running and not self._calibration.running:
                self._filter.reset()  # the frames until now were measured from another resting face
            return drive if drive.confidence <= 0 else relative(self._filter(drive), self._calibration.pose)

    def render(self, drive: DriveFrame, view: ViewRequest, out: Pixels) -> None:
        """See `Pipeline`. Smaller and scaled up where the machine is too slow; at rest always in full."""
        if self._posed is None or self._posed[0] is not drive:
            if self._posed is not None and self._posed[0].confidence > 0:
                self._quality.add(self._spent)
            self._spent = 0.0
            with self._timed("pose"):
                self._posed = drive, self._renderer.gaussians(drive)
        with self._timed("splat"):
            camera = self._renderer.view_camera(view.yaw, view.pitch, view.distance)
            self._draw(self._posed[1], camera, self._quality.scale if drive.confidence > 0 else 1.0, out)
        self._spent += self.timings["splat"]

    def _draw(self, gaussians: Gaussians, camera: Camera, scale: float, out: Pixels) -> None:
        background = self._renderer.background
        if scale == 1.0:
            self._rasterizer.render_into(gaussians, camera, out, background)
            return
        import cv2

        width, height = round(scale * camera.width), round(scale * camera.height)
        if self._small.shape[:2] != (height, width):
            self._small = np.zeros((height, width, 3), np.uint8)
        self._rasterizer.render_into(gaussians, camera.resized(width, height), self._small, background)
        cv2.resize(self._small, (camera.width, camera.height), dst=out, interpolation=cv2.INTER_CUBIC)

    def recalibrate(self) -> None:
        """See `Pipeline`."""
        self._calibration.restart()

    @property
    def calibrating(self) -> bool:
        """See `Pipeline`."""
        return bool(self._calibration.running)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.timings[stage] = (time.perf_counter() - start) * 1000


def facing(person: PersonHead, width: int = 640, height: int = 480) -> Landmarks:
    """The landmarks of a resting face in the middle of a webcam's picture, as a tracker without errors sees them."""
    from models.tracking.landmarks import Landmarks

    scale = FACE_SHARE * height / float(np.ptp(person.rest[:, 1]))
    points = person.landmarks(person.rest) * np.array([scale, -scale, -scale], np.float32)
    return Landmarks(points + np.array([width / 2, height / 2, 0], np.float32), 1.0, width, height)
