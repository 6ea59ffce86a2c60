"""Dense alignment for recorded clips: head and shoulders are aligned to the pixels of each picture, after the landmarks.

Landmarks slide with the mouth, and none lie on hair or shoulders. So the rendered avatar is compared with the matted frame, and
head pose and shoulders are corrected by a few Gauss-Newton steps with priors around the pose solved from landmarks (the direct
alignment of Lucas and Kanade 1981, with a rendered template). Too slow for a live call.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from models import arkit, binding
from models.avatar import AvatarPoser
from models.binding import Frames
from models.heads.base import JOINTS, PersonHead, Pose, rotation_vector
from models.level_of_detail import merged
from models.splat.base import Rasterizer
from models.tracking.gauss_newton import NO_BOUNDS, Equations, minimise
from models.tracking.pinhole import POSE, pixel_motion, point_motion, project
from models.types import Array, Array64, Camera, Gaussians

SIDE = 192
"""Width of the pictures compared, pixels."""
OVERSAMPLED = 2
"""The avatar is drawn this many times larger and averaged: the rasterizer's blur of half a pixel makes its outline fat, and a
head that is matched by a fat outline is put too far away (1 to 3 dB of a picture of 512 pixels)."""
STEPS, EXPRESSION_STEPS = 5, 2
"""Gauss-Newton steps of the pose, and of the coefficients after it."""
CELL = 0.004
"""Metres; derivatives are differences of pictures without oversampling in which the Gaussians of so large a cell are one. The
corrections are as good, and found in two thirds of the time."""
REACH = 0.3
"""Distance, in parts of `SPREAD`, within which derivatives are reused."""
BLUR = 1.5
"""Pixels; smooths both pictures so that a step sees further than one pixel."""
NOISE = 0.06
"""One standard deviation of a pixel's colour where the avatar is right; the weight of larger errors falls."""
SPREAD = np.array([0.06, 0.06, 0.06, 0.012, 0.012, 0.03, 0.03, 0.03, 0.03, 0.05, 0.15, 0.08])
"""Prior, one standard deviation from the pose solved from landmarks: head rotation (radians), head translation, shoulder
translation (metres), shoulder rotation."""
DELTA = np.array([0.01, 0.01, 0.01, 0.002, 0.002, 0.008, 0.004, 0.004, 0.012, 0.02, 0.02, 0.02])
"""Steps of the finite differences, in the units of `SPREAD`."""
CORRELATION = 30.0
"""Errors of neighbouring pixels are correlated: this many pixels count as one observation."""
LANDMARK_NOISE, LANDMARK_CORRELATION = 0.004, 12.0
"""Standard deviation of a landmark in picture widths, and how many landmarks count as one observation."""
EXPRESSION_NOISE, EXPRESSION_SPREAD = 0.003, 0.35
"""For the coefficients: standard deviation of a landmark in picture widths, and of a coefficient from the solver's."""
SOFT = 0.003
"""Metres; a landmark that expressions move by this much has half of its weight in the head pose."""


class _Expression(NamedTuple):
    """coefficients (52,), and under them the vertices before posing (V, 3) and the landmarks on these (478, 3)."""

    coefficients: Array
    vertices: Array
    landmarks: Array


