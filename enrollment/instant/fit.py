"""Fit the head model to the landmarks of one or several photos of a person: Levenberg-Marquardt with priors.

Shared: the identity. For each photo: head pose, focal length, 52 expression coefficients in [0, 1] (projected after each
step). Residuals are robust (Geman-McClure, by reweighting), in units of the landmark noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from enrollment.instant.depths import MARKS, relative_depth
from enrollment.portrait.portrait import Portrait
from models import arkit
from models.heads.base import HeadModel, rotation_vector
from models.similarity import similarity
from models.tracking.face_geometry import CONTOUR, face_height
from models.types import Array, Array64, Camera

ITERATIONS = 30
NOISE = 0.004
"""Standard deviation of a landmark's position, face heights."""
DEPTH_NOISE = 0.05
"""Standard deviation of a landmark's depth (`enrollment.instant.depths`), face heights: nearly twice the measured one, because
the errors of neighbouring landmarks are correlated."""
OUTLIER = 4.0
"""Scale of the Geman-McClure loss, standard deviations: the influence of larger residuals falls."""
COMMON = (
    "eyeBlink", "eyeSquint", "cheekSquint", "jawOpen", "mouthClose", "mouthSmile", "mouthFrown", "mouthStretch",
    "mouthPucker", "mouthFunnel", "mouthUpperUp", "mouthLowerDown",
)  # fmt: skip
"""Prefixes of the expression coefficients that are common in photos of people."""
EXPRESSION_SPREAD = np.array([0.25 if name.startswith(COMMON) else 0.1 for name in arkit.NAMES])
"""(52,) standard deviation of each coefficient's prior: larger for `COMMON`. High brows and thin lips are mostly part of the
identity."""
FOCAL, FOCAL_SPREAD = 1.2, 0.5
"""Log-normal prior of the focal length: median in photo sides, standard deviation of the logarithm."""
DISTANCE, DISTANCE_SPREAD = 0.75, 0.3
"""Log-normal prior of the camera's distance: median in metres, standard deviation of the logarithm."""
SIZE_SPREAD = 0.02
"""Standard deviation of the face's size relative to the mean head; one photo cannot distinguish size from distance."""
CONTOUR_TRUST = 0.35
"""Weight of the contour landmarks, which slide along the cheek as the head turns."""
FREE = np.array([i for i in range(arkit.COUNT) if i not in arkit.GAZE and arkit.NAMES[i] not in ("tongueOut", "cheekPuff")])
"""Indices of the coefficients that are fitted: those that landmarks determine. Gaze comes from the irises."""


@dataclass(frozen=True)
class PhotoFit:
    """How one photo was taken: head pose and expression.

    rotation: (3, 3) and translation: (3,) metres: avatar space -> camera, OpenGL axes (as `DriveFrame`). focal: pixels.
    coefficients: (52,) float32. gaze: (2, 2) radians. rms: pixels of the working picture, all landmarks but the irises.
    """

    rotation: Array64
    translation: Array64
    focal: float
    coefficients: Array
    gaze: Array
    rms: float

    def head_pose(self) -> Array64:
        """(4, 4), avatar space -> camera in OpenGL axes."""
        m = np.eye(4)
        m[:3, :3], m[:3, 3] = self.rotation, self.translation
        return m

    def camera(self, portrait: Portrait) -> Camera:
        """The photo's camera, in a world whose axes are the camera's OpenGL axes."""
        side = portrait.image.shape[0]
        return Camera(side, side, self.focal, self.focal, *portrait.principal, world_to_camera=np.diag([1.0, -1.0, -1.0, 1.0]))


@dataclass(frozen=True)
class HeadFit:
    """identity: (K,) float32, shared; photos: one entry a portrait."""

    identity: Array
    photos: tuple[PhotoFit, ...]


