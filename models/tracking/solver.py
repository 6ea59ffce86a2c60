"""From a face's landmarks to a drive frame: Gauss-Newton on head pose and coefficients, warm from frame to frame.

The residual is the reprojection of the person's own landmarks, with the tracker's bias added (models/tracking/tracker_bias.py),
whitened by the tracker's error patterns (low rank plus diagonal, Woodbury's identity) and made robust (Geman-McClure).
Coefficients are held in [0, 1] and have Gaussian, sparse and temporal priors. Blinks and gaze are computed from lids and irises
(models/tracking/eyes.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from models.heads.base import PersonHead, quaternion, rotation_matrix, rotation_vector
from models.similarity import similarity
from models.tracking.eyes import Eyes
from models.tracking.face_basis import FaceBasis, face_basis
from models.tracking.gauss_newton import FEW_SWEEPS, Equations, eliminate, minimise, weighted_products
from models.tracking.landmarks import Landmarks
from models.tracking.pinhole import POSE, jacobian, project
from models.tracking.tracker_bias import TrackerBias, load_tracker_bias, roll_of
from models.types import Array64, DriveFrame

FOCAL = 1.1
"""Focal length that is assumed where none is known, in larger sides of the picture: a webcam's 49 degrees."""
FIRST_STEPS, STEPS = 9, 3
"""Gauss-Newton steps for a face that has just appeared, and for the frames after it."""
OUTLIER = 6.0
"""Standard deviations at which the weight of a landmark begins to fall."""
DEVIATION_SCALE = 2.0
"""The error patterns were learned on drawn faces; for real ones their standard deviations are multiplied by this."""
TEMPORAL = 0.35
"""Standard deviation of a coefficient's change in a thirtieth of a second."""
LOST = 0.5
"""Seconds without a face after which the last pose is not used as a start."""
NEAREST, FARTHEST = 0.12, 8.0
"""Metres between which a head is searched for."""
LEAST_SIZE, MOST = 12.0, 1e6
"""Pixels: the least size of a face, and the largest coordinate of a landmark."""
GOOD_FIT, BAD_FIT = 3.0e-3, 12.0e-3
"""Metres RMS at which confidence begins to fall, and at which it is 0."""
DOUBTFUL = 6.0e-3
"""Metres RMS from which a face is solved once more, without the last frame as a start."""
LONGEST_TURN, LONGEST_MOVE = 0.4, 0.3
"""Limits of a step: radians, and parts of the distance."""


@dataclass(frozen=True)
class FaceFit:
    """A solved frame's geometry. rotation: (3, 3), translation: (3,) metres: head -> camera, OpenGL axes. coefficients:
    (K,) of the unknowns. misfit: (2, N) metres at the face's distance, landmarks less model, in the picture's x and y (up).
    rms: metres, its size over the trusted landmarks."""

    rotation: Array64
    translation: Array64
    coefficients: Array64
    misfit: Array64
    rms: float


@dataclass(frozen=True)
class RestingFace:
    """The pose of a resting face in one frame. rotation: (3, 3) and translation: (3,) as in `FaceFit`; misfit: (2, N) metres in
    head space (to the person's left, up)."""

    rotation: Array64
    translation: Array64
    misfit: Array64


