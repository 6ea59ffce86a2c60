"""From a face's landmarks to a drive frame: damped Gauss-Newton on head pose and coefficients, warm from frame to frame.

The residual is the reprojection of the person's own landmarks, as the tracker answers to them (models/tracking/tracker_bias.py),
whitened by the tracker's error patterns (low rank plus diagonal, Woodbury's identity) and made robust (Geman-McClure).
Coefficients are held in [0, 1] and have Gaussian, sparse and temporal priors, so that a smile is told as a smile. Blinks and
gaze come from lids and irises (models/tracking/eyes.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.heads.base import PersonHead, quaternion, rotation_matrix, rotation_vector
from models.similarity import similarity
from models.tracking.eyes import Eyes
from models.tracking.face_basis import face_basis
from models.tracking.gauss_newton import POSE, bounded_step, eliminate, jacobian, project, weighted_products
from models.tracking.landmarks import Landmarks
from models.tracking.tracker_bias import TrackerResponse, roll_of, tracker_response
from models.types import Array64, DriveFrame

FOCAL = 1.1
"""Focal length that is taken for granted, in larger sides of the picture: a webcam's 49 degrees."""
FIRST_STEPS, STEPS = 9, 3
"""Gauss-Newton steps on a face that has just appeared, and on the next frames."""
OUTLIER = 6.0
"""Standard deviations at which a landmark begins to lose its say."""
CAUTION = 2.0
"""The error patterns were learned on drawn faces; real ones are given this many times the deviation."""
TEMPORAL = 0.35
"""Standard deviation of a coefficient's change in a thirtieth of a second."""
LOST = 0.5
"""Seconds without a face after which the last pose is no start for the next."""
NEAREST, FARTHEST = 0.12, 8.0
"""Metres between which a head is looked for."""
LEAST_SIZE, MOST = 12.0, 1e6
"""Pixels that a face must have, and that no landmark can be away."""
GOOD_FIT, BAD_FIT = 3.0e-3, 12.0e-3
"""Metres RMS at which confidence begins to fall, and at which it is gone."""
DOUBTFUL = 6.0e-3
"""Metres RMS from which a face is solved once more, without what the last frame says."""


@dataclass(frozen=True)
class Fit:
    """A solved frame's geometry. rotation: (3, 3), translation: (3,) metres: head -> camera, OpenGL axes. coefficients:
    (K,) of the unknowns. misfit: (2, N) metres at the face's distance, what is left between landmarks and model, the
    picture's x and y (up). rms: metres, its size over the trusted landmarks."""

    rotation: Array64
    translation: Array64
    coefficients: Array64
    misfit: Array64
    rms: float


@dataclass(frozen=True)
class Rest:
    """What one frame says of the resting face. rotation: (3, 3) and translation: (3,) as in `Fit`; misfit: (2, N) metres in
    head space (to the person's left, up)."""

    rotation: Array64
    translation: Array64
    misfit: Array64


