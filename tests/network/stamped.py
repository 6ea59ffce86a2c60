"""Pictures that carry the time at which they were drawn, and what is read from them at the other end.

The time is a bar code in the top strip: `BITS` blocks from the left, most significant first, white for one, and an even
parity block. It counts milliseconds of the wall clock, which programs and browsers on one machine share, so the latency of
a picture is read from the picture itself. The rest is a head that moves without pause and is hard to code.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.tracking.landmarks import Landmarks
from models.types import Camera, DriveFrame
from realtime.room.framing import WHITE, Color
from realtime.room.pipeline import Shown as ShownAvatar
from tests.one_by_one import OneByOne

BITS = 24
STRIP = 0.05
"""Height of the code, in heights of the picture."""
GRAIN = 3.0
"""Noise that is new in each picture, grey levels (one sigma): a codec cannot predict it, as it cannot what is drawn anew."""
_WRAP = 1 << BITS


class StampedPipeline(OneByOne):
    """A pipeline for the render process (`ServerConfig.factory`): the moving head with the time of drawing."""

    def __init__(self, width: int, height: int) -> None:
        self.timings: dict[str, float] = {}
        self._make(height, width)

    def _make(self, height: int, width: int) -> None:
        import skimage.data
        from skimage.transform import resize

        face = skimage.data.astronaut()[:288, 80:368]
        self._head = (resize(face, (height, width)) * 255).astype(np.uint8)
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        self._grain = np.random.default_rng(0).normal(0, GRAIN, (2 * height, width, 1)).astype(np.int16)
        self._head[(x / 0.75) ** 2 + ((y - 0.1) / 0.95) ** 2 > 1] = (225, 228, 232)

    def join(self, participant: int, avatar: bytes) -> None:
        """Nothing to do: everybody looks the same."""

    def replace(self, participant: int, avatar: bytes) -> None:
        """Nothing to do."""

    def refine(self, participant: int) -> bool:
        """Nothing to do."""
        return False

    def leave(self, participant: int) -> None:
        """Nothing to do."""

    def step(self, participant: int, rgb: NDArray[np.uint8], timestamp: float) -> DriveFrame:
        """Nothing is tracked; the frame only sets the pace."""
        return DriveFrame(timestamp)

    def follow(self, participant: int, landmarks: Landmarks | None, timestamp: float) -> DriveFrame:
        """As `step`."""
        return DriveFrame(timestamp)

    def draw_one(
        self, shown: list[ShownAvatar], camera: Camera, scale: float, out: NDArray[np.uint8], background: Color = WHITE
    ) -> None:
        """The head where it is now, and the time."""
        now = time.time()
        if out.shape[:2] != self._head.shape[:2]:
            self._make(*out.shape[:2])
        across, down = round(9 * np.sin(2.5 * now)), round(5 * np.sin(4.1 * now))
        head = np.roll(self._head, (down, across), (0, 1))
        start = int(now * 1e4) % len(head)
        np.clip(head + self._grain[start : start + len(head)], 0, 255, out=out, casting="unsafe")
        stamp(out, round(now * 1000))

    def recalibrate(self, participant: int) -> None:
        """Nothing to do."""

    def calibrating(self, participant: int) -> bool:
        """Never."""
        return False


def stamp(picture: NDArray[np.uint8], milliseconds: int) -> None:
    """Write the time into (H, W, 3) uint8."""
    height, width = picture.shape[:2]
    bits = [milliseconds % _WRAP >> (BITS - 1 - i) & 1 for i in range(BITS)]
    bits.append(sum(bits) % 2)
    edges = np.linspace(0, width, BITS + 2).astype(int)
    for bit, left, right in zip(bits, edges, edges[1:]):
        picture[: round(STRIP * height), left:right] = 235 if bit else 20


def read(luma: NDArray[np.uint8]) -> int | None:
    """The time in (H, W) uint8, milliseconds modulo 2^24; `None` when the code is damaged."""
    height, width = luma.shape
    places = ((np.arange(BITS + 1) + 0.5) * width / (BITS + 1)).astype(int)
    bits = [int(bit) for bit in luma[round(STRIP * height / 2), places] > 128]
    return None if sum(bits) % 2 else int("".join(map(str, bits[:BITS])), 2)


WATCH = """video => {
  const bits = BITS, strip = STRIP, canvas = document.createElement('canvas');
  const draw = canvas.getContext('2d', { willReadFrequently: true });
  window.shown = [];
  const look = () => {
    const now = performance.timeOrigin + performance.now();
    canvas.width = video.videoWidth; canvas.height = 1;
    draw.drawImage(video, 0, Math.round(strip / 2 * video.videoHeight), video.videoWidth, 1, 0, 0, video.videoWidth, 1);
    const row = draw.getImageData(0, 0, video.videoWidth, 1).data;
    let code = 0, ones = 0;
    for (let i = 0; i <= bits; i++) {
      const one = row[4 * Math.floor((i + 0.5) * video.videoWidth / (bits + 1)) + 1] > 128;
      ones += one;
      if (i < bits) code = code * 2 + one;
    }
    window.shown.push([now, ones % 2 ? null : code, video.videoWidth]);
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
}""".replace("BITS", str(BITS)).replace("STRIP", str(STRIP))
"""JavaScript: list what a video element shows in `window.shown`: wall clock in milliseconds, the code, the width."""


@dataclass(frozen=True)
class Shown:
    """What a viewer saw. rate: new pictures a second. freeze: longest time without a new one; latency: median age; seconds."""

    rate: float
    freeze: float
    latency: float
    worst: float

    @staticmethod
    def of(rows: list[Any], start: float, end: float) -> Shown:
        """rows: (wall clock in milliseconds, code, ...) of each picture shown. start, end: of the span, seconds."""
        seen = [(row[0] / 1000, row[1]) for row in rows if start <= row[0] / 1000 < end and row[1] is not None]
        new = [row for row, before in zip(seen, [(0.0, -1), *seen]) if row[1] != before[1]]
        moments = [start, *(moment for moment, _ in new), end]
        ages = [((round(moment * 1000) - code) % _WRAP) / 1000 for moment, code in new]
        ages = [age if age < _WRAP / 2000 else 0.0 for age in ages] or [float("inf")]
        return Shown(len(new) / (end - start), float(np.diff(moments).max()), float(np.median(ages)), max(ages))
