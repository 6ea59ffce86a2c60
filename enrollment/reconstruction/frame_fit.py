"""Head pose and expression of a known person at one instant, from landmarks in one or several cameras that are known too.

Damped Gauss-Newton on 6 numbers of the pose and the coefficients that landmarks can tell; those stay in [0, 1]. Residuals
have the robust weights of `enrollment.instant.fit` (Geman-McClure).
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
from models.tracking.landmarks import Landmarks
from models.types import Array, Array64, Camera

ITERATIONS = 25
EXPRESSION_SPREAD = 0.25
"""All coefficients alike: how the person looks at rest is known here."""
AWAY = 0.75
"""Metres before the first camera at which the search begins."""


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
    state = _State(problem.start(), np.zeros(arkit.COUNT))
    damping = 1.0
    for _ in range(ITERATIONS):
        hessian, gradient, now = problem.equations(state)
        if not np.isfinite(now):
            return None
        step = np.linalg.solve(hessian + damping * np.diag(1e-3 * np.diag(hessian) + 1e-6), -gradient)
        moved = state.moved(step)
        after = problem.equations(moved)[2]
        if after < now:
            state, damping = moved, damping * 0.4
            if now - after < 1e-4 * now:
                break
        else:
            damping *= 6.0
    rms = problem.rms(state)
    return FrameFit(state.head, state.coefficients.astype(np.float32), rms) if np.isfinite(rms) else None


@dataclass(frozen=True)
class _State:
    head: Array64
    coefficients: Array64

    def moved(self, step: Array64) -> _State:
        """step: rotation vector about the head's own place, translation, coefficients of FREE."""
        head = self.head.copy()
        head[:3, :3] = rotation_vector(step[:3]) @ head[:3, :3]
        head[:3, 3] += step[3:6]
        coefficients = self.coefficients.copy()
        coefficients[FREE] = np.clip(coefficients[FREE] + step[6:], 0, 1)
        return _State(head, coefficients)


class _Problem:
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

    def equations(self, state: _State) -> tuple[Array64, Array64, float]:
        """Gauss-Newton matrix, gradient and energy at `state`; the energy is infinite behind a camera."""
        size = 6 + len(FREE)
        hessian, gradient, energy = np.zeros((size, size)), np.zeros(size), 0.0
        local = self.rest + np.tensordot(state.coefficients, self.basis, 1)
        rotation = state.head[:3, :3]
        turned = local @ rotation.T
        world = turned + state.head[:3, 3]
        for face, camera in self.views:
            q = world @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
            if (q[:, 2] < 0.02).any():
                return hessian, gradient, np.inf
            miss = camera.project(world) - face.points[:MARKS, :2]
            weight = self.trust / (NOISE * face.size) ** 2
            r2 = weight * np.sum(miss**2, axis=1)
            energy += float(np.sum(OUTLIER**2 * r2 / (OUTLIER**2 + r2)))
            weight = weight * (OUTLIER**2 / (OUTLIER**2 + r2)) ** 2
            d_point = np.zeros((len(q), 2, 3))
            d_point[:, 0, 0], d_point[:, 0, 2] = camera.fx / q[:, 2], -camera.fx * q[:, 0] / q[:, 2] ** 2
            d_point[:, 1, 1], d_point[:, 1, 2] = camera.fy / q[:, 2], -camera.fy * q[:, 1] / q[:, 2] ** 2
            d_point = d_point @ camera.world_to_camera[:3, :3]
            jacobian = np.empty((len(q), 2, size))
            jacobian[:, :, :3] = -np.cross(d_point, turned[:, None])  # d(rotated) by a rotation vector: -[rotated]x
            jacobian[:, :, 3:6] = d_point
            jacobian[:, :, 6:] = np.einsum("nij,dnj->nid", d_point @ rotation, self.basis[FREE])
            hessian += np.einsum("nid,n,nie->de", jacobian, weight, jacobian, optimize=True)
            gradient += np.einsum("nid,n,ni->d", jacobian, weight, miss, optimize=True)
        prior = state.coefficients[FREE] / EXPRESSION_SPREAD**2
        hessian[np.arange(6, size), np.arange(6, size)] += 1 / EXPRESSION_SPREAD**2
        gradient[6:] += prior
        energy += float(prior @ state.coefficients[FREE])
        value = state.coefficients[FREE]
        for k in 6 + np.flatnonzero(((value <= 0) & (gradient[6:] > 0)) | ((value >= 1) & (gradient[6:] < 0))):
            hessian[k, :], hessian[:, k], gradient[k] = 0.0, 0.0, 0.0  # leans on its bound
            hessian[k, k] = 1.0
        return hessian, gradient, energy

    def rms(self, state: _State) -> float:
        points = (self.rest + np.tensordot(state.coefficients, self.basis, 1)) @ state.head[:3, :3].T + state.head[:3, 3]
        miss = [camera.project(points) - face.points[:MARKS, :2] for face, camera in self.views]
        return float(np.sqrt(np.mean([np.sum(m**2, axis=1).mean() for m in miss])))