class _Photo:
    """One photo's unknowns while fitting: rotation, translation, log focal, coefficients."""

    def __init__(self, portrait: Portrait, mean: Array64, weight: Array64) -> None:
        self.xy = portrait.landmarks.points[:MARKS, :2].astype(np.float64) - np.asarray(portrait.principal)
        self.height = face_height(portrait.landmarks)
        self.weight = weight / (NOISE * self.height) ** 2
        self.depth_weight = weight / (DEPTH_NOISE * self.height) ** 2
        self.relative_depth = relative_depth(portrait.landmarks.points, self.height)
        self.focal_prior = np.log(FOCAL * portrait.photo_side)
        self.coefficients = np.zeros(arkit.COUNT)
        seen = portrait.landmarks.points[:MARKS].astype(np.float64) * np.array([1.0, -1.0, -1.0])
        trusted = weight > 0.3 * weight.max()
        size, self.rotation, _ = similarity(mean[trusted], seen[trusted])
        self.log_focal = np.log(max(size * DISTANCE, 0.5 * np.exp(self.focal_prior)))
        depth = np.exp(self.log_focal) / size
        middle = np.average(self.xy, axis=0, weights=weight)
        place = self.rotation @ np.average(mean, axis=0, weights=weight)
        self.translation = np.array([middle[0] / size, -middle[1] / size, -depth]) - place

    def project(self, points: Array64) -> tuple[Array64, Array64]:
        """Pixels from the principal point (N, 2) and camera points (N, 3, OpenGL)."""
        p = points @ self.rotation.T + self.translation
        f = np.exp(self.log_focal)
        return np.stack([f * p[:, 0] / -p[:, 2], f * p[:, 1] / p[:, 2]], axis=1), p

    def depth_error(self, q: Array64) -> tuple[Array64, float]:
        """Error (N,) of the relative depth of camera points (N, 3) against the landmarks', pixels; and the scale, pixels a
        metre."""
        scale = float(np.exp(self.log_focal) / -np.average(q[:, 2], weights=self.weight))
        error = scale * q[:, 2] - self.relative_depth
        return error - np.average(error, weights=self.weight), scale


@dataclass(frozen=True)
class _Basis:
    """The linear model of the landmarks. mean: (N, 3), identity: (K, N, 3), expression: (52, N, 3), metres."""

    mean: Array64
    identity: Array64
    expression: Array64

    @staticmethod
    def of(head: HeadModel) -> _Basis:
        corners, bary = head.landmark_corners[:MARKS], head.landmark_barycentric[:MARKS].astype(np.float64)
        return _Basis(
            np.einsum("nk,nkc->nc", bary, head.template[corners]),
            np.einsum("nk,dnkc->dnc", bary, head.identity_basis[:, corners]),
            np.einsum("nk,dnkc->dnc", bary, head.expression_basis[:, corners]),
        )

    def points(self, identity: Array64, coefficients: Array64) -> Array64:
        """Landmarks in avatar space, (N, 3)."""
        return self.mean + np.tensordot(identity, self.identity, 1) + np.tensordot(coefficients, self.expression, 1)

    @cached_property
    def size(self) -> Array64:
        """(K,) how much larger the face becomes by each identity direction, relative to the mean face."""
        around = self.mean - self.mean.mean(axis=0)
        return np.asarray(np.tensordot(self.identity, around, 2) / np.sum(around**2))


def fit(portraits: list[Portrait], head: HeadModel, *, iterations: int = ITERATIONS) -> HeadFit:
    """Fit `head` to all portraits jointly; `HeadFit.photos` is in the portraits' order."""
    basis = _Basis.of(head)
    weight = head.landmark_weight[:MARKS].astype(np.float64).copy()
    weight[list(CONTOUR)] *= CONTOUR_TRUST
    photos = [_Photo(p, basis.mean, weight) for p in portraits]
    identity = np.zeros(head.identity_count)
    damping = 1.0
    best = _energy(identity, photos, basis)
    for _ in range(iterations):
        step = _step(identity, photos, basis, damping)
        saved = [(p.rotation, p.translation, p.log_focal, p.coefficients) for p in photos]
        _apply(photos, step, len(identity))
        energy = _energy(identity + step[: len(identity)], photos, basis)
        if energy < best:
            identity, gain, best, damping = identity + step[: len(identity)], best - energy, energy, damping * 0.4
            if gain < 1e-4 * best:
                break
        else:
            for p, before in zip(photos, saved, strict=True):
                p.rotation, p.translation, p.log_focal, p.coefficients = before
            damping *= 6.0
    return HeadFit(identity.astype(np.float32), tuple(_result(p, basis.points(identity, p.coefficients)) for p in photos))