class Solver:
    """Solves one person's frames one after the other; one thread at a time."""

    def __init__(
        self,
        person: PersonHead,
        *,
        focal: float | None = None,
        bias: TrackerBias | None = None,
        resting_offset: Array64 | None = None,
    ) -> None:
        """focal: pixels; `FOCAL` by default. bias: of the tracker; the learned one by default. resting_offset: (2, N) metres in
        head space (to the person's left, up), by how much the landmarks of the resting face are known to differ from the head's;
        `calibrate` adds to it."""
        self._basis = face_basis(person, bias or load_tracker_bias())
        self.eyes = Eyes(self._basis)
        self._focal = focal
        self._noise = _Noise.of(self._basis.bias)
        self._known_offset = np.zeros_like(self._basis.bias.noise) if resting_offset is None else resting_offset
        self._offset = self._known_offset
        self.fit: FaceFit | None = None
        self._last = DriveFrame(confidence=0.0)
        self._seen = -np.inf

    @property
    def resting_offset(self) -> Array64:
        """(2, N) metres in head space, by how much the resting face's landmarks differ from the head's: the constructor's offset
        and what `calibrate` has measured."""
        return self._offset

    def reset(self) -> None:
        """Forget the last frame: the next is solved without a start. The calibration stays."""
        self.fit, self._seen = None, -np.inf

    def focal(self, width: int, height: int) -> float:
        """The focal length for pictures of this size, pixels."""
        return FOCAL * max(width, height) if self._focal is None else self._focal

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

    def calibrate(self, faces: Iterable[Landmarks], *, rounds: int = 1, least: int = 1) -> list[RestingFace]:
        """Measure expression and gaze from the resting faces in `faces` from now on, in place of an earlier calibration.

        rounds: how often the offset is measured; it changes the poses a little, and they the offset. least: faces that must be
        usable. Returns the usable faces; an empty list, without a calibration, when there are fewer than `least`.
        """
        faces = list(faces)
        self._offset = self._known_offset
        resting: list[RestingFace] = []
        for _ in range(rounds):
            resting = [found for face in faces if (found := self._resting(face)) is not None]
            if len(resting) < max(least, 1):
                self._offset = self._known_offset
                return []
            self._offset = self._offset + np.median([found.misfit for found in resting], axis=0)
        return resting

    def fit_alone(self, landmarks: Landmarks, *, calibrated: bool = True) -> FaceFit | None:
        """The fit of a face without a start, with the calibration or without; nothing is remembered. None for what cannot be a
        face."""
        pixels = self._pixels(landmarks)
        if pixels is None:
            return None
        focal, offset = self.focal(landmarks.width, landmarks.height), self._offset if calibrated else self._known_offset
        with np.errstate(all="ignore"):
            return self._solve(pixels, self._depth(landmarks), focal, None, 0.0, offset=offset)

    def expression(self, fit: FaceFit) -> Array64:
        """(52,) the coefficients of a fit; lids and gaze are measured by `solve`."""
        return np.einsum("k,kj->j", fit.coefficients, self._basis.unknowns)

    def _resting(self, landmarks: Landmarks) -> RestingFace | None:
        """The pose of a face that is assumed to be at rest; nothing is remembered.

        None when the landmarks cannot be a face, or one that is turned too far.
        """
        pixels = self._pixels(landmarks)
        if pixels is None:
            return None
        focal = self.focal(landmarks.width, landmarks.height)
        with np.errstate(all="ignore"):
            fit = self._solve(pixels, self._depth(landmarks), focal, None, 0.0, at_rest=True)
        flat = np.eye(2) if fit is None else fit.rotation[:2, :2]
        if fit is None or np.linalg.det(flat) < 0.5:
            return None
        return RestingFace(fit.rotation, fit.translation, np.linalg.solve(flat, fit.misfit))

    def _pixels(self, landmarks: Landmarks) -> Array64 | None:
        """(N, 2) from the picture's middle, or None for landmarks that cannot be a face."""
        points = np.asarray(landmarks.points, np.float64)[self._basis.bias.landmarks]
        sane = np.isfinite(points).all() and np.isfinite(landmarks.confidence) and np.abs(points).max() < MOST
        if not sane or min(landmarks.width, landmarks.height) < LEAST_SIZE:
            return None
        pixels = points[:, :2] - 0.5 * np.array([landmarks.width, landmarks.height])
        return pixels if min(np.ptp(pixels, axis=0)) >= LEAST_SIZE else None

    def _depth(self, landmarks: Landmarks) -> Array64:
        """(N,) the tracker's own relative depth, pixels."""
        return landmarks.points[self._basis.bias.landmarks, 2].astype(np.float64)

    def _frame(self, fit: FaceFit, pixels: Array64, focal: float, timestamp: float, confidence: float) -> DriveFrame:
        full = self.expression(fit)
        resting = self._basis.resting(fit.rotation, self._offset)
        gaze = self.eyes.measure(full, pixels, resting, fit.rotation, fit.translation, focal)
        return DriveFrame(
            timestamp,
            confidence,
            quaternion(fit.rotation),
            fit.translation.copy(),
            np.clip(full, 0.0, 1.0).astype(np.float32),
            gaze.astype(np.float32),
        )

    def _start(self, pixels: Array64, depth: Array64, focal: float) -> _State:
        """A first guess from the tracker's own relative depth, by a weak-perspective camera."""
        seen = np.stack([pixels[:, 0], -pixels[:, 1], -depth], axis=1)
        scale, rotation, shift = similarity(self._basis.points, seen, self._basis.trust + 1e-6)
        scale = max(scale, focal / FARTHEST)
        translation = np.array([shift[0] / scale, shift[1] / scale, -focal / scale])
        return _State(rotation, translation, np.zeros(len(self._basis.unknowns)))

    def _solve(
        self,
        pixels: Array64,
        depth: Array64,
        focal: float,
        last: FaceFit | None,
        elapsed: float,
        *,
        at_rest: bool = False,
        offset: Array64 | None = None,
    ) -> FaceFit | None:
        """Fit one frame. last: the fit `elapsed` seconds before, as the start and the temporal prior. at_rest: the pose alone.
        offset: of the resting face; the calibrated one by default."""
        offset = self._offset if offset is None else offset
        if last is None:
            start, precision = self._start(pixels, depth, focal), 0.0
        else:
            start = _State(last.rotation, last.translation, last.coefficients)
            precision = 1.0 / (TEMPORAL**2 * max(30.0 * elapsed, 0.1))
        problem = _FrameProblem(
            self._basis, self._noise, offset, pixels, focal, start.coefficients, precision, ceiling=0.0 if at_rest else 1.0
        )
        steps = FIRST_STEPS if last is None else STEPS
        state = minimise(problem, start, steps=steps, sweeps=FEW_SWEEPS)
        return None if state is None else self._finish(pixels, state, focal, offset)

    def _finish(self, pixels: Array64, state: _State, focal: float, offset: Array64) -> FaceFit | None:
        basis, coefficients, translation = self._basis, state.coefficients, state.translation
        rotation = rotation_matrix(quaternion(state.rotation))  # orthonormal again after the steps
        points = basis.resting(rotation, offset) + basis.moved(coefficients)
        seen = project(points, rotation, translation, focal)
        misfit = (pixels - seen.pixels).T * (-seen.points[:, 2] / focal) * np.array([[1.0], [-1.0]])
        rms = float(np.sqrt(np.sum(basis.trust * np.sum(misfit**2, axis=0)) / basis.trust.sum()))
        if not np.isfinite(rms) or not np.isfinite(coefficients).all() or not np.isfinite(translation).all():
            return None
        return FaceFit(rotation, translation, coefficients, misfit, rms)


