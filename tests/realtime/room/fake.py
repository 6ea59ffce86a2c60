"""A room's pipeline without heads: each participant is a colour, a picture is the mean of those shown."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from models.errors import AvatarFileError
from models.tracking.landmarks import Landmarks
from models.types import Camera, DriveFrame
from realtime.room.framing import WHITE, Color
from realtime.room.pipeline import Pixels, Shown
from tests.one_by_one import OneByOne

DARK = 0.02
"""Mean brightness (0 to 1) of a webcam's picture under which it is black."""


class FakeRoomPipeline(OneByOne):
    """The avatar's bytes are three colours, and then what goes wrong with it: refuse, crash or stall (when it is loaded), step
    (when its webcam is tracked).

    lit: each colour is drawn as bright as the participant's webcam picture; black before the first. face_from: the least
    brightness (0 to 1) that shows a face; 0 asks for no face. track_seconds, draw_seconds: slept, to stand for work.
    tracking: a file that is made when a webcam's picture begins to be tracked. hang_on_black: a black webcam picture is tracked
    for ever. fail: the sentence of the error that making it raises.
    """

    def __init__(
        self,
        width: int,
        height: int,
        *,
        lit: bool = False,
        face_from: float = 0.0,
        track_seconds: float = 0.0,
        draw_seconds: float = 0.0,
        tracking: str = "",
        hang_on_black: bool = False,
        fail: str = "",
    ) -> None:
        if fail:
            raise AvatarFileError(fail)
        self.timings = {"track": 1.0, "solve": 0.1, "pose": 0.1, "splat": 2.0}
        self.calibrations = 0
        self.refined: list[int] = []
        self.draw_seconds = draw_seconds
        self._lit, self._face_from = lit, face_from
        self._tracking = Path(tracking) if tracking else None
        self._track_seconds, self._hang_on_black = track_seconds, hang_on_black
        self._people: dict[int, bytes] = {}
        self._calibrating: set[int] = set()

    def join(self, participant: int, avatar: bytes) -> None:
        if avatar[3:] == b"refuse":
            raise AvatarFileError("an avatar was expected, this is none; take another one")
        if avatar[3:] == b"crash":
            os._exit(9)
        if avatar[3:] == b"stall":
            time.sleep(60)
        self._people[participant] = avatar

    def replace(self, participant: int, avatar: bytes) -> None:
        self.join(participant, avatar)

    def refine(self, participant: int) -> bool:
        """Twice for each."""
        if self.refined.count(participant) == 2:
            return False
        self.refined.append(participant)
        return True

    def leave(self, participant: int) -> None:
        self._people.pop(participant, None)

    def step(self, participant: int, rgb: Pixels, timestamp: float) -> DriveFrame:
        """First coefficient: the brightness of the webcam's picture. Confidence: the brightness, or whether it shows a face."""
        if self._people[participant][3:] == b"step":
            os._exit(9)
        if self._tracking is not None:
            self._tracking.touch()
        time.sleep(self._track_seconds)
        brightness = float(rgb.mean() / 255)
        while self._hang_on_black and brightness < DARK:
            time.sleep(0.1)
        coefficients = np.zeros(52, np.float32)
        coefficients[0] = brightness
        confidence = float(brightness >= self._face_from) if self._face_from else brightness
        return DriveFrame(timestamp, confidence, coefficients=coefficients)

    def follow(self, participant: int, landmarks: Landmarks | None, timestamp: float) -> DriveFrame:
        """First coefficient: how far right the landmarks lie in their picture."""
        coefficients = np.zeros(52, np.float32)
        if landmarks is not None:
            coefficients[0] = landmarks.points[:, 0].mean() / landmarks.width
        return DriveFrame(timestamp, float(landmarks is not None), coefficients=coefficients)

    def recalibrate(self, participant: int) -> None:
        """The participant turns black unless `lit`, and is `calibrating` from then on."""
        self.calibrations += 1
        self._calibrating.add(participant)
        if not self._lit:
            self._people[participant] = bytes(3) + self._people[participant][3:]

    def calibrating(self, participant: int) -> bool:
        return participant in self._calibrating

    def draw_one(self, shown: list[Shown], camera: Camera, scale: float, out: Pixels, background: Color = WHITE) -> None:
        """People fill the picture; where nobody is, there is the background."""
        time.sleep(self.draw_seconds)
        colors = [
            np.frombuffer(self._people[s.participant], np.uint8, 3) * (s.drive.coefficients[0] if self._lit else 1.0)
            for s in shown
        ]
        assert out.shape[:2] == (camera.height, camera.width)
        out[..., :3] = np.round(np.mean(colors, axis=0)).astype(np.uint8) if colors else background
        out[..., 3:] = 255 if colors else 0
