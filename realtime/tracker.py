"""The webcam's face, frame after frame: MediaPipe's 478 landmarks, searched where the last frame had them."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.landmarks import FaceMesh, Landmarks

FIRST_CONFIDENCE, GAIN = 0.5, 0.25
"""Confidence of a face that has just appeared, and by how much of the rest it grows with each further frame."""


class FaceTracker:
    """Follows the most prominent face of a stream. One thread at a time; `close` it or use it in a `with` statement.

    static: every picture stands alone.
    """

    def __init__(self, static: bool = False) -> None:
        self._mesh = FaceMesh(static=static)
        self._static = static
        self._confidence = 0.0

    def track(self, rgb: NDArray[np.uint8]) -> Landmarks | None:
        """The face in (H, W, 3) uint8 RGB, or None where there is none."""
        faces = self._mesh(rgb)
        if not faces:
            self._confidence = 0.0
            return None
        points = max(faces, key=lambda p: float(np.ptp(p[:, 0]) * np.ptp(p[:, 1])))
        new = self._confidence == 0.0 or self._static
        self._confidence = FIRST_CONFIDENCE if new else self._confidence + GAIN * (1.0 - self._confidence)
        confidence = 1.0 if self._static else self._confidence
        return Landmarks(points, confidence, rgb.shape[1], rgb.shape[0])

    def close(self) -> None:
        """Free the networks."""
        self._mesh.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
