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
    from models.tracking.calibration import Calibration
    from models.tracking.face_tracker import FaceTracker
    from models.tracking.landmarks import Landmarks
    from models.tracking.one_euro import DriveFilter
    from models.tracking.solver import Solver
    from realtime.room.renderer import RoomAvatar, RoomRenderer

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


@dataclass(frozen=True)
class PictureOrder:
    """A picture to draw. scale: part of the full size to draw at before scaling up. background: sRGB. mask: whether there is one
    below it (realtime/room/framing.py)."""

    shown: list[Shown]
    camera: Camera
    scale: float = 1.0
    background: Color = WHITE
    mask: bool = False


class RoomPipeline(Protocol):
    """`step`, `follow` and `recalibrate` are called by one thread a participant, `draw` and `leave` by another, `join` and
    `replace` by a third; `leave` comes after the last `step` or `follow` of a participant, `draw` shows nobody who has left."""

    timings: dict[str, float]
    """Milliseconds that each stage took the last time it ran: track, solve, pose, splat."""

    @property
    def at_once(self) -> int:
        """Pictures in one call of `draw` at the most: more than one where they are drawn faster together."""

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

    def draw(self, orders: list[PictureOrder]) -> list[Pixels]:
        """The pictures with their masks, valid until the next call: (height, width, 3) uint8 RGB, or (3 height / 2, width) uint8
        I420 (BT.601, limited range)."""


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
    avatar: RoomAvatar
    tracker: FaceTracker | None = None


class LiveRoomPipeline:
    """Tracker, solver, calibration and smoothing for each webcam; a renderer for the pictures.

    Raises `MissingPartError` for a rasterizer that is not installed.
    """

    def __init__(self, width: int = 512, height: int = 512, rasterizer: str = "auto") -> None:
        from realtime.room import choose_renderer

        self.timings: dict[str, float] = {}
        self._renderer = choose_renderer.choose(rasterizer, width, height)
        self._people: dict[int, _Participant] = {}

    @property
    def at_once(self) -> int:
        """See `RoomPipeline`."""
        return self._renderer.at_once

    def join(self, participant: int, avatar: bytes) -> None:
        """See `RoomPipeline`."""
        from models.tracking.calibration import Calibration
        from models.tracking.one_euro import DriveFilter

        ready, solver = _loaded(avatar, self._renderer)
        self._people[participant] = _Participant(Calibration(solver), DriveFilter(), ready)

    def replace(self, participant: int, avatar: bytes) -> None:
        """See `RoomPipeline`. What is known of the resting face goes on with the new head."""
        person = self._people.get(participant)
        if person is None:
            return
        ready, solver = _loaded(avatar, self._renderer)
        calibration = person.calibration.continued(solver)
        if participant in self._people:
            person.calibration, person.avatar = calibration, ready

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

    def draw(self, orders: list[PictureOrder]) -> list[Pixels]:
        """See `RoomPipeline`."""
        from realtime.room.renderer import Appearance, RoomPicture

        def appearance(shown: Shown) -> Appearance:
            return Appearance(self._people[shown.participant].avatar, shown.drive, shown.transform, shown.pixels_per_metre)

        pictures = [RoomPicture([appearance(s) for s in o.shown], o.camera, o.scale, o.background, o.mask) for o in orders]
        return self._renderer.draw(pictures, self.timings)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.timings[stage] = (time.perf_counter() - start) * 1000


def _loaded(avatar: bytes, renderer: RoomRenderer) -> tuple[RoomAvatar, Solver]:
    """An avatar file's bytes ready to be drawn, and a solver for its head that is compiled. Raises `VisavisError`."""
    from models import avatar_file
    from models.heads import registry
    from models.tracking.solver import Solver

    loaded = avatar_file.loads(avatar)
    model = registry.by_name(loaded.head)
    avatar_file.check(loaded, model)
    ready = renderer.avatar(loaded, model)
    solver = Solver(ready.person)
    solver.solve(facing(ready.person), 0.0)
    solver.reset()
    return ready, solver


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
