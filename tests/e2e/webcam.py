"""Films for Chromium's fake webcam at ten pictures a second: a file of JPEGs it plays at thirty, and then pictures are decoded,
encoded, sent, tracked and drawn three times as often as these tests need."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

FPS = 10


def write(path: Path, pictures: Iterable[NDArray[np.uint8]]) -> Path:
    """pictures: (H, W, 3) uint8 RGB of one size, even both ways. Chromium plays them over and over (YUV4MPEG2)."""
    with path.open("wb") as film:
        for i, picture in enumerate(pictures):
            if i == 0:
                height, width = picture.shape[:2]
                film.write(f"YUV4MPEG2 W{width} H{height} F{FPS}:1 Ip A1:1 C420\n".encode())
            film.write(b"FRAME\n" + cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path