class Solver:
    """Solves one person's frames one after the other; one thread at a time.

    offset: (2, N) metres in head space (to the person's left, up), how the resting face's landmarks differ from the fitted
    head's, the irises among them; the neutral calibration sets it (models/tracking/calibration.py).
    """

    def __init__(
        self,
        person: PersonHead,
        *,
        focal: float | None = None,
        fov_y: float | None = None,
        response: TrackerResponse | None = None,
    ) -> None:
        """focal: pixels, or fov_y: radians of the picture's height; neither: `FOCAL`. response: of the tracker."""
        self._basis = face_basis(person, response or tracker_response())
        self.eyes = Eyes(self._basis)
        self._focal, self._fov_y = focal, fov_y
        learned = self._basis.response
        self._modes = learned.modes.reshape(len(learned.modes), -1) * CAUTION
        self._information = 1.0 / (learned.noise * CAUTION) ** 2
        self.offset: Array64 = np.zeros_like(self._basis.response.noise)
        self.fit: Fit | None = None
        self._last = DriveFrame(confidence=0.0)
        self._seen = -np.inf

    def reset(self) -> None:
        """Forget the last frame; the next is solved from nothing. The calibration stays."""
        self.fit, self._seen = None, -np.inf

    def focal(self, width: int, height: int) -> float:
        """The focal length for pictures of this size, pixels."""
        if self._focal is not None:
            return self._focal
        if self._fov_y is not None:
            return 0.5 * height / float(np.tan(0.5 * self._fov_y))
        return FOCAL * max(width, height)

    def hold(self, timestamp: float) -> DriveFrame:
        """The last frame again, with confidence 0: no face was seen at `timestamp`."""
        return replace(self._last, timestamp=timestamp, confidence=0.0)

    def solve(self, landmarks: Landmarks, timestamp: float) -> DriveFrame:
        """The drive frame of a face. Landmarks that cannot be a face give `hold(timestamp)`. timestamp: seconds."""
        pixels = self._pixels(landmarks)
        if pixels is None:
            return self.hold(timestamp)
        focal = self.focal(landmarks.width, landmarks.height)
        elapsed = timestamp - self._seen
        warm = self.fit is not None and 0.0 <= elapsed < LOST
        depth = self._depth(landmarks)
        with np.errstate(all="ignore"):
            fit = self._solve(pixels, depth, focal, self.fit if warm else None, elapsed)
            if warm and (fit is None or fit.rms > DOUBTFUL):  # another face, or a jump
                fit = self._solve(pixels, depth, focal, None, elapsed)
        trust = 0.0 if fit is None else float(np.clip((BAD_FIT - fit.rms) / (BAD_FIT - GOOD_FIT), 0.0, 1.0))
        confidence = min(landmarks.confidence * trust, 1.0)
        if fit is None or confidence <= 0.0:
            self.reset()
            return self.hold(timestamp)
        self.fit, self._seen = fit, timestamp
        self._last = self._frame(fit, pixels, focal, timestamp, confidence)
        return self._last

    def rest(self, landmarks: Landmarks) -> Rest | None:
        """A face whose expression is taken to be the resting one: only its pose is solved, and nothing is remembered.

        None when the landmarks cannot be a face, or one that is turned too far.
        """
        pixels = self._pixels(landmarks)
        if pixels is None:
            return None
        focal = self.focal(landmarks.width, landmarks.height)
        with np.errstate(all="ignore"):
            fit = self._solve(pixels, self._depth(landmarks), focal, None, 0.0, rest=True)
        flat = np.eye(2) if fit is None else fit.rotation[:2, :2]
        if fit is None or np.linalg.det(flat) < 0.5:
            return None
        return Rest(fit.rotation, fit.translation, np.linalg.solve(flat, fit.misfit))

    def _pixels(self, landmarks: Landmarks) -> Array64 | None:
        """(N, 2) from the picture's middle, or None for what cannot be a face."""
        points = np.asarray(landmarks.points, np.float64)[self._basis.response.landmarks]
        sane = np.isfinite(points).all() and np.isfinite(landmarks.confidence) and np.abs(points).max() < MOST
        if not sane or min(landmarks.width, landmarks.height) < LEAST_SIZE:
            return None
        pixels = points[:, :2] - 0.5 * np.array([landmarks.width, landmarks.height])
        return pixels if min(np.ptp(pixels, axis=0)) >= LEAST_SIZE else None

    def _depth(self, landmarks: Landmarks) -> Array64:
        """(N,) the tracker's own relative depth, pixels."""
        return landmarks.points[self._basis.response.landmarks, 2].astype(np.float64)

    def _frame(self, fit: Fit, pixels: Array64, focal: float, timestamp: float, confidence: float) -> DriveFrame:
        full = np.einsum("k,kj->j", fit.coefficients, self._basis.unknowns)
        resting = self._basis.resting(fit.rotation, self.offset)
        gaze = self.eyes.settle(full, pixels, resting, fit.rotation, fit.translation, focal)
        return DriveFrame(
            timestamp,
            confidence,
            quaternion(fit.rotation),
            fit.translation.copy(),
            np.clip(full, 0.0, 1.0).astype(np.float32),
            gaze.astype(np.float32),
        )

    def _start(self, pixels: Array64, depth: Array64, focal: float) -> Fit:
        """A first guess from the tracker's own relative depth, as if seen from afar."""
        seen = np.stack([pixels[:, 0], -pixels[:, 1], -depth], axis=1)
        scale, rotation, shift = similarity(self._basis.points, seen, self._basis.trust + 1e-6)
        scale = max(scale, focal / FARTHEST)
        translation = np.array([shift[0] / scale, shift[1] / scale, -focal / scale])
        return Fit(rotation, translation, np.zeros(len(self._basis.unknowns)), np.zeros_like(self._basis.response.noise), 0.0)

    def _solve(
        self, pixels: Array64, depth: Array64, focal: float, warm: Fit | None, elapsed: float, *, rest: bool = False
    ) -> Fit | None:
        basis = self._basis
        start = warm or self._start(pixels, depth, focal)
        rotation, translation, coefficients = start.rotation, start.translation, start.coefficients
        before = coefficients
        memory = 0.0 if warm is None else 1.0 / (TEMPORAL**2 * max(30.0 * elapsed, 0.1))
        ceiling = np.full(len(basis.unknowns), 0.0 if rest else 1.0)
        for _ in range(STEPS if warm else FIRST_STEPS):
            points = basis.resting(rotation, self.offset) + basis.moved(coefficients)
            seen = project(points, rotation, translation, focal)
            metres = -translation[2] / focal
            slopes = jacobian(seen, rotation, focal, basis.directions)
            residual, rows = _level((seen.pixels - pixels).T * metres, slopes * metres, roll_of(rotation))
            hessian, gradient = self._normal_equations(residual, rows)
            hessian.flat[POSE * (len(hessian) + 1) :: len(hessian) + 1] += 1.0 / basis.spread**2 + memory
            gradient[POSE:] += coefficients / basis.spread**2 + basis.pull + memory * (coefficients - before)
            step = bounded_step(hessian, gradient, -coefficients, ceiling - coefficients)
            if not np.isfinite(step).all():
                return None
            turn, move = step[:3], step[3:POSE]
            rotation = rotation_vector(turn * min(1.0, 0.4 / max(float(np.linalg.norm(turn)), 1e-9))) @ rotation
            translation = translation + np.clip(move, -0.3 * -translation[2], 0.3 * -translation[2])
            translation[2] = np.clip(translation[2], -FARTHEST, -NEAREST)
            coefficients = np.clip(coefficients + step[POSE:], 0.0, 1.0)
        return self._finish(pixels, rotation_matrix(quaternion(rotation)), translation, coefficients, focal)

    def _normal_equations(self, residual: Array64, rows: Array64) -> tuple[Array64, Array64]:
        """Hessian and gradient of the whitened, robust residual; residual (2, N) metres, rows (6 + K, 2, N)."""
        away = np.sum(residual**2 * self._information, axis=0)
        weight = self._information * (OUTLIER**2 / (OUTLIER**2 + away)) ** 2
        k = len(rows)
        columns = np.concatenate([rows.reshape(k, -1), residual.reshape(1, -1), self._modes])
        products = weighted_products(columns, weight.ravel())
        middle = products[k + 1 :, k + 1 :]
        middle.flat[:: len(middle) + 1] += 1.0
        products = eliminate(products, k + 1, len(products))
        hessian, gradient = products[:k, :k].copy(), products[:k, k].copy()
        hessian.flat[: POSE * (k + 1) : k + 1] *= 1.0 + 1e-6
        return hessian, gradient

    def _finish(
        self, pixels: Array64, rotation: Array64, translation: Array64, coefficients: Array64, focal: float
    ) -> Fit | None:
        basis = self._basis
        points = basis.resting(rotation, self.offset) + basis.moved(coefficients)
        seen = project(points, rotation, translation, focal)
        left = (pixels - seen.pixels).T * (-seen.points[:, 2] / focal) * np.array([[1.0], [-1.0]])
        rms = float(np.sqrt(np.sum(basis.trust * np.sum(left**2, axis=0)) / basis.trust.sum()))
        if not np.isfinite(rms) or not np.isfinite(coefficients).all() or not np.isfinite(translation).all():
            return None
        return Fit(rotation, translation, coefficients, left, rms)


def _level(residual: Array64, rows: Array64, roll: float) -> tuple[Array64, Array64]:
    """Picture rows (x right, y down) turned by the head's roll, y up: the frame of the tracker's error patterns."""
    c, s = np.cos(roll), np.sin(roll)
    turn = np.array([[c, -s], [-s, -c]])
    return turn @ residual, turn @ rows
