"""Follows one face through a webcam's pictures: its landmarks, and how far they can be trusted."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.tracking.landmarks import FaceMesh, Landmarks
from models.types import Array

FACES = 2
"""Faces that are detected, so that a passer-by in the background does not take over."""
TAKE_OVER = 1.6
"""How much larger than the followed face another must be to be followed instead."""
SMALL, TINY = 60.0, 20.0
"""Pixels across at which a face is fully trusted, and not at all."""


class FaceTracker:
    """Finds and follows one face: at first the largest, which is followed until it is gone or another is much larger.

    static: the pictures are independent; otherwise each is searched where the last had its faces. For one thread. `close` it or
    use it in a `with` statement.
    """

    def __init__(self, static: bool = False) -> None:
        self._mesh = FaceMesh(static=static, faces=FACES)
        self._static = static
        self._last: Landmarks | None = None

    def track(self, rgb: NDArray[np.uint8]) -> Landmarks | None:
        """The followed face in (H, W, 3) uint8 RGB, or None."""
        height, width = rgb.shape[:2]
        faces = [Landmarks(points, trust(points, width, height), width, height) for points in self._mesh(rgb)]
        face = max(faces, key=lambda f: f.size, default=None)
        if face is not None and self._last is not None and not self._static:
            last = self._last
            followed = min(faces, key=lambda f: _apart(f, last))
            if _apart(followed, last) < 1.0 and face.size < TAKE_OVER * followed.size:
                face = followed
        self._last = face
        return face

    def close(self) -> None:
        """Free the networks."""
        self._mesh.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def trust(points: Array, width: int, height: int) -> float:
    """Confidence in [0, 1] in landmarks, (478, 3) pixels of a picture of that size: less for small faces, and for faces cut by
    the picture's border (the tracker invents that part)."""
    x, y = points[:, 0], points[:, 1]
    inside = float(np.mean((x >= 0) & (x < width) & (y >= 0) & (y < height)))
    across = float(min(np.ptp(x), np.ptp(y)))
    return inside**2 * float(np.clip((across - TINY) / (SMALL - TINY), 0.0, 1.0))


def _apart(a: Landmarks, b: Landmarks) -> float:
    """Distance of two faces in sizes of the second."""
    return float(np.linalg.norm((a.points - b.points)[:, :2].mean(axis=0))) / max(b.size, 1.0)
