"""The least-squares problem behind the solver: a person's landmarks, seen through a pinhole camera, against the tracker's.

Unknowns of one step: rotation 3 (a small turn on the left, radians), translation 3 (metres), coefficients. Camera: OpenGL
axes (x right, y up, z towards the viewer), so a point in front has negative z; pictures: x right, y down from the middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.jit import kernel
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


@kernel(fastmath=True, error_model="numpy")
def _jacobian(points, turned, rotation, focal, directions, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    for n in range(points.shape[0]):
        x, y, depth = points[n, 0], points[n, 1], -points[n, 2]
        tx, ty, tz = turned[n, 0], turned[n, 1], turned[n, 2]
        straight, x_by_z, y_by_z = focal / depth, focal * x / depth**2, -focal * y / depth**2
        # a small turn w moves a point by w x turned
        out[0, 0, n], out[1, 0, n], out[2, 0, n] = x_by_z * ty, straight * tz - x_by_z * tx, -straight * ty
        out[0, 1, n], out[1, 1, n], out[2, 1, n] = straight * tz + y_by_z * ty, -y_by_z * tx, -straight * tx
        out[3, 0, n], out[4, 0, n], out[5, 0, n] = straight, 0.0, x_by_z
        out[3, 1, n], out[4, 1, n], out[5, 1, n] = 0.0, -straight, y_by_z
    for k in range(directions.shape[0]):
        for n in range(points.shape[0]):
            x, y, depth = points[n, 0], points[n, 1], -points[n, 2]
            dx, dy, dz = directions[k, 0, n], directions[k, 1, n], directions[k, 2, n]
            right = rotation[0, 0] * dx + rotation[0, 1] * dy + rotation[0, 2] * dz
            up = rotation[1, 0] * dx + rotation[1, 1] * dy + rotation[1, 2] * dz
            near = (rotation[2, 0] * dx + rotation[2, 1] * dy + rotation[2, 2] * dz) / depth
            out[6 + k, 0, n] = focal / depth * (right + x * near)
            out[6 + k, 1, n] = -focal / depth * (up + y * near)


def jacobian(seen: Projected, rotation: Array64, focal: float, directions: Array64) -> Array64:
    """Change of the pixels with the unknowns, (6 + K, 2, N). directions: (K, 3, N) metres, head space."""
    out = np.empty((POSE + len(directions), 2, len(seen.points)))
    _jacobian(seen.points, seen.turned, rotation, focal, directions, out)
    return out


@kernel(fastmath=True, error_model="numpy")
def _products(columns, weight, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    weighted = np.empty(columns.shape[1])
    for i in range(columns.shape[0]):
        for r in range(columns.shape[1]):
            weighted[r] = columns[i, r] * weight[r]
        for k in range(i + 1):
            total = 0.0
            for r in range(columns.shape[1]):
                total += weighted[r] * columns[k, r]
            out[i, k] = total
            out[k, i] = total


def weighted_products(columns: Array64, weight: Array64) -> Array64:
    """columns . diag(weight) . columns^T, (C, C), of columns (C, R). In one thread: BLAS would wait for busy cores."""
    out = np.empty((len(columns), len(columns)))
    _products(columns, weight, out)
    return out


@kernel(error_model="numpy")
def _descend(h, g, x, low, high, sweeps):  # type: ignore[no-untyped-def]  # pragma: no cover
    n = len(x)
    slope = g.copy()
    for i in range(n):
        for k in range(n):
            slope[i] += h[i, k] * x[k]
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


@kernel(fastmath=True, error_model="numpy")
def _eliminate(m, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    n = m.shape[0]
    for p in range(first, last):
        for i in range(n):
            if i >= first and i <= p:
                continue
            factor = m[i, p] / m[p, p]
            for k in range(n):
                m[i, k] -= factor * m[p, k]


def eliminate(matrix: Array64, first: int, last: int) -> Array64:
    """The Schur complement of rows and columns first..last of a symmetric, positive definite (C, C), without them.

    Plain elimination in one thread: these matrices are too small for LAPACK's threads.
    """
    m = matrix.copy()
    _eliminate(m, first, last)
    keep = np.r_[0:first, last : len(m)]
    return m[np.ix_(keep, keep)]


def bounded_step(hessian: Array64, gradient: Array64, low: Array64, high: Array64, sweeps: int = 60) -> Array64:
    """The step s (6 + K,) that makes gradient.s + s.hessian.s / 2 least with low <= s[6:] <= high (K,); the pose is free.

    The pose is eliminated; the rest is a small box-constrained quadratic, solved by coordinate descent.
    """
    size = len(hessian)
    bordered = np.zeros((size + 1, size + 1))
    bordered[:size, :size], bordered[:size, size], bordered[size, :size] = hessian, gradient, gradient
    reduced = eliminate(bordered, 0, POSE)
    own, slope = reduced[:-1, :-1].copy(), reduced[:-1, -1].copy()
    own.flat[:: len(own) + 1] = np.maximum(own.diagonal(), 1e-12)
    coefficients = _descend(own, slope, np.clip(np.zeros(len(slope)), low, high), low, high, sweeps)
    right = gradient[:POSE] + np.einsum("pk,k->p", hessian[:POSE, POSE:], coefficients)
    return np.concatenate([-_solve(hessian[:POSE, :POSE].copy(), right), coefficients])


@kernel(error_model="numpy")
def _solve(m, b):  # type: ignore[no-untyped-def]  # pragma: no cover
    n = len(b)
    for p in range(n):
        for i in range(p + 1, n):
            factor = m[i, p] / m[p, p]
            for k in range(p, n):
                m[i, k] -= factor * m[p, k]
            b[i] -= factor * b[p]
    for p in range(n - 1, -1, -1):
        for k in range(p + 1, n):
            b[p] -= m[p, k] * b[k]
        b[p] /= m[p, p]
    return b
