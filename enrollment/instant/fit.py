"""Fit the head model to the landmarks of one or several photos of a person: Levenberg-Marquardt with priors.

Shared: the identity. For each photo: head pose, focal length, 52 expression coefficients in [0, 1] (projected after each
step). Residuals are robust (Geman-McClure, by reweighting), in units of the landmark noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from enrollment.instant.depths import MARKS, relative_depth
from enrollment.portrait.portrait import Portrait
from models import arkit
from models.heads.base import HeadModel, rotation_vector
from models.posture import body_under
from models.similarity import similarity
from models.tracking.face_geometry import CONTOUR, face_height
from models.tracking.gauss_newton import Equations, minimise
from models.tracking.pinhole import POSE, Projected, pixel_motion, point_motion, project
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
CAMERA = POSE + 1
"""Unknowns of a photo's camera: the pose, and the logarithm of the focal length."""
NEAREST = 0.15
"""Least distance of the head from the camera, metres."""


@dataclass(frozen=True)
class PhotoFit:
    """How one photo was taken: head pose and expression.

    rotation: (3, 3) and translation: (3,) metres: avatar space -> camera, OpenGL axes (as `DriveFrame`). focal: pixels.
    coefficients: (52,) float32. gaze: (2, 2) radians. rms: pixels of the working picture, all landmarks but the irises.
    shoulders: how far they are turned beyond what they follow the head, radians (`shoulders.with_shoulders`).
    """

    rotation: Array64
    translation: Array64
    focal: float
    coefficients: Array
    gaze: Array
    rms: float
    shoulders: float = 0.0

    def head_pose(self) -> Array64:
        """(4, 4), avatar space -> camera in OpenGL axes."""
        m = np.eye(4)
        m[:3, :3], m[:3, 3] = self.rotation, self.translation
        return m

    def body_pose(self, joints: Array64) -> Array64:
        """(4, 4) of the shoulders. joints: (6, 3) of the person (`PersonHead.joints`)."""
        return body_under(self.head_pose(), joints, turn=self.shoulders)

    def camera(self, portrait: Portrait) -> Camera:
        """The photo's camera, in a world whose axes are the camera's OpenGL axes."""
        side = portrait.image.shape[0]
        return Camera(side, side, self.focal, self.focal, *portrait.principal, world_to_camera=np.diag([1.0, -1.0, -1.0, 1.0]))


@dataclass(frozen=True)
class HeadFit:
    """identity: (K,) float32, shared; photos: one entry a portrait."""

    identity: Array
    photos: tuple[PhotoFit, ...]


@dataclass(frozen=True)
class _PhotoState:
    """One photo's unknowns. rotation: (3, 3) and translation: (3,) as in `PhotoFit`. coefficients: (52,)."""

    rotation: Array64
    translation: Array64
    log_focal: float
    coefficients: Array64

    def project(self, points: Array64) -> Projected:
        """Points (N, 3) in avatar space, projected."""
        return project(points, self.rotation, self.translation, float(np.exp(self.log_focal)))


class _Photo:
    """One photo's observations, with the weights of its landmarks."""

    def __init__(self, portrait: Portrait, weight: Array64) -> None:
        self.xy = portrait.landmarks.points[:MARKS, :2].astype(np.float64) - np.asarray(portrait.principal)
        self.trust, height = weight, face_height(portrait.landmarks)
        self.weight = weight / (NOISE * height) ** 2
        self.depth_weight = weight / (DEPTH_NOISE * height) ** 2
        self.relative_depth = relative_depth(portrait.landmarks.points, height)
        self.focal_prior = float(np.log(FOCAL * portrait.photo_side))
        self.seen = portrait.landmarks.points[:MARKS].astype(np.float64) * np.array([1.0, -1.0, -1.0])

    def start(self, mean: Array64) -> _PhotoState:
        """A first guess from the depths of the landmarks, by a weak-perspective camera. mean: (N, 3), landmarks of the mean
        head."""
        trusted = self.trust > 0.3 * self.trust.max()
        size, rotation, _ = similarity(mean[trusted], self.seen[trusted])
        log_focal = float(np.log(max(size * DISTANCE, 0.5 * np.exp(self.focal_prior))))
        depth = np.exp(log_focal) / size
        middle = np.average(self.xy, axis=0, weights=self.trust)
        place = rotation @ np.average(mean, axis=0, weights=self.trust)
        translation = np.array([middle[0] / size, -middle[1] / size, -depth]) - place
        return _PhotoState(rotation, translation, log_focal, np.zeros(arkit.COUNT))

    def depth_error(self, points: Array64, log_focal: float) -> tuple[Array64, float]:
        """By how many pixels camera points (N, 3) are nearer than the picture says, about their mean (N,); pixels a metre."""
        scale = float(np.exp(log_focal) / -np.average(points[:, 2], weights=self.weight))
        error = scale * points[:, 2] - self.relative_depth
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


