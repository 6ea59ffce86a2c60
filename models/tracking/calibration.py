"""The neutral face, taken in the first second of a call: what everything else is measured against.

A fitted head is never quite the person's, and nobody's resting face is quite at zero. While the calibration runs, the frames
are solved as they are; then the median of what is left between the resting landmarks and the fitted head becomes the
solver's offset, so that the resting face has all coefficients at zero and looks straight ahead, and the median pose becomes
the place that viewers see as upright and in the middle.
"""

from __future__ import annotations

import numpy as np

from models import arkit
from models.heads.base import quaternion, rotation_matrix
from models.tracking.landmarks import Landmarks
from models.tracking.solver import Rest, Solver
from models.types import Array64, DriveFrame

SECONDS = 1.0
LEAST_FRAMES, MOST_FRAMES = 12, 60
LEAST_CONFIDENCE = 0.3
CALMEST = 0.4
"""Share of the frames that counts: those with the least expression. Nobody rests for a whole second."""
ROUNDS = 2
"""The offset changes the poses a little, and they the offset."""


class NeutralCalibration:
    """Stands before a solver: gives its drive frames, and sets its `offset` from the first second of usable ones.

    running: whether the neutral face is still being taken. pose: (4, 4) of the resting head, avatar space -> webcam (OpenGL
    axes), for `realtime.rest.relative`; while running, that of the frames so far; the identity before the first.
    """

    def __init__(self, solver: Solver) -> None:
        self._solver = solver
        self.pose: Array64 = np.eye(4)
        self.restart()

    def restart(self) -> None:
        """Take the face of the next second as neutral."""
        self.running = True
        self._faces: list[Landmarks] = []
        self._liveliness: list[float] = []
        self._start: float | None = None

    def solve(self, landmarks: Landmarks | None, timestamp: float) -> DriveFrame:
        """The drive frame of a webcam frame; None (no face seen) repeats the last with confidence 0. timestamp: seconds."""
        if landmarks is None:
            return self._solver.hold(timestamp)
        frame = self._solver.solve(landmarks, timestamp)
        if self.running and frame.confidence >= LEAST_CONFIDENCE:
            self._take(landmarks, frame)
        return frame

    def _take(self, landmarks: Landmarks, frame: DriveFrame) -> None:
        if self._start is None or not 0.0 <= frame.timestamp - self._start < 60.0:
            self._start = frame.timestamp
        self._faces.append(landmarks)
        still = np.delete(frame.coefficients, arkit.GAZE)
        self._liveliness.append(float(np.abs(still).sum() + np.abs(self._solver.eyes.closing).sum()))
        if len(self._faces) == 1:
            self.pose = _matrix(rotation_matrix(frame.rotation), frame.translation)
        enough = frame.timestamp - self._start >= SECONDS and len(self._faces) >= LEAST_FRAMES
        if enough or len(self._faces) >= MOST_FRAMES:
            self._finish()

    def _finish(self) -> None:
        order = np.argsort(self._liveliness)[: max(LEAST_FRAMES // 2, int(CALMEST * len(self._faces)))]
        usable = [self._faces[i] for i in order]
        solver = self._solver
        solver.offset = np.zeros_like(solver.offset)
        for _ in range(ROUNDS):
            rests: list[Rest] = [rest for face in usable if (rest := solver.rest(face)) is not None]
            if len(rests) < LEAST_FRAMES // 3:
                self.restart()
                return
            solver.offset = solver.offset + np.median([rest.misfit for rest in rests], axis=0)
        turns = np.array([quaternion(rest.rotation) for rest in rests])
        turns *= np.sign(turns @ turns[0])[:, None]
        self.pose = _matrix(rotation_matrix(np.median(turns, axis=0)), np.median([rest.translation for rest in rests], axis=0))
        solver.reset()
        self.running = False
        self._faces, self._liveliness = [], []


def _matrix(rotation: Array64, translation: Array64) -> Array64:
    m = np.eye(4)
    m[:3, :3], m[:3, 3] = rotation, translation
    return m
