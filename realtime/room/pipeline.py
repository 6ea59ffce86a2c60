"""What a room's render process does for each participant's webcam frame and for each picture.

`RoomPipeline` is all that the process asks for, so tests run it with a fake. `LiveRoomPipeline` is the real one; nothing heavy
is imported before it is made.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from models.errors import MissingPartError
from models.types import Array64, Camera, DriveFrame
from realtime.rest import relative
from realtime.room.framing import WHITE, Color

if TYPE_CHECKING:
    from models.heads.base import PersonHead
    from models.splat.base import LiveRasterizer
    from models.tracking.calibration import Calibration
    from models.tracking.face_tracker import FaceTracker
    from models.tracking.landmarks import Landmarks
    from models.tracking.one_euro import DriveFilter
    from models.tracking.solver import Solver
    from models.types import Gaussians
    from realtime.room.scene import SceneAvatar

Pixels = NDArray[np.uint8]
FACE_SHARE = 0.8
"""Of the picture's height that `facing` fills with head and shoulders."""


@dataclass(frozen=True)
class Shown:
    """One avatar of a picture. transform: (4, 4) rigid, avatar space -> the camera's world. pixels_per_metre: on the picture."""

    participant: int
    drive: DriveFrame
    transform: Array64
    pixels_per_metre: float


class RoomPipeline(Protocol):
    """`step`, `follow` and `recalibrate` are called by one thread a participant, `draw` and `leave` by another, `join` and
    `replace` by a third; `leave` comes after the last `step` or `follow` of a participant, `draw` shows nobody who has left."""

    timings: dict[str, float]
    """Milliseconds that each stage took the last time it ran: track, solve, pose, splat."""

    def join(self, participant: int, avatar: bytes) -> None:
        """Load an avatar file's bytes. Raises `VisavisError`."""

    def replace(self, participant: int, avatar: bytes) -> None:
        """Show another avatar of the same person from the next picture on, in the same pose. Raises `VisavisError`; then the old
        one stays. Nothing happens for somebody who has left."""

    def refine(self, participant: int) -> bool:
        """Do a piece of what makes pictures of a participant cheaper, if pictures as they are now asked for would be; called by
        the thread of `join` now and then while nobody comes. Returns whether it did something. False after `leave`."""

    def leave(self, participant: int) -> None:
        """Forget the participant."""

    def step(self, participant: int, rgb: Pixels, timestamp: float) -> DriveFrame:
        """A webcam frame, (H, W, 3) uint8 RGB, taken at `timestamp` seconds -> a drive frame relative to the resting head: the
        identity is upright and in the middle. Confidence 0: there is no face."""

    def follow(self, participant: int, landmarks: Landmarks | None, timestamp: float) -> DriveFrame:
        """As `step`, of a picture in which the page has found these landmarks by itself. None: no face. Their confidence is the
        page's word: it can only be lowered by what they show."""

    def recalibrate(self, participant: int) -> None:
        """Take the face of the next second as neutral."""

    def calibrating(self, participant: int) -> bool:
        """Whether the neutral face is being taken."""

    def draw(self, shown: list[Shown], camera: Camera, scale: float, out: Pixels, background: Color = WHITE) -> None:
        """Draw over `background` (sRGB) into `out`, (height, width, 3) uint8 RGB, or 4 with the opacity; all of it. scale: part
        of the full size to draw at before scaling up."""


def load_factory(where: str) -> Callable[..., RoomPipeline]:
    """The callable that 'package.module:name' names."""
    module, _, name = where.partition(":")
    try:
        return cast("Callable[..., RoomPipeline]", getattr(importlib.import_module(module), name))
    except (ImportError, AttributeError, ValueError) as error:
        raise MissingPartError(f"the pipeline {where!r} was expected, but cannot be loaded ({error})") from error


@dataclass
class _Participant:
    """tracker: made with the first webcam picture; it takes 40 ms and 35 MB, and who has no webcam needs none."""

    calibration: Calibration
    smoother: DriveFilter
    avatar: SceneAvatar
    tracker: FaceTracker | None = None


