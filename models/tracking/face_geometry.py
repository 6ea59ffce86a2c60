"""Measures of one face in one picture, from its landmarks (size, turn, roll), and crops around the face."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.tracking.landmarks import Landmarks
from models.types import Array64

SHRUNK = 0.7
"""Scale under which a picture is blurred before it is sampled."""
FOREHEAD, CHIN, LEFT_CHEEK, RIGHT_CHEEK = 10, 152, 454, 234
LEFT_EYE, RIGHT_EYE = 263, 33
"""Landmarks; left is the person's."""
CONTOUR = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136,
    172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""The landmarks around the face, from the forehead by the person's left."""
WITHIN = 0.03
"""Face heights inwards from the contour, where a pixel begins to be surely the person's."""


def face_height(face: Landmarks) -> float:
    """Pixels between forehead and chin, independent of a tilt in the picture; at least as large as the cheeks are apart."""
    p = face.points[:, :2]
    return float(max(np.linalg.norm(p[FOREHEAD] - p[CHIN]), np.linalg.norm(p[LEFT_CHEEK] - p[RIGHT_CHEEK])))


def turned_away(face: Landmarks) -> float:
    """How far the face is turned to the side, degrees: the line between the cheeks against the picture plane."""
    across = face.points[LEFT_CHEEK] - face.points[RIGHT_CHEEK]
    return float(np.degrees(np.arctan2(abs(across[2]), np.linalg.norm(across[:2]))))


def roll(face: Landmarks) -> float:
    """Degrees by which the face is turned clockwise in the picture, -180 to 180: 0 is upright, 90 has its crown on the right."""
    p = face.points[:, :2]
    across, down = p[LEFT_EYE] - p[RIGHT_EYE], p[CHIN] - p[FOREHEAD]
    x = across / max(np.linalg.norm(across), 1e-6) + np.array([down[1], -down[0]]) / max(np.linalg.norm(down), 1e-6)
    return float(np.degrees(np.arctan2(x[1], x[0])))


def missing(photo: NDArray[np.uint8], face: Landmarks) -> float:
    """Which part of the landmarks lies beyond the photo's edge, [0, 1]."""
    p = face.points[:, :2]
    return float(np.mean((p < 0).any(axis=1) | (p >= [photo.shape[1], photo.shape[0]]).any(axis=1)))


def well_within(face: Landmarks, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """1 within the face's contour, `WITHIN` from it, else 0; shape: (H, W)."""
    out = np.zeros(shape, np.uint8)
    cv2.fillPoly(out, [np.round(face.points[list(CONTOUR), :2]).astype(np.int32)], 1)
    size = 2 * round(WITHIN * face_height(face)) + 1
    return np.asarray(cv2.erode(out, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))), np.uint8)


def square(photo: NDArray[np.uint8], matrix: Array64, side: int, beyond: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A square of `side` pixels out of the photo, shrunk without aliasing, grey value `beyond` where the photo ended; and
    where it did not, (side, side) bool. matrix: (2, 3), photo -> square, (0, 0) is the corner of both."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    corners = cv2.invertAffineTransform(matrix) @ np.array([[0, side, 0, side], [0, 0, side, side], [1, 1, 1, 1]])
    margin, end = 4 + 4 / scale, [photo.shape[1], photo.shape[0]]
    low = np.clip(np.floor(corners.min(axis=1) - margin), 0, end).astype(int)
    high = np.clip(np.ceil(corners.max(axis=1) + margin), 0, end).astype(int)
    part = photo[low[1] : high[1], low[0] : high[0]]
    if scale < SHRUNK:
        part = cv2.GaussianBlur(part, (0, 0), 0.5 / scale)
    matrix = matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ (low + 0.5) - 0.5  # warpAffine counts from pixel centres
    out = cv2.warpAffine(part, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.full(part.shape[:2], 255, np.uint8), matrix, (side, side), flags=cv2.INTER_NEAREST) > 0
    out[~inside] = beyond
    return np.asarray(out, np.uint8), inside


def around(face: Landmarks, heights: float, side: int, level: float) -> Array64:
    """(2, 3), picture -> a square of `side` pixels that is `heights` face heights wide, with the face in its middle and all of it
    turned `level` degrees against the clock."""
    middle, scale = 0.5 * (face.points[FOREHEAD, :2] + face.points[CHIN, :2]), side / (heights * face_height(face))
    matrix = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), level, scale)
    matrix[:, 2] += side / 2 - middle
    return np.asarray(matrix, np.float64)
