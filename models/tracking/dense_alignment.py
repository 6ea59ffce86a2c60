"""Dense alignment for recorded clips: after the landmarks, the picture itself says where head and shoulders are.

Landmarks slide with the mouth and know nothing of hair or shoulders. So the drawn avatar is compared with the matted frame,
and head pose and shoulders are moved by a few Gauss-Newton steps with priors that keep them near the landmarks' answer
(the direct alignment of Lucas and Kanade 1981, with a rendered template). Too slow for a live call, right for a recording.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from models import arkit
from models.avatar import AvatarPoser
from models.heads.base import JOINTS, Pose, rotation_vector
from models.splat.base import Rasterizer
from models.types import Array, Array64, Camera

SIDE = 192
"""Pixels of the pictures compared."""
STEPS = 5
REACH = 0.3
"""Steps as short as this, in spreads, share their derivatives."""
BLUR = 1.5
"""Pixels; smooths both pictures so that a step sees further than one pixel."""
NOISE = 0.06
"""One standard deviation of a pixel's colour where the avatar is right; larger errors lose their say."""
SPREAD = np.array([0.06, 0.06, 0.06, 0.012, 0.012, 0.03, 0.03, 0.03, 0.03, 0.05, 0.15, 0.08])
"""Prior: how far head turn (radians), head place, shoulders' place (metres) and shoulders' turn may be from the landmarks'
answer."""
DELTA = np.array([0.01, 0.01, 0.01, 0.002, 0.002, 0.008, 0.004, 0.004, 0.012, 0.02, 0.02, 0.02])
"""Finite differences, the same units."""
CORRELATION = 30.0
"""Neighbouring pixels err together: this many count as one observation."""
LANDMARK_NOISE, LANDMARK_CORRELATION = 0.004, 12.0
"""The same for landmarks, in picture widths."""
EXPRESSION_NOISE, EXPRESSION_SPREAD = 0.003, 0.35
"""For the coefficients' last word: deviation of a landmark in picture widths, and of a coefficient from the solver's."""
SOFT = 0.003
"""Metres; a landmark that expressions move by this much has half a say in where the head is."""