class LiveRoomPipeline:
    """Tracker, solver, calibration and smoothing for each webcam; posers and one rasterizer for the pictures.

    Raises `MissingPartError` for a rasterizer that is not installed.
    """

    def __init__(self, width: int = 512, height: int = 512, rasterizer: str = "auto") -> None:
        from models.renderer import view_camera
        from models.splat import choose
        from models.types import Gaussians
        from realtime.room.scene import Composer

        self.timings: dict[str, float] = {}
        self._rasterizer = cast("LiveRasterizer", choose.by_name(rasterizer))
        self._people: dict[int, _Participant] = {}
        self._compose = Composer()
        self._small: Pixels = np.zeros((0, 0, 3), np.uint8)
        nothing = Gaussians(*(np.zeros(shape, np.float32) for shape in ((1, 3), (1, 4), (1, 3), 1, (1, 3))))
        out = np.zeros((height, width, 3), np.uint8)
        self._rasterizer.render_into(nothing, view_camera(width=width, height=height), out)  # compiles

    def join(self, participant: int, avatar: bytes) -> None:
        """See `RoomPipeline`."""
        from models.tracking.calibration import Calibration
        from models.tracking.one_euro import DriveFilter

        scene_avatar, solver = _loaded(avatar)
        self._people[participant] = _Participant(Calibration(solver), DriveFilter(), scene_avatar)

    def replace(self, participant: int, avatar: bytes) -> None:
        """See `RoomPipeline`. What is known of the resting face goes on with the new head."""
        person = self._people.get(participant)
        if person is None:
            return
        scene_avatar, solver = _loaded(avatar)
        calibration = person.calibration.continued(solver)
        if participant in self._people:
            person.calibration, person.avatar = calibration, scene_avatar

    def refine(self, participant: int) -> bool:
        """See `RoomPipeline`."""
        person = self._people.get(participant)
        return person is not None and person.avatar.refine()

    def leave(self, participant: int) -> None:
        """See `RoomPipeline`."""
        gone = self._people.pop(participant, None)
        if gone is not None and gone.tracker is not None:
            gone.tracker.close()

    def step(self, participant: int, rgb: Pixels, timestamp: float) -> DriveFrame:
        """See `RoomPipeline`."""
        person = self._people[participant]
        calibration = person.calibration  # `replace` may change it meanwhile
        tracker = person.tracker = person.tracker or _tracker()
        with self._timed("track"):
            landmarks = tracker.track(rgb)
        return self._solve(person, calibration, landmarks, timestamp)

    def follow(self, participant: int, landmarks: Landmarks | None, timestamp: float) -> DriveFrame:
        """See `RoomPipeline`."""
        from models.tracking.face_tracker import trust

        if landmarks is not None:
            own = trust(landmarks.points, landmarks.width, landmarks.height)
            landmarks = replace(landmarks, confidence=min(landmarks.confidence, 1.0) * own)
        person = self._people[participant]
        return self._solve(person, person.calibration, landmarks, timestamp)

    def _solve(self, person: _Participant, calibration: Calibration, landmarks: Landmarks | None, timestamp: float) -> DriveFrame:
        with self._timed("solve"):
            was_running = calibration.running
            drive = calibration.solve(landmarks, timestamp)
            if was_running and not calibration.running:
                person.smoother.reset()  # the frames until now were told from another rest
            return drive if drive.confidence <= 0 else relative(person.smoother(drive), calibration.pose)

    def recalibrate(self, participant: int) -> None:
        """See `RoomPipeline`."""
        self._people[participant].calibration.restart()

    def calibrating(self, participant: int) -> bool:
        """See `RoomPipeline`."""
        person = self._people.get(participant)
        return person is not None and bool(person.calibration.running)

    def draw(self, shown: list[Shown], camera: Camera, scale: float, out: Pixels, background: Color = WHITE) -> None:
        """See `RoomPipeline`."""
        from realtime.room.scene import Placed

        if not shown:
            out[..., :3] = background
            out[..., 3:] = 0
            return
        with self._timed("pose"):
            placed = [
                Placed(self._people[s.participant].avatar.gaussians(s.drive, scale * s.pixels_per_metre), s.transform)
                for s in shown
            ]
        with self._timed("splat"):
            gaussians, camera = self._compose(placed, camera)
            behind = (background[0] / 255, background[1] / 255, background[2] / 255)
            if scale == 1.0:
                self._splat(gaussians, camera, behind, out)
                return
            import cv2

            width, height = round(scale * camera.width), round(scale * camera.height)
            if self._small.shape != (height, width, out.shape[2]):
                self._small = np.zeros((height, width, out.shape[2]), np.uint8)
            self._splat(gaussians, camera.resized(width, height), behind, self._small)
            cv2.resize(self._small, (camera.width, camera.height), dst=out, interpolation=cv2.INTER_CUBIC)

    def _splat(self, gaussians: Gaussians, camera: Camera, background: tuple[float, float, float], out: Pixels) -> None:
        if out.shape[2] == 3:
            self._rasterizer.render_into(gaussians, camera, out, background)
            return
        import cv2

        picture = self._rasterizer.render(gaussians, camera, background=background)
        rgba = cv2.merge((*cv2.split(picture.color), picture.alpha))
        cv2.convertScaleAbs(rgba, dst=out, alpha=255.0)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.timings[stage] = (time.perf_counter() - start) * 1000


def _loaded(avatar: bytes) -> tuple[SceneAvatar, Solver]:
    """An avatar file's bytes ready to be drawn, and a solver for its head that is compiled. Raises `VisavisError`."""
    from models import avatar_file
    from models.heads import registry
    from models.tracking.solver import Solver
    from realtime.room.scene import SceneAvatar

    loaded = avatar_file.loads(avatar)
    model = registry.by_name(loaded.head)
    avatar_file.check(loaded, model)
    scene_avatar = SceneAvatar(loaded, model)
    solver = Solver(scene_avatar.person)
    solver.solve(facing(scene_avatar.person), 0.0)
    solver.reset()
    return scene_avatar, solver


def _tracker() -> FaceTracker:
    """A tracker that has seen its first picture, which takes longest."""
    from models.tracking.face_tracker import FaceTracker

    tracker = FaceTracker()
    tracker.track(np.zeros((480, 640, 3), np.uint8))
    return tracker


def facing(person: PersonHead, width: int = 640, height: int = 480) -> Landmarks:
    """The landmarks of a resting face in the middle of a webcam's picture, as a tracker without errors sees them."""
    from models.tracking.landmarks import Landmarks

    scale = FACE_SHARE * height / float(np.ptp(person.rest[:, 1]))
    points = person.landmarks(person.rest) * np.array([scale, -scale, -scale], np.float32)
    return Landmarks(points + np.array([width / 2, height / 2, 0], np.float32), 1.0, width, height)
