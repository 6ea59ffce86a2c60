"""Stand-ins for the heavy parts, importable by name from a spawned render process; and avatar files that they read."""

from __future__ import annotations

import math
import os
import signal
import stat
import time
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import avatar_file
from models.avatar import Avatar
from models.binding import BoundGaussians
from models.errors import AvatarFileError
from models.tracking.landmarks import Landmarks
from models.types import Camera, DriveFrame
from realtime.room.framing import WHITE, Color
from realtime.room.pipeline import Pixels, Shown
from tests.one_by_one import OneByOne

BLUE = 40


@lru_cache
def fake_avatar(blue: int = BLUE, fault: str = "", preview: bytes = b"") -> bytes:
    """A valid avatar file of one Gaussian. blue: of the pictures that `FakePipeline` draws of it. fault: what goes wrong with it:
    refuse, crash (when it is loaded), step (when its webcam is tracked). preview: PNG."""
    one = BoundGaussians(
        face=np.zeros(1, np.int32),
        means=np.zeros((1, 3), np.float32),
        rotations=np.float32([[1, 0, 0, 0]]),
        scales=np.full((1, 3), 0.1, np.float32),
        opacities=np.ones(1, np.float32),
        colors=np.full((1, 3), blue / 255, np.float32),
    )
    previews = {"front": preview} if preview else {}
    nothing = np.zeros((1, 3), np.float32)
    made = Avatar("anny", np.zeros(1, np.float32), nothing, one, provenance={"fault": fault}, previews=previews)
    return avatar_file.encode(made)


class FakePipeline(OneByOne):
    """Follows webcams and cameras visibly: flat pictures whose red follows the yaw that the first avatar of the picture is seen
    from, green is the mean brightness of the webcams of those shown, and blue the mean of their avatars (`fake_avatar`).

    red = 40 * yaw + 100. Without noise, so a codec keeps the colours within a few steps; `grain` adds some. Frames darker than
    `face_from` (0 to 1) show no face. `track_seconds` and `draw_seconds` are slept, to stand for work. A black frame kills the
    process with `crash_on_black`. `noise` is written to stderr, as libraries in C do.
    """

    def __init__(
        self,
        width: int,
        height: int,
        *,
        track_seconds: float = 0.0,
        draw_seconds: float = 0.0,
        fail: str = "",
        crash_on_black: bool = False,
        face_from: float = 0.0,
        grain: int = 0,
        noise: str = "",
    ) -> None:
        os.write(2, noise.encode())
        if fail:
            raise AvatarFileError(fail)
        self.timings: dict[str, float] = {}
        self._track_seconds, self._draw_seconds = track_seconds, draw_seconds
        self._crash_on_black, self._face_from = crash_on_black, face_from
        self._grain = np.random.default_rng(0).integers(0, grain, (8, height, width, 3), np.uint8) if grain else None
        self._drawn = 0
        self._people: dict[int, Avatar] = {}
        self._calibrated: set[int] = set()

    def join(self, participant: int, avatar: bytes) -> None:
        """See `RoomPipeline`."""
        loaded = avatar_file.loads(avatar)
        if loaded.provenance["fault"] == "refuse":
            raise AvatarFileError("an avatar was expected, this is none; take another one")
        if loaded.provenance["fault"] == "crash":
            os._exit(9)
        self._people[participant] = loaded

    def replace(self, participant: int, avatar: bytes) -> None:
        """See `RoomPipeline`."""
        self.join(participant, avatar)

    def refine(self, participant: int) -> bool:
        """See `RoomPipeline`."""
        return False

    def leave(self, participant: int) -> None:
        """See `RoomPipeline`."""
        self._people.pop(participant, None)

    def step(self, participant: int, rgb: NDArray[np.uint8], timestamp: float) -> DriveFrame:
        """Mean brightness, carried in the first coefficient."""
        time.sleep(self._track_seconds)
        brightness = float(rgb.mean()) / 255
        if self._people[participant].provenance["fault"] == "step" or (self._crash_on_black and brightness < 0.02):
            os.kill(os.getpid(), signal.SIGKILL)
        self.timings["track"] = self._track_seconds * 1000
        coefficients = np.zeros(52, np.float32)
        coefficients[0] = brightness
        return DriveFrame(timestamp, float(brightness >= self._face_from), coefficients=coefficients)

    def follow(self, participant: int, landmarks: Landmarks | None, timestamp: float) -> DriveFrame:
        """How far right the landmarks lie, carried in the first coefficient."""
        coefficients = np.zeros(52, np.float32)
        if landmarks is not None:
            coefficients[0] = landmarks.points[:, 0].mean() / landmarks.width
        return DriveFrame(timestamp, float(landmarks is not None), coefficients=coefficients)

    def draw_one(self, shown: list[Shown], camera: Camera, scale: float, out: Pixels, background: Color = WHITE) -> None:
        """One flat colour; white of nobody."""
        time.sleep(self._draw_seconds)
        shown = [s for s in shown if s.participant in self._people]
        self.timings["splat"] = self._draw_seconds * 1000
        if not shown:
            out[..., :3], out[..., 3:] = background, 0
            return
        brightness = np.mean([s.drive.coefficients[0] for s in shown]) * 255
        blue = np.mean([self._people[s.participant].gaussians.colors[0, 2] for s in shown]) * 255
        out[..., :3], out[..., 3:] = flat_color(brightness, yaw_of(camera, shown[0]), blue), 255
        if self._grain is not None:
            self._drawn += 1
            np.add(np.minimum(out, 255 - self._grain.max()), self._grain[self._drawn % len(self._grain)], out=out)

    def recalibrate(self, participant: int) -> None:
        """From then on `calibrating`."""
        self._calibrated.add(participant)

    def calibrating(self, participant: int) -> bool:
        """Whether it was ever asked."""
        return participant in self._calibrated


def yaw_of(camera: Camera, shown: Shown) -> float:
    """Radians: the side from which the avatar is seen; 0 faces it, positive towards its left."""
    x, _, z, _ = np.linalg.inv(shown.transform) @ [*camera.position, 1.0]
    return math.atan2(x, z)


def flat_color(brightness: float, yaw: float, blue: float = BLUE) -> NDArray[np.uint8]:
    """What `FakePipeline` draws, (3,) uint8 RGB."""
    return np.array([40 * yaw + 100, brightness, blue], np.float64).clip(0, 255).astype(np.uint8)


def never_ready(**_: Any) -> FakePipeline:
    """A pipeline that dies while it loads."""
    os._exit(3)


def loads_for_ever(**_: Any) -> FakePipeline:
    """A pipeline that is never done with loading."""
    while True:
        time.sleep(1.0)


def talks_nonsense(**_: Any) -> FakePipeline:
    """A pipeline in a process that goes wild: it writes nonsense to whatever it can reach."""
    for handle in range(3, 64):
        if os.path.exists(f"/proc/self/fd/{handle}") and stat.S_ISSOCK(os.fstat(handle).st_mode):
            os.write(handle, b"\x80\x04nonsense\n" + bytes(range(256)) * 10)
    time.sleep(60)
    raise AssertionError
