"""Head pose and expression of a known person at one instant, from landmarks in one or several cameras that are known too.

Levenberg-Marquardt (`models.tracking.gauss_newton`) on the 6 numbers of the pose and the coefficients that landmarks determine;
those stay in [0, 1]. Residuals are robust as in `enrollment.instant.fit` (Geman-McClure).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from enrollment.instant.depths import MARKS
from enrollment.instant.fit import CONTOUR_TRUST, FREE, NOISE, OUTLIER
from models import arkit
from models.heads.base import PersonHead, rotation_vector
from models.tracking.face_geometry import CONTOUR
from models.tracking.gauss_newton import Equations, minimise
from models.tracking.landmarks import Landmarks
from models.tracking.pinhole import POSE, Projected, pixel_motion, point_motion, project
from models.types import Array, Array64, Camera

ITERATIONS = 25
EXPRESSION_SPREAD = 0.25
"""All coefficients alike: how the person looks at rest is known here."""
AWAY = 0.75
"""Metres before the first camera at which the search begins."""
NEAREST = 0.02
"""Least distance of a landmark from a camera, metres."""


@dataclass(frozen=True)
class FrameFit:
    """head: (4, 4) avatar space -> world. coefficients: (52,) float32. rms: pixels over all landmarks of all views."""

    head: Array64
    coefficients: Array
    rms: float


def fit_frame(person: PersonHead, views: Sequence[tuple[Landmarks, Camera]]) -> FrameFit | None:
    """Pose and expression of `person` from the landmarks in all `views` (one instant, one world).

    None when the face lies behind a camera.
    """
    problem = _Problem(person, views)
    start = _State(problem.start(), np.zeros(arkit.COUNT))
    state = minimise(problem, start, steps=ITERATIONS, energy=problem.energy)
    if state is None:
        return None
    rms = problem.rms(state)
    return FrameFit(state.head, state.coefficients.astype(np.float32), rms) if np.isfinite(rms) else None


@dataclass(frozen=True)
class _State:
    """head: (4, 4) avatar space -> world. coefficients: (52,)."""

    head: Array64
    coefficients: Array64


class _Problem:
    """The least-squares problem (`gauss_newton.Problem`)."""

    def __init__(self, person: PersonHead, views: Sequence[tuple[Landmarks, Camera]]) -> None:
        model = person.model
        corners, bary = model.landmark_corners[:MARKS], model.landmark_barycentric[:MARKS].astype(np.float64)
        self.rest = np.einsum("nk,nkc->nc", bary, person.rest[corners].astype(np.float64))
        self.basis = np.einsum("nk,dnkc->dnc", bary, model.expression_basis[:, corners].astype(np.float64))
        self.views = views
        trust = model.landmark_weight[:MARKS].astype(np.float64).copy()
        trust[list(CONTOUR)] *= CONTOUR_TRUST
        self.trust = trust

    def start(self) -> Array64:
        """The head turned to the first camera, where its landmarks are."""
        face, camera = self.views[0]
        xy = face.points[:MARKS, :2].astype(np.float64)
        spread = np.sqrt(((xy - xy.mean(0)) ** 2).sum(1).mean() / ((self.rest - self.rest.mean(0))[:, :2] ** 2).sum(1).mean())
        z = camera.fx / max(spread, 1e-6) if spread > 0 else AWAY
        x, y = (xy.mean(0) - [camera.cx, camera.cy]) / [camera.fx, camera.fy] * z
        to_camera = np.diag([1.0, -1.0, -1.0, 1.0])
        to_camera[:3, 3] = np.array([x, y, z]) - to_camera[:3, :3] @ self.rest.mean(0)
        return np.asarray(np.linalg.inv(camera.world_to_camera) @ to_camera)

    def points(self, state: _State) -> Array64:
        """(N, 3) landmarks in avatar space."""
        return self.rest + np.tensordot(state.coefficients, self.basis, 1)

    def energy(self, state: _State) -> float:
        """Twice the negative logarithm of the posterior, up to a constant; infinite behind a camera."""
        points, total = self.points(state), float(np.sum((state.coefficients[FREE] / EXPRESSION_SPREAD) ** 2))
        for face, camera in self.views:
            seen = _seen(points, state, camera)
            if (-seen.points[:, 2] < NEAREST).any():
                return np.inf
            r2 = self.trust / (NOISE * face.size) ** 2 * np.sum(_miss(seen, face, camera) ** 2, axis=1)
            total += float(np.sum(OUTLIER**2 * r2 / (OUTLIER**2 + r2)))
        return total

    def equations(self, state: _State) -> Equations:
        """See `gauss_newton.Problem`. The unknowns: a rotation vector about the head's own place and a translation, in the world;
        the free coefficients."""
        coefficients, points = state.coefficients[FREE], self.points(state)
        size = POSE + len(FREE)
        hessian, gradient = np.zeros((size, size)), np.zeros(size)
        directions = np.ascontiguousarray(self.basis[FREE].transpose(0, 2, 1))
        for face, camera in self.views:
            seen, rotation = _seen(points, state, camera), _to_opengl(camera)[:3, :3]
            motion = point_motion(seen.turned, rotation @ state.head[:3, :3], directions)
            jacobian = pixel_motion(seen.points, motion, camera.fx, camera.fy).reshape(size, -1)
            for part in (jacobian[:3], jacobian[3:POSE]):
                part[:] = rotation.T @ part  # from the camera's axes to the world's
            miss = _miss(seen, face, camera).T
            weight = self.trust / (NOISE * face.size) ** 2
            weight = weight * (OUTLIER**2 / (OUTLIER**2 + weight * np.sum(miss**2, axis=0))) ** 2
            weighted = jacobian * np.tile(weight, 2)
            hessian += weighted @ jacobian.T
            gradient += weighted @ miss.ravel()
        hessian.flat[POSE * (size + 1) :: size + 1] += 1 / EXPRESSION_SPREAD**2
        gradient[POSE:] += coefficients / EXPRESSION_SPREAD**2
        return Equations(hessian, gradient, -coefficients, 1 - coefficients)

    def moved(self, state: _State, step: Array64) -> _State:
        """See `gauss_newton.Problem`."""
        head, coefficients = state.head.copy(), state.coefficients.copy()
        head[:3, :3] = rotation_vector(step[:3]) @ head[:3, :3]
        head[:3, 3] += step[3:POSE]
        coefficients[FREE] = np.clip(coefficients[FREE] + step[POSE:], 0, 1)
        return _State(head, coefficients)

    def rms(self, state: _State) -> float:
        """Pixels over all landmarks of all views."""
        points = self.points(state)
        misses = [_miss(_seen(points, state, camera), face, camera) for face, camera in self.views]
        return float(np.sqrt(np.mean([np.sum(miss**2, axis=1).mean() for miss in misses])))


def _to_opengl(camera: Camera) -> Array64:
    """(4, 4) world -> the camera's OpenGL axes."""
    return np.diag([1.0, -1.0, -1.0, 1.0]) @ camera.world_to_camera


def _camera_place(state: _State, camera: Camera) -> Array64:
    """(3,) the head's origin in the camera's OpenGL axes."""
    to_camera = _to_opengl(camera)
    return to_camera[:3, :3] @ state.head[:3, 3] + to_camera[:3, 3]


def _seen(points: Array64, state: _State, camera: Camera) -> Projected:
    rotation = _to_opengl(camera)[:3, :3] @ state.head[:3, :3]
    return project(points, rotation, _camera_place(state, camera), camera.fx, camera.fy)


def _miss(seen: Projected, face: Landmarks, camera: Camera) -> Array64:
    """(N, 2) pixels, projected less found."""
    return seen.pixels + np.array([camera.cx, camera.cy]) - face.points[:MARKS, :2]
