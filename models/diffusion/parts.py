"""What the expression encoder looks at: both eyes with their brows, the mouth and the whole face, on one square picture.

One look at a whole face spends most of its pixels on cheeks and hair, and has to find an iris that is a few pixels wide. Cut out
by the landmarks, an eye lies in the same place for every face and every turn of the head, and is half as large again. The left
eye is mirrored: what is learned about one eye holds for the other.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

STEADY = (33, 133, 362, 263, 168, 2, 98, 327)
"""Landmarks that no expression moves: corners of the eyes, bridge, base and wings of the nose."""
USUAL = np.array([
    (-0.465, -0.193), (-0.172, -0.164), (0.172, -0.164), (0.465, -0.193), (0.0, -0.206), (0.0, 0.323), (-0.165, 0.298),
    (0.165, 0.298),
])  # fmt: skip
"""Where they lie in a picture of an average face, about their middle; the squares sum to 1. That is the unit below."""
PARTS = (
    # around the mean of which landmarks (none: of the steady ones), how far below it, half a side, mirrored
    ((33, 133), -0.10, 0.32, False),
    ((263, 362), -0.10, 0.32, True),
    ((2, 98, 327), 0.22, 0.46, False),
    ((), 0.12, 1.0, False),
)
"""Upper left, upper right, lower left, lower right quarter of the picture."""
BLURRED = 1.3
"""A picture that has more of its pixels than this in a pixel of a part is shrunk first."""


def face_parts(picture: NDArray[Any], landmarks: NDArray[np.floating], side: int) -> NDArray[Any]:
    """The four parts of a face cut out of `picture`, (H, W, 3) uint8 or float32: (side, side, 3) of the same type.

    landmarks: (478, 2) pixels. What lies beyond the picture's edge is as its edge is.
    """
    marks = np.asarray(landmarks, np.float64)
    middle, unit = placed(marks)
    half_side = side // 2
    length = float(np.hypot(*unit[:, 0]))
    out = np.empty((side, side, 3), picture.dtype)
    for k, (around, below, half, mirrored) in enumerate(PARTS):
        source, shrunk = picture, 1.0
        coarse = 2 * half * length / half_side
        if coarse > BLURRED:
            shrunk = 1 / coarse
            size = [max(1, round(n * shrunk)) for n in (picture.shape[1], picture.shape[0])]
            source = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        center = (marks[list(around)].mean(axis=0) if around else middle) + unit @ (0.0, below)
        matrix = half * unit * ((-1, 1) if mirrored else (1, 1)) / (0.5 * half_side)
        first = center - matrix @ np.full(2, 0.5 * half_side - 0.5) - 0.5  # cv2 counts from the middle of the first pixel
        scale = np.array([source.shape[1] / picture.shape[1], source.shape[0] / picture.shape[0]])
        affine = np.concatenate([matrix * scale[:, None], (scale * (first + 0.5) - 0.5)[:, None]], axis=1)
        row, column = divmod(k, 2)
        out[row * half_side : (row + 1) * half_side, column * half_side : (column + 1) * half_side] = cv2.warpAffine(
            source, affine, (half_side, half_side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        )
    return out


def placed(marks: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middle (2,) of the steady landmarks, and (2, 2) what takes `USUAL` there: turned and scaled, by least squares."""
    here = marks[list(STEADY)]
    middle = here.mean(axis=0)
    x, y = (here - middle).T
    a, b = (x * USUAL[:, 0] + y * USUAL[:, 1]).sum(), (y * USUAL[:, 0] - x * USUAL[:, 1]).sum()
    return middle, np.array([[a, -b], [b, a]])