class Aligner:
    """Aligns one frame after the other; each search starts from the last frame's correction."""

    def __init__(self, poser: AvatarPoser, rasterizer: Rasterizer) -> None:
        self.poser, self.rasterizer = poser, rasterizer
        self.last = np.zeros(len(SPREAD))
        self._neck = poser.person.joints[JOINTS.index("neck")]
        model = poser.person.model
        moved = np.einsum("nk,dnkc->dnc", model.landmark_barycentric, model.expression_basis[:, model.landmark_corners])
        reach = np.linalg.norm(moved, axis=2).max(axis=0)
        trust = model.landmark_weight / (1 + (reach / SOFT) ** 2)
        trust[468:] = 0.0  # irises look around
        coarse = replace(poser.avatar, gaussians=merged(poser.avatar.gaussians, _resting(poser), CELL), corrections=None)
        self._coarse = AvatarPoser(coarse, model)
        self._moved = np.ascontiguousarray(moved[:, :468].astype(np.float64).transpose(0, 2, 1))
        self._free = np.array([i for i, n in enumerate(arkit.NAMES) if not n.startswith(("eyeBlink", "eyeLook", "tongue"))])
        self.trust = np.repeat(trust, 2).astype(np.float64)

    def refine(
        self,
        frame: NDArray[np.uint8],
        matte: Array,
        landmarks: Array,
        camera: Camera,
        coefficients: Array,
        pose: Pose,
    ) -> tuple[Array, Pose]:
        """Aligned coefficients (52,) and pose for this frame.

        frame: (H, W, 3) uint8; matte: (H, W) in [0, 1]; landmarks: (478, 2) pixels of the frame; camera: of the frame;
        coefficients, pose: as solved from the landmarks.
        """
        small = camera.resized(SIDE, max(16, round(SIDE * camera.height / camera.width)))
        matted = matte[..., None] * (frame.astype(np.float32) / 255) + (1 - matte[..., None])
        target = _smooth(cv2.resize(matted, (small.width, small.height), interpolation=cv2.INTER_AREA))
        marks = landmarks.astype(np.float64).ravel() / camera.width
        problem = _PoseProblem(self, target, marks, coefficients, pose, small)
        found = minimise(problem, 0.8 * self.last, steps=STEPS)
        self.last = np.zeros(len(SPREAD)) if found is None else found
        better = corrected(pose, self.last, self._neck)
        return self._expression(landmarks, camera, coefficients, better), better

    def _expression(self, landmarks: Array, camera: Camera, coefficients: Array, pose: Pose) -> Array:
        """The coefficients (52,) solved from the landmarks again, under the aligned pose."""
        problem = _ExpressionProblem(self.poser.person, self._free, self._moved, landmarks[:468], camera, coefficients, pose)
        found = minimise(problem, coefficients[self._free].astype(np.float64), steps=EXPRESSION_STEPS)
        return coefficients if found is None else problem.full(found).astype(np.float32)

    def expression(self, coefficients: Array) -> _Expression:
        """What `render` needs of the coefficients, whatever the pose."""
        person = self.poser.person
        vertices = person.expressed(coefficients)
        return _Expression(coefficients, vertices, person.landmarks(vertices))

    def render(self, x: Array64, expression: _Expression, pose: Pose, camera: Camera) -> tuple[Array, Array64]:
        """The avatar rendered and smoothed, (h, w, 3), and its projected landmarks, (478 * 2,) in picture widths."""
        tried = corrected(pose, x, self._neck)
        gaussians = self.poser.pose(expression.coefficients, tried, expression.vertices)
        return _smooth(drawn_small(self.rasterizer, gaussians, camera)), _projected(expression.landmarks, tried, camera)

    def render_coarse(self, x: Array64, expression: _Expression, pose: Pose, camera: Camera) -> tuple[Array, Array64]:
        """As `render`, quicker: good for differences only."""
        tried = corrected(pose, x, self._neck)
        gaussians = self._coarse.pose(expression.coefficients, tried, expression.vertices)
        return _smooth(self.rasterizer.render(gaussians, camera).color), _projected(expression.landmarks, tried, camera)


class _PoseProblem:
    """The twelve numbers of `corrected` from a matted picture and landmarks (`gauss_newton.Problem`).

    Derivatives are finite differences of renderings. They are the expensive part, and kept while the steps are short.
    """

    def __init__(
        self, aligner: Aligner, target: Array, landmarks: Array64, coefficients: Array, pose: Pose, camera: Camera
    ) -> None:
        """target: (h, w, 3) smoothed, of the camera's size. landmarks: (956,) in picture widths."""
        self._aligner, self._target, self._landmarks = aligner, target, landmarks
        self._expression, self._pose, self._camera = aligner.expression(coefficients), pose, camera
        self._linearised = np.full(len(SPREAD), np.inf)

    def equations(self, state: Array64) -> Equations:
        """See `gauss_newton.Problem`."""
        rendered, projected = self._aligner.render(state, self._expression, self._pose, self._camera)
        if np.any(np.abs(state - self._linearised) > REACH * SPREAD):
            self._linearise(state)
        error, miss = (rendered - self._target).ravel().astype(np.float64), projected - self._landmarks
        hessian, gradient = np.diag(1 / SPREAD**2), state / SPREAD**2
        for jacobian, residual, weight in (
            (self._by_pixels, error, 1 / (1 + (error / (3 * NOISE)) ** 2) / (NOISE**2 * CORRELATION)),
            (self._by_landmarks, miss, self._aligner.trust / (LANDMARK_NOISE**2 * LANDMARK_CORRELATION)),
        ):
            weighted = jacobian * weight[:, None]
            hessian = hessian + weighted.T @ jacobian
            gradient = gradient + weighted.T @ residual
        return Equations(hessian, gradient, NO_BOUNDS, NO_BOUNDS)

    def moved(self, state: Array64, step: Array64) -> Array64:
        """See `gauss_newton.Problem`."""
        return np.clip(state + step, -3 * SPREAD, 3 * SPREAD)

    def _linearise(self, state: Array64) -> None:
        """Derivatives of the picture (P, 12) and of the landmarks (956, 12) at `state`."""
        picture, marks = self._coarse(state)
        self._by_pixels = np.empty((picture.size, len(DELTA)))
        self._by_landmarks = np.empty((marks.size, len(DELTA)))
        for i, delta in enumerate(DELTA):
            nudged, moved = self._coarse(state + np.eye(len(state))[i] * delta)
            self._by_pixels[:, i] = (nudged - picture).ravel() / delta
            self._by_landmarks[:, i] = (moved - marks) / delta
        self._linearised = state

    def _coarse(self, state: Array64) -> tuple[Array, Array64]:
        return self._aligner.render_coarse(state, self._expression, self._pose, self._camera)


