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

from models.avatar import AvatarPoser
from models.heads.base import Pose, rotation_vector
from models.splat.base import Rasterizer
from models.types import Array, Array64, Camera

SIDE = 192
"""Pixels of the pictures compared."""
STEPS = 4
BLUR = 1.5
"""Pixels; smooths both pictures so that a step sees further than one pixel."""
NOISE = 0.06
"""One standard deviation of a pixel's colour where the avatar is right; larger errors lose their say."""
SPREAD = np.array([0.06, 0.06, 0.06, 0.012, 0.012, 0.03, 0.03, 0.03, 0.03])
"""Prior: how far head turn (radians), head place and shoulders' place (metres) may be from the landmarks' answer."""
DELTA = np.array([0.01, 0.01, 0.01, 0.002, 0.002, 0.008, 0.004, 0.004, 0.012])
"""Finite differences, the same units."""
CORRELATION = 30.0
"""Neighbouring pixels err together: this many count as one observation."""


class Aligner:
    """Refines poses frame after frame; each search starts from the last frame's correction."""

    def __init__(self, poser: AvatarPoser, rasterizer: Rasterizer) -> None:
        self.poser, self.rasterizer = poser, rasterizer
        self.last = np.zeros(len(SPREAD))

    def refine(
        self, frame: NDArray[np.uint8], matte: Array, camera: Camera, coefficients: Array, pose: Pose
    ) -> Pose:
        """A better pose for this frame. frame: (H, W, 3) uint8; matte: (H, W) in [0, 1]; camera: of the same picture."""
        small = camera.resized(SIDE, max(16, round(SIDE * camera.height / camera.width)))
        truth = matte[..., None] * (frame.astype(np.float32) / 255) + (1 - matte[..., None])
        size = (small.width, small.height)
        wanted = _smooth(cv2.resize(truth, size, interpolation=cv2.INTER_AREA))
        x = 0.8 * self.last
        for _ in range(STEPS):
            drawn = self._draw(x, coefficients, pose, small)
            error = wanted - drawn
            columns = [
                (self._draw(x + np.eye(len(x))[i] * DELTA[i], coefficients, pose, small) - drawn).ravel() / DELTA[i]
                for i in range(len(x))
            ]
            jacobian = np.stack(columns, axis=1).astype(np.float64)
            residual = error.ravel().astype(np.float64)
            weight = 1 / (1 + (residual / (3 * NOISE)) ** 2) / (NOISE**2 * CORRELATION)
            left = (jacobian * weight[:, None]).T @ jacobian + np.diag(1 / SPREAD**2)
            right = (jacobian * weight[:, None]).T @ residual - x / SPREAD**2
            step = np.linalg.solve(left, right)
            x = np.clip(x + step, -3 * SPREAD, 3 * SPREAD)
            if np.all(np.abs(step) < 0.1 * DELTA):
                break
        self.last = x
        return corrected(pose, x)

    def _draw(self, x: Array64, coefficients: Array, pose: Pose, camera: Camera) -> Array:
        gaussians = self.poser.pose(coefficients, corrected(pose, x))
        return _smooth(self.rasterizer.render(gaussians, camera).color)


def corrected(pose: Pose, x: Array64) -> Pose:
    """The pose with head turn x[0:3] (radians), head shift x[3:6] and shoulder shift x[6:9] (metres, on top of the head's)."""
    head, body = pose.head.copy(), pose.body.copy()
    head[:3, :3] = rotation_vector(x[:3]) @ head[:3, :3]
    head[:3, 3] += x[3:6]
    body[:3, 3] += x[3:6] + x[6:9]
    return replace(pose, head=head, body=body)


def _smooth(picture: Array) -> Array:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), BLUR), np.float32)
