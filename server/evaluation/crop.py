"""The square crop around a clip's face in which pictures are compared; one crop for all pictures of a clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ClipError
from models.tracking.closed_form import foreground_colors
from models.tracking.landmarks import detect_faces
from models.tracking.matting import matte_frame

Pixels = NDArray[np.uint8]

SIDE = 512
"""Side of the scaled crop, pixels."""
DIAGONALS = 1.67
"""Side of the crop, in diagonals of the landmarks' bounding box."""
WHITE = (255, 255, 255)


@dataclass(frozen=True)
class FaceCrop:
    """left, top, side: the square in pixels of the clip, which it may overhang. width, height: of the clip."""

    left: int
    top: int
    side: int
    width: int
    height: int

    @staticmethod
    def around_face(rgb: Pixels) -> FaceCrop:
        """Around the largest face of a picture (H, W, 3). Raises `ClipError` when there is none."""
        faces = detect_faces(rgb, max_faces=1)
        if not faces:
            raise ClipError("a clip that begins with a face was expected, none was found in its first picture; cut its start off")
        left, top, right, bottom = faces[0].box
        side = max(2, round(DIAGONALS * float(np.hypot(right - left, bottom - top))))
        height, width = rgb.shape[:2]
        return FaceCrop(round((left + right - side) / 2), round((top + bottom - side) / 2), side, width, height)

    def cut(self, rgb: Pixels) -> Pixels:
        """The square of a picture of the clip's size, (SIDE, SIDE, 3); white beyond the border."""
        x0, y0, x1, y1 = max(self.left, 0), max(self.top, 0), self.left + self.side, self.top + self.side
        pads = (max(-self.top, 0), max(y1 - self.height, 0), max(-self.left, 0), max(x1 - self.width, 0))
        square = cv2.copyMakeBorder(rgb[y0:y1, x0:x1], *pads, cv2.BORDER_CONSTANT, value=WHITE)
        way = cv2.INTER_AREA if self.side > SIDE else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(square, (SIDE, SIDE), interpolation=way), np.uint8)

    def matted(self, rgb: Pixels) -> Pixels:
        """The square with the person on white, without the background's colours.

        Only the part that the clip shows is matted: white padding misleads the segmentation, and hair beside it is lost.
        """
        square = self.cut(rgb)
        shown = self.clipped(np.zeros_like(square)).min(axis=2) < 255
        rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
        window = square[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        faces = detect_faces(window, max_faces=1)
        alpha = matte_frame(np.ascontiguousarray(window), faces[0] if faces else None)
        window[:] = over_white(255 * foreground_colors(window.astype(np.float32) / 255, alpha), alpha)
        return self.clipped(square)

    def clipped(self, square: Pixels) -> Pixels:
        """A cut picture with white where the clip shows nothing."""
        black = np.zeros((self.height, self.width, 3), np.uint8)
        return np.maximum(square, self.cut(black))


def over_white(rgb: NDArray[Any], alpha: NDArray[np.floating]) -> Pixels:
    """(H, W, 3) in [0, 255] with alpha (H, W) in [0, 1] on white."""
    a = alpha[..., None].astype(np.float32)
    return np.asarray(rgb * a + 255 * (1 - a) + 0.5, np.float32).clip(0, 255).astype(np.uint8)
