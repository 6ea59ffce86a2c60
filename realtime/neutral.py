"""Neutral calibration: the face of the first second is the person's face at rest.

What its landmarks differ by from the fitted head becomes the solver's offset, and its head pose the place from which the
avatar's head is moved.
"""

from __future__ import annotations

import numpy as np

from models.landmarks import Landmarks
from models.types import Array64
from realtime.solver import Rest, Solver

DURATION = 1.0
"""Seconds of frames that are taken."""
FEWEST = 8
"""Frames that must have shown a face; it goes on until then."""
LIKE_MOST = 0.7
"""Part of the frames that is kept: those nearest to the median, so that a blink does not become the resting face."""


class NeutralCalibration:
    """Collects resting faces for `solver` and sets its offset when it has enough; frames are solved meanwhile."""

    def __init__(self, solver: Solver) -> None:
        self._solver = solver
        self._rests: list[Rest] = []
        self._began: float | None = None
        self.running = True
        self.pose: Array64 | None = None

    def start(self) -> None:
        """Take the face of the next second."""
        self._rests, self._began, self.running = [], None, True

    def see(self, landmarks: Landmarks, timestamp: float) -> bool:
        """Look at a frame's landmarks; timestamp: seconds. True when `pose`, the resting head's (4, 4), avatar space -> webcam
        in OpenGL axes, has changed: with the first face, and when the calibration is finished."""
        if not self.running:
            return False
        if self._began is None:
            self._began = timestamp
        rest = self._solver.rest(landmarks)
        if rest is not None:
            self._rests.append(rest)
            if len(self._rests) == 1:  # a first guess, so that the avatar stands in the picture from the start
                self.pose = _pose(rest.rotation, rest.translation)
                return True
        if timestamp - self._began < DURATION or len(self._rests) < FEWEST:
            return False
        misfits = np.stack([r.misfit for r in self._rests])
        off = np.abs(misfits - np.median(misfits, axis=0)).mean(axis=(1, 2))
        calm = np.argsort(off)[: max(1, int(LIKE_MOST * len(off)))]
        self._solver.offset = np.median(misfits[calm], axis=0)
        place = np.median([self._rests[int(i)].translation for i in calm], axis=0)
        self.pose = _pose(self._rests[int(calm[0])].rotation, place)
        self.running = False
        return True


def _pose(rotation: Array64, translation: Array64) -> Array64:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, translation
    return pose