class _ExpressionProblem:
    """The coefficients that landmarks determine, with the head pose known (`gauss_newton.Problem`)."""

    def __init__(
        self,
        person: PersonHead,
        free: NDArray[np.int64],
        moved: Array64,
        landmarks: Array,
        camera: Camera,
        coefficients: Array,
        pose: Pose,
    ) -> None:
        """free: (K,) numbers of the coefficients. moved: (52, 3, N) as `Aligner` reads them. landmarks: (N, 2) pixels."""
        self._person, self._free = person, free
        self._directions, self._rotation, self._translation = moved[free], pose.head[:3, :3], pose.head[:3, 3]
        self._pixels = landmarks.astype(np.float64) - (camera.cx, camera.cy)
        self._focal, self._scale = (camera.fx, camera.fy), 1 / (EXPRESSION_NOISE * camera.width)
        self._before = coefficients.astype(np.float64)
        self._weight = person.model.landmark_weight[: len(landmarks)].astype(np.float64)

    def full(self, state: Array64) -> Array64:
        """All coefficients, (52,)."""
        out = self._before.copy()
        out[self._free] = state
        return out

    def equations(self, state: Array64) -> Equations:
        """See `gauss_newton.Problem`."""
        person = self._person
        points = person.landmarks(person.expressed(self.full(state)))[: len(self._pixels)].astype(np.float64)
        seen = project(points, self._rotation, self._translation, *self._focal)
        motion = point_motion(seen.turned, self._rotation, self._directions)[POSE:]
        rows = (pixel_motion(seen.points, motion, *self._focal) * self._scale).transpose(0, 2, 1).reshape(len(state), -1)
        error = ((seen.pixels - self._pixels) * self._scale).ravel()
        weight = np.repeat(self._weight, 2) / (1 + (error / 4) ** 2) / LANDMARK_CORRELATION
        hessian = (rows * weight) @ rows.T + np.eye(len(state)) / EXPRESSION_SPREAD**2
        gradient = (rows * weight) @ error + (state - self._before[self._free]) / EXPRESSION_SPREAD**2
        return Equations(hessian, gradient, -state, 1 - state)

    def moved(self, state: Array64, step: Array64) -> Array64:
        """See `gauss_newton.Problem`."""
        return np.clip(state + step, 0, 1)


def drawn_small(rasterizer: Rasterizer, gaussians: Gaussians, camera: Camera) -> Array:
    """The Gaussians on white, (h, w, 3), in a picture so small that it is compared with a shrunk one: `OVERSAMPLED`."""
    fine = camera.resized(camera.width * OVERSAMPLED, camera.height * OVERSAMPLED)
    drawn = rasterizer.render(gaussians, fine).color
    return np.asarray(cv2.resize(drawn, (camera.width, camera.height), interpolation=cv2.INTER_AREA), np.float32)


def corrected(pose: Pose, x: Array64, neck: Array64) -> Pose:
    """The pose with head turn x[0:3] (radians), head shift x[3:6], and on top of the head's shift that of the shoulders x[6:9]
    (metres) and their turn x[9:12] about the base of the neck, (3,) in avatar space."""
    head, body = pose.head.copy(), pose.body.copy()
    head[:3, :3] = rotation_vector(x[:3]) @ head[:3, :3]
    head[:3, 3] += x[3:6]
    turn = rotation_vector(x[9:12])
    base = body[:3, :3] @ neck + body[:3, 3]
    body[:3, :3] = turn @ body[:3, :3]
    body[:3, 3] = base - body[:3, :3] @ neck + x[3:6] + x[6:9]
    return replace(pose, head=head, body=body)


def _projected(landmarks: Array, pose: Pose, camera: Camera) -> Array64:
    """Landmarks on the head before posing, (N, 3), in the picture, (N * 2,) in picture widths."""
    return camera.project(landmarks @ pose.head[:3, :3].T + pose.head[:3, 3]).ravel() / camera.width


def _resting(poser: AvatarPoser) -> Frames:
    """Of the head at rest, whatever the poser shows."""
    return binding.frames(poser.person.rest, poser.person.model.faces)


def _smooth(picture: Array) -> Array:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), BLUR), np.float32)