class Aligner:
    """Refines poses frame after frame; each search starts from the last frame's correction."""

    def __init__(self, poser: AvatarPoser, rasterizer: Rasterizer) -> None:
        self.poser, self.rasterizer = poser, rasterizer
        self.last = np.zeros(len(SPREAD))
        self._neck = poser.person.joints[JOINTS.index("neck")]
        model = poser.person.model
        moved = np.einsum("nk,dnkc->dnc", model.landmark_barycentric, model.expression_basis[:, model.landmark_corners])
        reach = np.linalg.norm(moved, axis=2).max(axis=0)
        trust = model.landmark_weight / (1 + (reach / SOFT) ** 2)
        trust[468:] = 0.0  # irises look around
        self._moved = moved[:, :468].astype(np.float64)
        self._free = np.array([i for i, n in enumerate(arkit.NAMES) if not n.startswith(("eyeBlink", "eyeLook", "tongue"))])
        self._trust = np.repeat(trust, 2).astype(np.float64)

    def refine(
        self,
        frame: NDArray[np.uint8],
        matte: Array,
        landmarks: Array,
        camera: Camera,
        coefficients: Array,
        pose: Pose,
    ) -> tuple[Array, Pose]:
        """Better coefficients (52,) and a better pose for this frame.

        frame: (H, W, 3) uint8; matte: (H, W) in [0, 1]; landmarks: (478, 2) pixels of the frame; camera: of the same picture;
        coefficients, pose: the landmarks' own answer.
        """
        small = camera.resized(SIDE, max(16, round(SIDE * camera.height / camera.width)))
        truth = matte[..., None] * (frame.astype(np.float32) / 255) + (1 - matte[..., None])
        wanted = _smooth(cv2.resize(truth, (small.width, small.height), interpolation=cv2.INTER_AREA))
        marks = landmarks.astype(np.float64).ravel() / camera.width
        x = 0.8 * self.last
        linearised = x + np.inf
        for _ in range(STEPS):
            drawn, shown = self._look(x, coefficients, pose, small)
            if np.any(np.abs(x - linearised) > REACH * SPREAD):
                by_pixels, by_marks = self._jacobians(x, drawn, shown, coefficients, pose, small)
                linearised = x
            error, miss = (wanted - drawn).ravel().astype(np.float64), marks - shown
            left, right = np.diag(1 / SPREAD**2), -x / SPREAD**2
            for jacobian, residual, weight in (
                (by_pixels, error, 1 / (1 + (error / (3 * NOISE)) ** 2) / (NOISE**2 * CORRELATION)),
                (by_marks, miss, self._trust / (LANDMARK_NOISE**2 * LANDMARK_CORRELATION)),
            ):
                weighted = jacobian * weight[:, None]
                left = left + weighted.T @ jacobian
                right = right + weighted.T @ residual
            x = np.clip(x + np.linalg.solve(left, right), -3 * SPREAD, 3 * SPREAD)
        self.last = x
        better = corrected(pose, x, self._neck)
        return self._expression(landmarks, camera, coefficients, better), better

    def _jacobians(
        self, x: Array64, drawn: Array, shown: Array64, coefficients: Array, pose: Pose, camera: Camera
    ) -> tuple[Array64, Array64]:
        """What each of the twelve unknowns does to the picture (P, 12) and to the landmarks (956, 12), by finite differences.

        They are the dear part, and kept for as long as the steps are short.
        """
        pixels, marks = [], []
        for i, delta in enumerate(DELTA):
            nudged, moved = self._look(x + np.eye(len(x))[i] * delta, coefficients, pose, camera)
            pixels.append((nudged - drawn).ravel() / delta)
            marks.append((moved - shown) / delta)
        return np.stack(pixels, axis=1).astype(np.float64), np.stack(marks, axis=1)

    def _expression(self, landmarks: Array, camera: Camera, coefficients: Array, pose: Pose) -> Array:
        """The coefficients (52,) once more, now that the head is in its place: landmarks under the corrected pose."""
        person, free = self.poser.person, self._free
        wanted = landmarks[:468].astype(np.float64)
        x = coefficients[free].astype(np.float64)
        full = coefficients.astype(np.float64).copy()
        for _ in range(2):
            full[free] = x
            points = person.landmarks(person.expressed(full))[:468].astype(np.float64) @ pose.head[:3, :3].T + pose.head[:3, 3]
            z = -points[:, 2]
            error = (wanted - camera.project(points)) / (EXPRESSION_NOISE * camera.width)
            moved = self._moved[free] @ pose.head[:3, :3].T
            by_x = camera.fx * (moved[..., 0] / z + points[:, 0] * moved[..., 2] / z**2)
            by_y = -camera.fy * (moved[..., 1] / z + points[:, 1] * moved[..., 2] / z**2)
            jacobian = np.stack([by_x, by_y], axis=2).reshape(len(free), -1).T / (EXPRESSION_NOISE * camera.width)
            weight = np.repeat(person.model.landmark_weight[:468], 2) / (1 + (error.ravel() / 4) ** 2) / LANDMARK_CORRELATION
            hessian = (jacobian * weight[:, None]).T @ jacobian + np.eye(len(free)) / EXPRESSION_SPREAD**2
            slope = (jacobian * weight[:, None]).T @ error.ravel() - (x - coefficients[free]) / EXPRESSION_SPREAD**2
            solved = lsq_linear(np.linalg.cholesky(hessian).T, np.linalg.solve(np.linalg.cholesky(hessian), slope), (-x, 1 - x))
            x = np.clip(x + solved.x, 0, 1)
        full[free] = x
        return full.astype(np.float32)

    def _look(self, x: Array64, coefficients: Array, pose: Pose, camera: Camera) -> tuple[Array, Array64]:
        """The avatar drawn and smoothed, (h, w, 3); and where its landmarks are, (478 * 2,) in picture widths."""
        tried = corrected(pose, x, self._neck)
        gaussians = self.poser.pose(coefficients, tried)
        person = self.poser.person
        marks = person.landmarks(person.expressed(coefficients)) @ tried.head[:3, :3].T + tried.head[:3, 3]
        return _smooth(self.rasterizer.render(gaussians, camera).color), camera.project(marks).ravel() / camera.width


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


def _smooth(picture: Array) -> Array:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), BLUR), np.float32)
