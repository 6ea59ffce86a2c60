"""Stand-ins for the heavy parts, importable by name from a spawned render process."""

from __future__ import annotations

import os
import signal
import stat
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import AvatarFileError
from models.types import DriveFrame
from realtime.view import ViewRequest


class FakePipeline:
    """Follows the webcam visibly: the whole picture's green is the frame's mean brightness; red follows the view's yaw.

    green = mean brightness of the webcam frame (0 before the first); red = 40 * yaw + 100; blue = 40, or the first byte of the
    avatar. Without noise, so a codec keeps the colours within a few steps. Frames darker than `face_from` (0 to 1) show no
    face. `track_seconds` and `render_seconds` are slept, to stand for work. A black frame kills the process with
    `crash_on_black`, and is tracked for ever with `hang_on_black`.
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
        hang_on_black: bool = False,
        face_from: float = 0.0,
        grain: int = 0,
        avatar: bytes = b"",
    ) -> None:
        if fail:
            raise AvatarFileError(fail)
        self.timings: dict[str, float] = {}
        self._track_seconds, self._render_seconds = track_seconds, render_seconds
        self._crash_on_black, self._hang_on_black = crash_on_black, hang_on_black
        self._face_from = face_from
        self._blue = avatar[0] if avatar else 40
        self._grain = np.random.default_rng(0).integers(0, grain, (8, height, width, 3), np.uint8) if grain else None
        self._drawn = 0
        self.calibrations = 0

    def step(self, rgb: NDArray[np.uint8], timestamp: float) -> DriveFrame:
        """Mean brightness, carried in the first coefficient."""
        time.sleep(self._track_seconds)
        brightness = float(rgb.mean()) / 255
        if self._crash_on_black and brightness < 0.02:
            os.kill(os.getpid(), signal.SIGKILL)
        while self._hang_on_black and brightness < 0.02:
            time.sleep(0.1)
        self.timings["track"] = self._track_seconds * 1000
        coefficients = np.zeros(52, np.float32)
        coefficients[0] = brightness
        return DriveFrame(timestamp, float(brightness >= self._face_from), coefficients=coefficients)

    def render(self, drive: DriveFrame, view: ViewRequest, out: NDArray[np.uint8]) -> None:
        """One flat colour."""
        time.sleep(self._render_seconds)
        out[...] = flat_color(float(drive.coefficients[0]) * 255, view.yaw, self._blue)
        if self._grain is not None:
            self._drawn += 1
            np.add(np.minimum(out, 255 - self._grain.max()), self._grain[self._drawn % len(self._grain)], out=out)
        self.timings["splat"] = self._render_seconds * 1000

    def recalibrate(self) -> None:
        """Counted: from then on `calibrating`."""
        self.calibrations += 1

    @property
    def calibrating(self) -> bool:
        """Whether it was ever asked."""
        return self.calibrations > 0


def flat_color(brightness: float, yaw: float, blue: float = 40) -> NDArray[np.uint8]:
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
