"""The pinhole projection of a posed, deforming set of points, and its derivatives: the only ones that are written by hand.

Camera: OpenGL axes (x right, y up, z towards the viewer), so that a point in front of the camera has negative z. Pictures:
pixels from the principal point, x right, y down. Unknowns: a small rotation about the camera's axes, applied on the left (3,
radians), a translation (3, metres), then the amounts of linear deformations of the points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.jit import kernel
from models.types import Array64

POSE = 6
"""Unknowns of the pose; they come before the deformations."""


@dataclass(frozen=True)
class Projected:
    """Projected points. points: (N, 3) metres in the camera's axes. turned: (N, 3) metres, `points` before the translation.
    pixels: (N, 2) from the principal point."""

    points: Array64
    turned: Array64
    pixels: Array64


def project(
    head_points: Array64, rotation: Array64, translation: Array64, focal: float, focal_y: float | None = None
) -> Projected:
    """Project points (N, 3) in head space by the pose head -> camera, (3, 3) and (3,) metres.

    focal: pixels; focal_y: of the vertical axis where the two differ. Points at or behind the camera give nonsense.
    """
    turned = head_points @ rotation.T
    points = turned + translation
    away = 1.0 / -points[:, 2]
    right, down = points[:, 0] * (focal * away), points[:, 1] * ((-focal if focal_y is None else -focal_y) * away)
    return Projected(points, turned, np.stack([right, down], axis=1))


@kernel(fastmath=True, error_model="numpy")
def _point_motion(turned, rotation, directions, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    for n in range(turned.shape[0]):
        x, y, z = turned[n, 0], turned[n, 1], turned[n, 2]
        # a small rotation w moves a point by w x turned
        out[0, 0, n], out[0, 1, n], out[0, 2, n] = 0.0, -z, y
        out[1, 0, n], out[1, 1, n], out[1, 2, n] = z, 0.0, -x
        out[2, 0, n], out[2, 1, n], out[2, 2, n] = -y, x, 0.0
        out[3, 0, n], out[3, 1, n], out[3, 2, n] = 1.0, 0.0, 0.0
        out[4, 0, n], out[4, 1, n], out[4, 2, n] = 0.0, 1.0, 0.0
        out[5, 0, n], out[5, 1, n], out[5, 2, n] = 0.0, 0.0, 1.0
    for k in range(directions.shape[0]):
        for c in range(3):
            for n in range(turned.shape[0]):
                dx, dy, dz = directions[k, 0, n], directions[k, 1, n], directions[k, 2, n]
                out[6 + k, c, n] = rotation[c, 0] * dx + rotation[c, 1] * dy + rotation[c, 2] * dz


@kernel(fastmath=True, error_model="numpy")
def _pixel_motion(points, motion, focal_x, focal_y, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    count = points.shape[0]
    across, down = np.empty(count), np.empty(count)
    right, up = np.empty(count), np.empty(count)
    for n in range(count):
        away = 1.0 / -points[n, 2]
        across[n], down[n] = focal_x * away, -focal_y * away
        right[n], up[n] = points[n, 0] * away, points[n, 1] * away
    for k in range(motion.shape[0]):
        for n in range(count):
            out[k, 0, n] = across[n] * (motion[k, 0, n] + right[n] * motion[k, 2, n])
            out[k, 1, n] = down[n] * (motion[k, 1, n] + up[n] * motion[k, 2, n])


def point_motion(turned: Array64, rotation: Array64, directions: Array64) -> Array64:
    """Derivative of the camera points by the unknowns, (6 + K, 3, N). turned: (N, 3) as in `Projected`. rotation: (3, 3)
    head -> camera. directions: (K, 3, N) metres in head space, how each deformation moves the points."""
    out = np.empty((POSE + len(directions), 3, len(turned)))
    _point_motion(turned, rotation, directions, out)
    return out


def pixel_motion(points: Array64, motion: Array64, focal: float, focal_y: float | None = None) -> Array64:
    """Derivative of the pixels by the unknowns, (U, 2, N). points: (N, 3) as in `Projected`. motion: (U, 3, N), the
    derivative of the points. focal, focal_y: as for `project`."""
    out = np.empty((len(motion), 2, len(points)))
    _pixel_motion(points, motion, focal, focal if focal_y is None else focal_y, out)
    return out


def jacobian(seen: Projected, rotation: Array64, focal: float, directions: Array64) -> Array64:
    """Derivative of the pixels by pose and deformations, (6 + K, 2, N): `pixel_motion` of `point_motion`."""
    return pixel_motion(seen.points, point_motion(seen.turned, rotation, directions), focal)
