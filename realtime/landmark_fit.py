"""The least-squares problem behind the solver: a person's landmarks, seen through a pinhole camera, against the tracker's.

Unknowns of one step: rotation 3 (a small turn on the left, radians), translation 3 (metres), coefficients. Camera: OpenGL
axes (x right, y up, z towards the viewer), so a point in front has negative z; pictures: x right, y down from the middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from models.types import Array64

POSE = 6
"""Unknowns before the coefficients."""


@dataclass(frozen=True)
class Projected:
    """Landmarks in front of the camera. points: (N, 3) metres, camera; turned: (N, 3) the same before the translation;
    pixels: (N, 2) from the picture's middle."""

    points: Array64
    turned: Array64
    pixels: Array64


def project(head_points: Array64, rotation: Array64, translation: Array64, focal: float) -> Projected:
    """Head-space points (N, 3) through a head pose (3, 3), (3,) and a focal length in pixels."""
    turned = head_points @ rotation.T
    points = turned + translation
    scale = focal / -points[:, 2]
    return Projected(points, turned, np.stack([points[:, 0] * scale, -points[:, 1] * scale], axis=1))


def jacobian(seen: Projected, rotation: Array64, focal: float, directions: Array64, out: Array64 | None = None) -> Array64:
    """Change of the pixels with the unknowns, (2, N, 6 + K): x rows, then y rows. directions: (3, N, K) metres, head space."""
    count, k = directions.shape[1:]
    j = np.empty((2, count, POSE + k)) if out is None else out
    x, y, depth = seen.points[:, 0], seen.points[:, 1], -seen.points[:, 2]
    by_xy, by_zx, by_zy = focal / depth, focal * x / depth**2, -focal * y / depth**2
    tx, ty, tz = seen.turned.T
    # a small turn w moves a point by w x turned
    j[0, :, 0], j[0, :, 1], j[0, :, 2] = by_zx * ty, by_xy * tz - by_zx * tx, -by_xy * ty
    j[1, :, 0], j[1, :, 1], j[1, :, 2] = by_xy * tz + by_zy * ty, -by_zy * tx, -by_xy * tx
    j[0, :, 3], j[0, :, 4], j[0, :, 5] = by_xy, 0.0, by_zx
    j[1, :, 3], j[1, :, 4], j[1, :, 5] = 0.0, -by_xy, by_zy
    for row, (first, along, sign) in enumerate(((by_zx, rotation[0], 1.0), (by_zy, rotation[1], -1.0))):
        weights = sign * by_xy[:, None] * along + first[:, None] * rotation[2]
        block = j[row, :, POSE:]
        np.multiply(directions[0], weights[:, 0, None], out=block)
        block += directions[1] * weights[:, 1, None]
        block += directions[2] * weights[:, 2, None]
    return j


@numba.njit(cache=True, nogil=True)
def _descend(h, g, x, low, high, sweeps):  # type: ignore[no-untyped-def]  # pragma: no cover
    n = len(x)
    slope = g + h @ x
    for _ in range(sweeps):
        moved = 0.0
        for i in range(n):
            new = min(max(x[i] - slope[i] / h[i, i], low[i]), high[i])
            change = new - x[i]
            if change != 0.0:
                x[i] = new
                for k in range(n):
                    slope[k] += change * h[k, i]
                moved = max(moved, abs(change))
        if moved < 1e-5:
            break
    return x


def bounded_step(
    hessian: Array64, gradient: Array64, low: NDArray[np.floating], high: NDArray[np.floating], sweeps: int = 60
) -> Array64:
    """The step s (6 + K,) that makes gradient.s + s.hessian.s / 2 least with low <= s[6:] <= high (K,); the pose is free.

    The pose is eliminated (Schur complement); the rest is a small box-constrained quadratic, solved by coordinate descent.
    """
    pose, cross, own = hessian[:POSE, :POSE], hessian[:POSE, POSE:], hessian[POSE:, POSE:]
    both = np.linalg.solve(pose, np.concatenate([cross, gradient[:POSE, None]], axis=1))
    reduced = own - cross.T @ both[:, :-1]
    slope = gradient[POSE:] - cross.T @ both[:, -1]
    reduced.flat[:: len(reduced) + 1] = np.maximum(reduced.diagonal(), 1e-12)
    start = np.clip(np.zeros(len(slope)), low, high)
    coefficients = _descend(reduced, slope, start, low, high, sweeps)
    return np.concatenate([-both[:, -1] - both[:, :-1] @ coefficients, coefficients])


def align(points: Array64, onto: Array64, weight: Array64) -> tuple[Array64, float, Array64]:
    """Rotation (3, 3), scale and shift (3,) that take `points` (N, 3) nearest to `onto` (N, 3) (Umeyama 1991)."""
    w = weight / weight.sum()
    a0, b0 = w @ points, w @ onto
    a, b = points - a0, onto - b0
    u, s, vt = np.linalg.svd((b * w[:, None]).T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    rotation = (u * sign) @ vt
    scale = float((s * sign).sum() / max(float((w[:, None] * a * a).sum()), 1e-12))
    return rotation, scale, b0 - scale * rotation @ a0