def _energy(identity: Array64, photos: list[_Photo], basis: _Basis) -> float:
    """Twice the negative logarithm of the posterior, up to a constant."""
    total = float(identity @ identity + (basis.size @ identity / SIZE_SPREAD) ** 2)
    for p in photos:
        seen, q = p.project(basis.points(identity, p.coefficients))
        total += float(np.sum(p.depth_weight * p.depth_error(q)[0] ** 2))
        r2 = p.weight * np.sum((seen - p.xy) ** 2, axis=1)
        total += float(np.sum(OUTLIER**2 * r2 / (OUTLIER**2 + r2)))
        total += float(np.sum((p.coefficients / EXPRESSION_SPREAD) ** 2))
        total += ((p.log_focal - p.focal_prior) / FOCAL_SPREAD) ** 2
        total += (np.log(max(-p.translation[2], 1e-3) / DISTANCE) / DISTANCE_SPREAD) ** 2
    return total


def _equations(identity: Array64, photos: list[_Photo], basis: _Basis) -> tuple[Array64, Array64]:
    """Half of the energy's Gauss-Newton hessian (D, D) and gradient (D,). The unknowns: identity; then for each photo
    rotation 3 (a rotation vector in the camera's axes), translation 3, log focal 1, the free coefficients."""
    k, each = len(identity), 7 + len(FREE)
    size = k + each * len(photos)
    hessian, gradient = np.zeros((size, size)), np.zeros(size)
    hessian[:k, :k] += np.eye(k) + np.outer(basis.size, basis.size) / SIZE_SPREAD**2
    gradient[:k] += identity + basis.size * (basis.size @ identity) / SIZE_SPREAD**2
    for i, p in enumerate(photos):
        seen, q = p.project(basis.points(identity, p.coefficients))
        residual = seen - p.xy
        w = p.weight * (OUTLIER**2 / (OUTLIER**2 + p.weight * np.sum(residual**2, axis=1))) ** 2
        moves = _points_jacobian(p, q, basis)
        j = _jacobian(p, seen, q, moves).reshape(-1, k + each)
        weighted = j * np.repeat(w, 2)[:, None]
        at = k + i * each
        block = np.concatenate([np.arange(k), at + np.arange(each)])
        hessian[np.ix_(block, block)] += weighted.T @ j
        gradient[block] += weighted.T @ residual.reshape(-1)
        error, scale = p.depth_error(q)
        deeper = moves[:, 2]
        closer = np.average(deeper, axis=0, weights=p.weight) / -np.average(q[:, 2], weights=p.weight)
        closer[k + 6] = 1.0
        deeper = scale * (deeper + q[:, 2:] * closer)
        deeper -= np.average(deeper, axis=0, weights=p.weight)
        weighted = deeper * p.depth_weight[:, None]
        hessian[np.ix_(block, block)] += weighted.T @ deeper
        gradient[block] += weighted.T @ error
        place = at + 7 + np.arange(len(FREE))
        hessian[place, place] += 1 / EXPRESSION_SPREAD[FREE] ** 2
        gradient[place] += p.coefficients[FREE] / EXPRESSION_SPREAD[FREE] ** 2
        hessian[at + 6, at + 6] += 1 / FOCAL_SPREAD**2
        gradient[at + 6] += (p.log_focal - p.focal_prior) / FOCAL_SPREAD**2
        depth = p.translation[2]
        hessian[at + 5, at + 5] += 1 / (DISTANCE_SPREAD * depth) ** 2
        gradient[at + 5] += np.log(max(-depth, 1e-3) / DISTANCE) / (DISTANCE_SPREAD**2 * depth)
    return hessian, gradient


