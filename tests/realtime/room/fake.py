"""A room's pipeline without heads: each participant is a colour, a picture is the mean of those shown."""

from __future__ import annotations

import os
import time

import numpy as np

from models.errors import AvatarFileError
from models.types import Camera, DriveFrame
from realtime.room.pipeline import Pixels, Shown


class FakeRoomPipeline:
    """The avatar's bytes are three colours, and then what goes wrong with it: refuse, crash (when it is loaded), step (when its
    webcam is tracked), hang."""

    def __init__(self, width: int, height: int) -> None:
        self.timings = {"track": 1.0, "solve": 0.1, "pose": 0.1, "splat": 2.0}
        self._people: dict[int, bytes] = {}

    def join(self, participant: int, avatar: bytes) -> None:
        if avatar[3:] == b"refuse":
            raise AvatarFileError("an avatar was expected, this is none; take another one")
        if avatar[3:] == b"crash":
            os._exit(9)
        self._people[participant] = avatar

    def leave(self, participant: int) -> None:
        self._people.pop(participant, None)

    def step(self, participant: int, rgb: Pixels, timestamp: float) -> DriveFrame:
        """Confidence: the brightness of the webcam's picture."""
        if self._people[participant][3:] == b"step":
            os._exit(9)
        if self._people[participant][3:] == b"hang":
            time.sleep(60)
        return DriveFrame(timestamp=timestamp, confidence=float(rgb.mean() / 255))

    def recalibrate(self, participant: int) -> None:
        self._people[participant] = bytes(3) + self._people[participant][3:]

    def calibrating(self, participant: int) -> bool:
        return False

    def draw(self, shown: list[Shown], camera: Camera, scale: float, out: Pixels) -> None:
        colors = [list(self._people[s.participant][:3]) for s in shown if s.participant in self._people]
        out[:] = np.mean(colors, axis=0).astype(np.uint8) if colors else 255
