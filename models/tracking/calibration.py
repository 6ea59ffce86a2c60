"""The calibration in the first second of a call: which face and which pose count as at rest.

A fitted head is never exact, and few people rest with all coefficients at zero. While the calibration runs, frames are solved
without it; then the solver is calibrated on the calmest of them, so that the resting face has all coefficients at zero and
looks straight ahead, and the median pose becomes the pose that viewers see as upright and in the middle.

Who joins while talking or smiling has no resting face in that second, and a mouth that was taken as neutral while open would
never be seen to open. So closed lips count as calmer; and where the calibration had to take a face that the head model,
uncalibrated, sees as an expression, it is made again as soon as a calmer face has been seen for a while. Where none comes, the
face is a rest that the head fits badly: somebody else's avatar.
"""

from __future__ import annotations

import numpy as np

from models import arkit
from models.heads.base import quaternion, rotation_matrix
from models.tracking.landmarks import Landmarks
from models.tracking.solver import Solver
from models.types import Array64, DriveFrame

SECONDS = 1.0
LEAST_FRAMES, MOST_FRAMES = 12, 60
LEAST_CONFIDENCE = 0.3
CALMEST = 0.4
"""Part of the frames that is used: those with the least expression, as nobody rests for a whole second."""
UPPER_LIP, LOWER_LIP, FOREHEAD, NOSE_BASE = 13, 14, 10, 2
"""Landmarks: the inner lips' middles; the ends of the face's rigid height."""
PARTED_WEIGHT = 10.0
"""Expression, as a sum of coefficients, that lips count which are a face's rigid height apart."""
PARTED_LIMIT, EXPRESSION_LIMIT = 0.04, 0.35
"""Lips farther apart than this, in rigid heights of the face, and uncalibrated coefficients above this are hardly a rest."""
EXPRESSIONS = (
    ("mouthSmileLeft", "mouthSmileRight"),
    ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    ("browDownLeft", "browDownRight"),
    ("mouthPucker",),
)
"""Coefficients whose means are looked at."""
CALMER, CALMER_SUM = 0.5, 0.75
"""A calmer face has at most these parts of what was over its limit, and of the sum: as that shrinks each time, this ends."""
CALMER_FACES, INTERVAL, WATCHED = 8, 0.2, 60.0
"""Calmer faces that are needed; seconds between two that are looked at; and for how many they are looked for."""
ROUNDS = 2
"""How often the solver measures its offset; see `Solver.calibrate`."""