@dataclass(frozen=True)
class _Noise:
    """The tracker's errors. information: (2, N) inverse variances, 1/metre^2; modes: (M, 2 N) error patterns, metres."""

    information: Array64
    modes: Array64

    @staticmethod
    def of(bias: TrackerBias) -> _Noise:
        modes = bias.modes.reshape(len(bias.modes), -1) * DEVIATION_SCALE
        return _Noise(1.0 / (bias.noise * DEVIATION_SCALE) ** 2, modes)


@dataclass(frozen=True)
class _State:
    """rotation: (3, 3), translation: (3,), coefficients: (K,), as in `FaceFit`."""

    rotation: Array64
    translation: Array64
    coefficients: Array64


@dataclass(frozen=True)
class _FrameProblem:
    """One frame's least-squares problem (`gauss_newton.Problem`). pixels: (N, 2). before: (K,) coefficients of the frame before,
    held with `precision`. ceiling: largest value of a coefficient."""

    basis: FaceBasis
    noise: _Noise
    offset: Array64
    pixels: Array64
    focal: float
    before: Array64
    precision: float
    ceiling: float

    def equations(self, state: _State) -> Equations:
        """See `gauss_newton.Problem`."""
        basis, coefficients = self.basis, state.coefficients
        points = basis.resting(state.rotation, self.offset) + basis.moved(coefficients)
        seen = project(points, state.rotation, state.translation, self.focal)
        metres = -state.translation[2] / self.focal
        slopes = jacobian(seen, state.rotation, self.focal, basis.directions)
        residual, rows = _level((seen.pixels - self.pixels).T * metres, slopes * metres, roll_of(state.rotation))
        hessian, gradient = self._whitened(residual, rows)
        hessian.flat[POSE * (len(hessian) + 1) :: len(hessian) + 1] += 1.0 / basis.spread**2 + self.precision
        gradient[POSE:] += coefficients / basis.spread**2 + basis.prior_slope + self.precision * (coefficients - self.before)
        return Equations(hessian, gradient, -coefficients, self.ceiling - coefficients)

    def moved(self, state: _State, step: Array64) -> _State:
        """See `gauss_newton.Problem`."""
        turn, distance = step[:3], -state.translation[2]
        turn = turn * min(1.0, LONGEST_TURN / max(float(np.linalg.norm(turn)), 1e-9))
        translation = state.translation + np.clip(step[3:POSE], -LONGEST_MOVE * distance, LONGEST_MOVE * distance)
        translation[2] = np.clip(translation[2], -FARTHEST, -NEAREST)
        coefficients = np.clip(state.coefficients + step[POSE:], 0.0, 1.0)
        return _State(rotation_vector(turn) @ state.rotation, translation, coefficients)

    def _whitened(self, residual: Array64, rows: Array64) -> tuple[Array64, Array64]:
        """Hessian and gradient of the whitened, robust residual; residual (2, N) metres, rows (6 + K, 2, N)."""
        information, modes = self.noise.information, self.noise.modes
        squared = np.sum(residual**2 * information, axis=0)
        weight = information * (OUTLIER**2 / (OUTLIER**2 + squared)) ** 2
        k = len(rows)
        columns = np.concatenate([rows.reshape(k, -1), residual.reshape(1, -1), modes])
        products = weighted_products(columns, weight.ravel())
        middle = products[k + 1 :, k + 1 :]
        middle.flat[:: len(middle) + 1] += 1.0
        products = eliminate(products, k + 1, len(products))
        hessian, gradient = products[:k, :k].copy(), products[:k, k].copy()
        hessian.flat[: POSE * (k + 1) : k + 1] *= 1.0 + 1e-6
        return hessian, gradient


def _level(residual: Array64, rows: Array64, roll: float) -> tuple[Array64, Array64]:
    """Picture rows (x right, y down) turned by the head's roll, y up: the axes of the tracker's error patterns."""
    c, s = np.cos(roll), np.sin(roll)
    turn = np.array([[c, -s], [-s, -c]])
    return turn @ residual, turn @ rows