@dataclass(frozen=True)
class _State:
    """All unknowns. identity: (K,)."""

    identity: Array64
    photos: tuple[_PhotoState, ...]


def fit(portraits: list[Portrait], head: HeadModel, *, iterations: int = ITERATIONS) -> HeadFit:
    """Fit `head` to every portrait at once. The first photo's numbers come first."""
    problem = _Problem.of(portraits, head)
    start = problem.start()
    state = minimise(problem, start, steps=iterations, energy=problem.energy) or start
    photos = zip(problem.photos, state.photos, strict=True)
    return HeadFit(
        state.identity.astype(np.float32),
        tuple(_result(photo, own, problem.basis.points(state.identity, own.coefficients)) for photo, own in photos),
    )


@dataclass(frozen=True)
class _Problem:
    """The least-squares problem (`gauss_newton.Problem`). The unknowns of a step: identity; then for each photo rotation 3 (a
    rotation vector in the camera's axes), translation 3, log focal 1; then for each photo the free coefficients."""

    basis: _Basis
    photos: tuple[_Photo, ...]

    @staticmethod
    def of(portraits: list[Portrait], head: HeadModel) -> _Problem:
        weight = head.landmark_weight[:MARKS].astype(np.float64).copy()
        weight[list(CONTOUR)] *= CONTOUR_TRUST
        return _Problem(_Basis.of(head), tuple(_Photo(portrait, weight) for portrait in portraits))

    def start(self) -> _State:
        """The mean head before each photo's camera."""
        return _State(np.zeros(len(self.basis.identity)), tuple(photo.start(self.basis.mean) for photo in self.photos))

    def energy(self, state: _State) -> float:
        """Twice the negative logarithm of the posterior, up to a constant."""
        identity = state.identity
        total = float(identity @ identity + (self.basis.size @ identity / SIZE_SPREAD) ** 2)
        for photo, own in zip(self.photos, state.photos, strict=True):
            seen = own.project(self.basis.points(identity, own.coefficients))
            total += float(np.sum(photo.depth_weight * photo.depth_error(seen.points, own.log_focal)[0] ** 2))
            r2 = photo.weight * np.sum((seen.pixels - photo.xy) ** 2, axis=1)
            total += float(np.sum(OUTLIER**2 * r2 / (OUTLIER**2 + r2)))
            total += float(np.sum((own.coefficients / EXPRESSION_SPREAD) ** 2))
            total += ((own.log_focal - photo.focal_prior) / FOCAL_SPREAD) ** 2
            total += (np.log(max(-own.translation[2], 1e-3) / DISTANCE) / DISTANCE_SPREAD) ** 2
        return total

    def equations(self, state: _State) -> Equations:
        """See `gauss_newton.Problem`."""
        k, size = len(state.identity), len(state.identity) + (CAMERA + len(FREE)) * len(self.photos)
        hessian, gradient = np.zeros((size, size)), np.zeros(size)
        hessian[:k, :k] += np.eye(k) + np.outer(self.basis.size, self.basis.size) / SIZE_SPREAD**2
        gradient[:k] += state.identity + self.basis.size * (self.basis.size @ state.identity) / SIZE_SPREAD**2
        for i, (photo, own) in enumerate(zip(self.photos, state.photos, strict=True)):
            camera, free = self._places(i, k)
            rows = np.concatenate([np.arange(k), np.arange(*camera.indices(size)), np.arange(*free.indices(size))])
            seen = own.project(self.basis.points(state.identity, own.coefficients))
            motion = self._motion(own, seen)
            for jacobian, residual, weight in (
                self._landmark_rows(photo, own, seen, motion),
                self._depth_rows(photo, own, seen, motion),
            ):
                weighted = jacobian * weight
                hessian[np.ix_(rows, rows)] += weighted @ jacobian.T
                gradient[rows] += weighted @ residual
            self._add_priors(photo, own, hessian, gradient, camera.start, np.arange(*free.indices(size)))
        coefficients = np.concatenate([own.coefficients[FREE] for own in state.photos])
        return Equations(hessian, gradient, -coefficients, 1 - coefficients, damped=1e-2 * (np.arange(size) < k))

    def moved(self, state: _State, step: Array64) -> _State:
        """See `gauss_newton.Problem`."""
        k, photos = len(state.identity), []
        for i, own in enumerate(state.photos):
            camera, free = self._places(i, k)
            pose, coefficients = step[camera], own.coefficients.copy()
            coefficients[FREE] = np.clip(coefficients[FREE] + step[free], 0, 1)
            translation = own.translation + pose[3:6]
            translation[2] = min(translation[2], -NEAREST)
            log_focal = own.log_focal + float(np.clip(pose[6], -0.3, 0.3))
            photos.append(_PhotoState(rotation_vector(pose[:3]) @ own.rotation, translation, log_focal, coefficients))
        return _State(state.identity + step[:k], tuple(photos))

    def _places(self, i: int, k: int) -> tuple[slice, slice]:
        """Where the camera and the coefficients of photo `i` are among the unknowns."""
        camera, free = k + CAMERA * i, k + CAMERA * len(self.photos) + len(FREE) * i
        return slice(camera, camera + CAMERA), slice(free, free + len(FREE))

    def _motion(self, own: _PhotoState, seen: Projected) -> Array64:
        """Derivative of the camera points by identity, pose, focal length (0) and free coefficients, (K + 7 + free, 3, N)."""
        directions = np.concatenate([self.basis.identity, self.basis.expression[FREE]]).transpose(0, 2, 1)
        motion = point_motion(seen.turned, own.rotation, np.ascontiguousarray(directions))
        k = len(self.basis.identity)
        pose, identity, free = motion[:POSE], motion[POSE : POSE + k], motion[POSE + k :]
        return np.concatenate([identity, pose, np.zeros((1, *motion.shape[1:])), free])

    def _landmark_rows(
        self, photo: _Photo, own: _PhotoState, seen: Projected, motion: Array64
    ) -> tuple[Array64, Array64, Array64]:
        """Derivatives (U, 2 N), residuals (2 N,) and weights (2 N,) of the landmarks, pixels."""
        jacobian = pixel_motion(seen.points, motion, float(np.exp(own.log_focal)))
        jacobian[len(self.basis.identity) + POSE] = seen.pixels.T  # by the logarithm of the focal length
        residual = (seen.pixels - photo.xy).T
        weight = photo.weight * (OUTLIER**2 / (OUTLIER**2 + photo.weight * np.sum(residual**2, axis=0))) ** 2
        return jacobian.reshape(len(motion), -1), residual.ravel(), np.tile(weight, 2)

    def _depth_rows(self, photo: _Photo, own: _PhotoState, seen: Projected, motion: Array64) -> tuple[Array64, Array64, Array64]:
        """Derivatives (U, N), residuals (N,) and weights (N,) of the landmarks' depths, pixels."""
        z = seen.points[:, 2]
        error, scale = photo.depth_error(seen.points, own.log_focal)
        deeper = motion[:, 2]
        closer = np.average(deeper, axis=1, weights=photo.weight) / -np.average(z, weights=photo.weight)
        closer[len(self.basis.identity) + POSE] = 1.0  # by the logarithm of the focal length
        jacobian = scale * (deeper + closer[:, None] * z)
        jacobian -= np.average(jacobian, axis=1, weights=photo.weight)[:, None]
        return jacobian, error, photo.depth_weight

    def _add_priors(
        self, photo: _Photo, own: _PhotoState, hessian: Array64, gradient: Array64, at: int, free: NDArray[np.intp]
    ) -> None:
        """One photo's priors. at: where its camera's unknowns begin; free: those of its coefficients."""
        hessian[free, free] += 1 / EXPRESSION_SPREAD[FREE] ** 2
        gradient[free] += own.coefficients[FREE] / EXPRESSION_SPREAD[FREE] ** 2
        hessian[at + 6, at + 6] += 1 / FOCAL_SPREAD**2
        gradient[at + 6] += (own.log_focal - photo.focal_prior) / FOCAL_SPREAD**2
        depth = own.translation[2]
        hessian[at + 5, at + 5] += 1 / (DISTANCE_SPREAD * depth) ** 2
        gradient[at + 5] += np.log(max(-depth, 1e-3) / DISTANCE) / (DISTANCE_SPREAD**2 * depth)


def _result(photo: _Photo, own: _PhotoState, points: Array64) -> PhotoFit:
    """points: (468, 3), the fitted landmarks in avatar space."""
    rms = float(np.sqrt(np.mean(np.sum((own.project(points).pixels - photo.xy) ** 2, axis=1))))
    no_gaze, focal = np.zeros((2, 2), np.float32), float(np.exp(own.log_focal))
    return PhotoFit(own.rotation, own.translation, focal, own.coefficients.astype(np.float32), no_gaze, rms)