class Calibration:
    """Gives the drive frames of a solver, and calibrates the solver on the first second of usable ones.

    running: whether frames are still being collected. pose: (4, 4) of the resting head, avatar space -> webcam (OpenGL axes),
    for `realtime.rest.relative`; while running, that of the first frame; the identity before the first.
    """

    def __init__(self, solver: Solver) -> None:
        self._solver = solver
        self.pose: Array64 = np.eye(4)
        self._resting: list[Landmarks] = []  # the faces that the solver was calibrated on
        self._upright: list[Landmarks] = []  # those whose pose is upright
        self._tension = np.zeros(1 + len(EXPRESSIONS))  # of the resting faces
        self._watched: tuple[float, float] | None = None  # when calmer faces were looked for first and last
        self.restart()

    def continued(self, solver: Solver) -> Calibration:
        """The same calibration for another solver, of the same person's other head: nobody has to rest again. Where none is done
        yet, or the faces do not fit that head, it begins anew."""
        made = Calibration(solver)
        if not self.running and self._resting:
            made._calibrate(self._resting, self._upright)
        return made

    def restart(self) -> None:
        """Calibrate again on the next second."""
        self.running = True
        self._faces: list[Landmarks] = []
        self._liveliness: list[float] = []
        self._start: float | None = None
        self._watched = None

    def solve(self, landmarks: Landmarks | None, timestamp: float) -> DriveFrame:
        """The drive frame of a webcam frame; None (no face seen) repeats the last with confidence 0. timestamp: seconds."""
        if landmarks is None:
            return self._solver.hold(timestamp)
        frame = self._solver.solve(landmarks, timestamp)
        if self.running and frame.confidence >= LEAST_CONFIDENCE:
            self._take(landmarks, frame)
        elif not self.running and self._tension.max() > 1.0 and landmarks.confidence >= LEAST_CONFIDENCE:
            self._take_calmer(landmarks, timestamp)
        return frame

    def _take(self, landmarks: Landmarks, frame: DriveFrame) -> None:
        if self._start is None or not 0.0 <= frame.timestamp - self._start < 60.0:
            self._start = frame.timestamp
        self._faces.append(landmarks)
        expression = np.delete(frame.coefficients, arkit.GAZE)
        liveliness = float(np.abs(expression).sum() + np.abs(self._solver.eyes.closing).sum())
        self._liveliness.append(liveliness + PARTED_WEIGHT * _parted(landmarks))
        if len(self._faces) == 1:
            self.pose = _matrix(rotation_matrix(frame.rotation), frame.translation)
        enough = frame.timestamp - self._start >= SECONDS and len(self._faces) >= LEAST_FRAMES
        if enough or len(self._faces) >= MOST_FRAMES:
            self._finish()

    def _finish(self) -> None:
        order = np.argsort(self._liveliness)[: max(LEAST_FRAMES // 2, int(CALMEST * len(self._faces)))]
        faces = [self._faces[i] for i in order]
        if not self._calibrate(faces, faces):
            self.restart()

    def _take_calmer(self, landmarks: Landmarks, timestamp: float) -> None:
        """Collect faces that are nearer to rest than those of the calibration, and calibrate on them. Upright stays as it is."""
        first, last = self._watched or (timestamp, -np.inf)
        if timestamp - last < INTERVAL or timestamp - first > WATCHED:
            return
        self._watched = first, timestamp
        tension, limits = self._tension_of(landmarks), np.where(self._tension > 1.0, CALMER * self._tension, np.inf)
        if np.all(tension < limits) and tension.sum() < CALMER_SUM * self._tension.sum():
            self._faces.append(landmarks)
        if len(self._faces) >= CALMER_FACES and not self._calibrate(self._faces, self._upright):
            self._calibrate(self._resting, self._upright)  # those were turned too far: the earlier one stays

    def _calibrate(self, faces: list[Landmarks], upright: list[Landmarks]) -> bool:
        """Whether that could be done on these resting faces. upright: the faces whose pose is upright."""
        resting = self._solver.calibrate(faces, rounds=ROUNDS, least=LEAST_FRAMES // 3)
        if not resting:
            return False
        poses = [(face.rotation, face.translation) for face in resting] if upright is faces else self._poses(upright)
        turns = np.array([quaternion(rotation) for rotation, _ in poses])
        turns *= np.sign(turns @ turns[0])[:, None]  # q and -q are one rotation
        translation = np.median([translation for _, translation in poses], axis=0)
        self.pose = _matrix(rotation_matrix(np.median(turns, axis=0)), translation)
        self._solver.reset()
        self.running = False
        self._faces, self._liveliness, self._resting, self._upright = [], [], faces, upright
        self._tension = np.median([self._tension_of(face) for face in faces[:CALMER_FACES]], axis=0)
        return True

    def _tension_of(self, landmarks: Landmarks) -> Array64:
        """(1 + len(EXPRESSIONS),) how far a face is from rest, uncalibrated: lips and expressions, in parts of their limits."""
        fit = self._solver.fit_alone(landmarks, calibrated=False)
        coefficients = np.zeros(arkit.COUNT) if fit is None else self._solver.expression(fit)
        means = [np.mean([coefficients[arkit.INDEX[name]] for name in names]) for names in EXPRESSIONS]
        return np.array([_parted(landmarks) / PARTED_LIMIT, *(mean / EXPRESSION_LIMIT for mean in means)])

    def _poses(self, faces: list[Landmarks]) -> list[tuple[Array64, Array64]]:
        """Rotation and translation of faces that may have an expression, as the solver measures them now."""
        fits = [fit for face in faces if (fit := self._solver.fit_alone(face)) is not None]
        return [(fit.rotation, fit.translation) for fit in fits] or [(self.pose[:3, :3], self.pose[:3, 3])]


def _parted(landmarks: Landmarks) -> float:
    """How far the lips are apart, in heights of the face's rigid part; 0 for what is no face."""
    points = landmarks.points[:, :2].astype(np.float64)
    height = float(np.linalg.norm(points[FOREHEAD] - points[NOSE_BASE]))
    parted = float(np.linalg.norm(points[UPPER_LIP] - points[LOWER_LIP])) / max(height, 1.0)
    return parted if np.isfinite(parted) else 0.0


def _matrix(rotation: Array64, translation: Array64) -> Array64:
    m = np.eye(4)
    m[:3, :3], m[:3, 3] = rotation, translation
    return m
