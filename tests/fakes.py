"""Stand-ins for the heavy parts, importable by name from a spawned render process."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import AvatarFileError
from models.types import DriveFrame
from realtime.view import View


class FakePipeline:
    """Follows the webcam visibly: the whole picture's green is the frame's mean brightness; red follows the view's yaw.

    green = mean brightness of the webcam frame (0 before the first); red = 40 * yaw + 100; blue = 40. Without noise, so a
    codec keeps the colours within a few steps. `track_seconds` and `render_seconds` are slept, to stand for work.
    """

    def __init__(
        self,
        width: int,
        height: int,
        *,
        track_seconds: float = 0.0,
        render_seconds: float = 0.0,
        fail: str = "",
        crash_on_black: bool = False,
    ) -> None:
        if fail:
            raise AvatarFileError(fail)
        self.timings: dict[str, float] = {}
        self._track_seconds, self._render_seconds = track_seconds, render_seconds
        self._crash_on_black = crash_on_black
        self._calibrations = 0

    def step(self, rgb: NDArray[np.uint8], timestamp: float) -> DriveFrame:
        """Mean brightness, carried in the first coefficient."""
        time.sleep(self._track_seconds)
        brightness = float(rgb.mean()) / 255
        if self._crash_on_black and brightness < 0.02:
            os.kill(os.getpid(), signal.SIGKILL)
        self.timings["track"] = self._track_seconds * 1000
        coefficients = np.zeros(52, np.float32)
        coefficients[0] = brightness
        return DriveFrame(timestamp, coefficients=coefficients)

    def render(self, drive: DriveFrame, view: View, out: NDArray[np.uint8]) -> None:
        """One flat colour."""
        time.sleep(self._render_seconds)
        out[...] = flat_color(float(drive.coefficients[0]) * 255, view.yaw)
        self.timings["splat"] = self._render_seconds * 1000

    def recalibrate(self) -> None:
        """Counted: from then on `calibrating`."""
        self._calibrations += 1

    @property
    def calibrating(self) -> bool:
        """Whether it was ever asked."""
        return self._calibrations > 0


def flat_color(brightness: float, yaw: float) -> NDArray[np.uint8]:
    """What `FakePipeline` draws, (3,) uint8 RGB."""
    return np.array([40 * yaw + 100, brightness, 40], np.float64).clip(0, 255).astype(np.uint8)


def never_ready(**_: Any) -> FakePipeline:
    """A pipeline that dies while it loads."""
    os._exit(3)