def _jacobian(p: _Photo, seen: Array64, q: Array64, moves: Array64) -> Array64:
    """Derivative of the pixels by identity and one photo's unknowns, (N, 2, K + 7 + free). seen: (N, 2) pixels, q: (N, 3) camera
    points and moves: (N, 3, K + 7 + free), `_points_jacobian`."""
    z, f = -q[:, 2], np.exp(p.log_focal)
    d_point = np.zeros((len(q), 2, 3))  # pixel by camera point
    d_point[:, 0, 0], d_point[:, 0, 2] = f / z, f * q[:, 0] / z**2
    d_point[:, 1, 1], d_point[:, 1, 2] = -f / z, -f * q[:, 1] / z**2
    jacobian = d_point @ moves
    jacobian[:, :, -1 - len(FREE)] = seen  # by the focal length, which moves no point
    return jacobian


def _points_jacobian(p: _Photo, q: Array64, basis: _Basis) -> Array64:
    """Derivative of camera points q (N, 3) by identity and one photo's unknowns, (N, 3, K + 7 + free)."""
    k = len(basis.identity)
    rotated = q - p.translation
    out = np.zeros((len(q), 3, k + 7 + len(FREE)))
    out[:, :, :k] = np.einsum("ij,dnj->nid", p.rotation, basis.identity)
    turn = out[:, :, k : k + 3]  # by a small rotation vector: -[rotated]x
    turn[:, 0, 1], turn[:, 0, 2] = rotated[:, 2], -rotated[:, 1]
    turn[:, 1, 0], turn[:, 1, 2] = -rotated[:, 2], rotated[:, 0]
    turn[:, 2, 0], turn[:, 2, 1] = rotated[:, 1], -rotated[:, 0]
    out[:, :, k + 3 : k + 6] = np.eye(3)
    out[:, :, k + 7 :] = np.einsum("ij,dnj->nid", p.rotation, basis.expression[FREE])
    return out


def _step(identity: Array64, photos: list[_Photo], basis: _Basis, damping: float) -> Array64:
    """One damped Gauss-Newton step (D,), see `_equations`, that keeps all coefficients in [0, 1] (active set): those
    beyond a bound are fixed at the bound, and the others are solved for again."""
    hessian, gradient = _equations(identity, photos, basis)
    k, size = len(identity), len(gradient)
    hessian[np.diag_indices(size)] *= 1 + 1e-3 * damping
    hessian[np.diag_indices(size)] += 1e-6 + 1e-2 * damping * (np.arange(size) < k)
    low, high = np.full(size, -np.inf), np.full(size, np.inf)
    for i, p in enumerate(photos):
        place = k + i * (7 + len(FREE)) + 7 + np.arange(len(FREE))
        low[place], high[place] = -p.coefficients[FREE], 1 - p.coefficients[FREE]
    step, free = np.zeros(size), np.ones(size, bool)
    while True:
        right = gradient[free] + hessian[np.ix_(free, ~free)] @ step[~free]
        step[free] = -np.linalg.solve(hessian[np.ix_(free, free)], right)
        beyond = free & ((step < low) | (step > high))
        if not beyond.any():
            return step
        step[beyond] = np.clip(step[beyond], low[beyond], high[beyond])
        free &= ~beyond


def _apply(photos: list[_Photo], step: Array64, k: int) -> None:
    each = 7 + len(FREE)
    for i, p in enumerate(photos):
        s = step[k + i * each : k + (i + 1) * each]
        p.rotation = rotation_vector(s[:3]) @ p.rotation
        p.translation = p.translation + s[3:6]
        p.translation[2] = min(p.translation[2], -0.15)
        p.log_focal += float(np.clip(s[6], -0.3, 0.3))
        p.coefficients = p.coefficients.copy()
        p.coefficients[FREE] = np.clip(p.coefficients[FREE] + s[7:], 0, 1)


def _result(photo: _Photo, points: Array64) -> PhotoFit:
    """points: (468, 3), the fitted landmarks in avatar space."""
    error, _ = photo.project(points)
    rms = float(np.sqrt(np.mean(np.sum((error - photo.xy) ** 2, axis=1))))
    no_gaze = np.zeros((2, 2), np.float32)
    return PhotoFit(
        photo.rotation, photo.translation, float(np.exp(photo.log_focal)), photo.coefficients.astype(np.float32), no_gaze, rms
    )
