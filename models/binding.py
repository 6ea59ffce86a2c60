"""Gaussians bound to triangles, GaussianAvatars' way (Qian et al. 2024, sec. 3.2): each lives in the frame of its triangle.

The frame: origin at the centroid, x along v1 - v0, y along the normal, z = x cross y; lengths are multiplied by
(|v1 - v0| + |z . (v2 - v0)|) / 2, so a Gaussian grows with its triangle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.jit import kernel
from models.types import Array, Gaussians

LARGEST = 2900.0
"""Units of a triangle; a Gaussian larger than this is none of a head, and no file takes it."""
LEAST_LENGTH = 0.1
"""Of a quaternion that says where its Gaussian turns to."""


@dataclass(frozen=True)
class Frames:
    """One frame a triangle. origin: (F, 3) metres; rotation: (F, 4) quaternion wxyz, frame -> world; scale: (F,) metres."""

    origin: Array
    rotation: Array
    scale: Array


@dataclass(frozen=True)
class BoundGaussians:
    """N Gaussians in the frames of their triangles.

    face: (N,) int32. means: (N, 3) and scales: (N, 3) float32 in units of the triangle's scale. rotations: (N, 4) float32
    wxyz, Gaussian -> frame. opacities: (N,) float32 in [0, 1]. colors: (N, 3) float32 sRGB in [0, 1].
    """

    face: NDArray[np.int32]
    means: Array
    rotations: Array
    scales: Array
    opacities: Array
    colors: Array

    def __len__(self) -> int:
        return int(self.face.shape[0])

    def select(self, which: NDArray[np.generic]) -> BoundGaussians:
        """The Gaussians at a mask (N,) or positions."""
        return BoundGaussians(*(a[which] for a in self._fields()))

    @staticmethod
    def concatenate(parts: list[BoundGaussians]) -> BoundGaussians:
        """All Gaussians of all parts, in order."""
        return BoundGaussians(*(np.concatenate(column) for column in zip(*(p._fields() for p in parts), strict=True)))

    def valid(self) -> BoundGaussians:
        """Those of which every number is finite, with scales, opacities and colours cut to what they may be: whatever makes
        Gaussians by arithmetic ends with this, so that what it made can be kept and drawn."""
        numbers = np.concatenate([self.means, self.rotations, self.scales, self.opacities[:, None], self.colors], axis=1)
        turned = np.linalg.norm(self.rotations, axis=1) > LEAST_LENGTH
        kept = self.select(np.isfinite(numbers).all(axis=1) & turned)
        scales, opacities, colors = np.clip(kept.scales, 0, LARGEST), kept.opacities.clip(0, 1), kept.colors.clip(0, 1)
        return replace(kept, scales=scales, opacities=opacities, colors=colors)

    def _fields(self) -> tuple[NDArray[np.generic], ...]:
        return (self.face, self.means, self.rotations, self.scales, self.opacities, self.colors)


@kernel(fastmath=True)
def _frames(vertices, faces, origin, rotation, scale):  # type: ignore[no-untyped-def]  # pragma: no cover
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        ux, uy, uz = vertices[j, 0] - ax, vertices[j, 1] - ay, vertices[j, 2] - az
        wx, wy, wz = vertices[k, 0] - ax, vertices[k, 1] - ay, vertices[k, 2] - az
        nx, ny, nz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        lu = max(np.sqrt(ux * ux + uy * uy + uz * uz), 1e-9)
        ln = max(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-15)
        x0, x1, x2 = ux / lu, uy / lu, uz / lu
        y0, y1, y2 = nx / ln, ny / ln, nz / ln
        z0, z1, z2 = x1 * y2 - x2 * y1, x2 * y0 - x0 * y2, x0 * y1 - x1 * y0
        origin[f, 0] = ax + (ux + wx) / 3.0
        origin[f, 1] = ay + (uy + wy) / 3.0
        origin[f, 2] = az + (uz + wz) / 3.0
        scale[f] = 0.5 * (lu + abs(z0 * wx + z1 * wy + z2 * wz))
        # matrix with columns x, y, z -> quaternion (Shepperd's method)
        if x0 + y1 + z2 > 0.0:
            s = 2.0 * np.sqrt(max(1.0 + x0 + y1 + z2, 1e-12))
            qw, qx, qy, qz = 0.25 * s, (y2 - z1) / s, (z0 - x2) / s, (x1 - y0) / s
        elif x0 > y1 and x0 > z2:
            s = 2.0 * np.sqrt(max(1.0 + x0 - y1 - z2, 1e-12))
            qw, qx, qy, qz = (y2 - z1) / s, 0.25 * s, (y0 + x1) / s, (z0 + x2) / s
        elif y1 > z2:
            s = 2.0 * np.sqrt(max(1.0 + y1 - x0 - z2, 1e-12))
            qw, qx, qy, qz = (z0 - x2) / s, (y0 + x1) / s, 0.25 * s, (z1 + y2) / s
        else:
            s = 2.0 * np.sqrt(max(1.0 + z2 - x0 - y1, 1e-12))
            qw, qx, qy, qz = (x1 - y0) / s, (z0 + x2) / s, (z1 + y2) / s, 0.25 * s
        norm = np.sqrt(qw * qw + qx * qx + qy * qy + qz * qz)  # 1, unless the triangle is flat and has no such frame
        rotation[f, 0], rotation[f, 1], rotation[f, 2], rotation[f, 3] = qw / norm, qx / norm, qy / norm, qz / norm


@kernel(fastmath=True)
def _to_world(face, means, rotations, scales, origin, rotation, scale, out_means, out_rotations, out_scales):  # type: ignore[no-untyped-def]  # pragma: no cover
    for n in range(face.shape[0]):
        f = face[n]
        s = scale[f]
        w, x, y, z = rotation[f, 0], rotation[f, 1], rotation[f, 2], rotation[f, 3]
        px, py, pz = means[n, 0] * s, means[n, 1] * s, means[n, 2] * s
        # v + 2 w (q x v) + 2 q x (q x v)
        tx, ty, tz = 2.0 * (y * pz - z * py), 2.0 * (z * px - x * pz), 2.0 * (x * py - y * px)
        out_means[n, 0] = origin[f, 0] + px + w * tx + y * tz - z * ty
        out_means[n, 1] = origin[f, 1] + py + w * ty + z * tx - x * tz
        out_means[n, 2] = origin[f, 2] + pz + w * tz + x * ty - y * tx
        a, b, c, d = rotations[n, 0], rotations[n, 1], rotations[n, 2], rotations[n, 3]
        out_rotations[n, 0] = w * a - x * b - y * c - z * d
        out_rotations[n, 1] = w * b + x * a + y * d - z * c
        out_rotations[n, 2] = w * c - x * d + y * a + z * b
        out_rotations[n, 3] = w * d + x * c - y * b + z * a
        out_scales[n, 0], out_scales[n, 1], out_scales[n, 2] = scales[n, 0] * s, scales[n, 1] * s, scales[n, 2] * s


def frames(vertices: Array, faces: NDArray[np.int32], out: Frames | None = None) -> Frames:
    """The frames of all triangles; vertices (V, 3) float32, faces (F, 3). `out` is written over when given."""
    n = len(faces)
    out = out or Frames(np.empty((n, 3), np.float32), np.empty((n, 4), np.float32), np.empty(n, np.float32))
    _frames(vertices, faces, out.origin, out.rotation, out.scale)
    return out


def to_world(bound: BoundGaussians, at: Frames, out: Gaussians | None = None) -> Gaussians:
    """Bound Gaussians in the world. `out`, when given, is written over (its colours and opacities are kept as they are)."""
    n = len(bound)
    out = out or Gaussians(
        np.empty((n, 3), np.float32), np.empty((n, 4), np.float32), np.empty((n, 3), np.float32),
        bound.opacities, bound.colors,
    )  # fmt: skip
    _to_world(
        bound.face, bound.means, bound.rotations, bound.scales, at.origin, at.rotation, at.scale,
        out.means, out.rotations, out.scales,
    )  # fmt: skip
    return out


def bind(gaussians: Gaussians, face: NDArray[np.int32], at: Frames) -> BoundGaussians:
    """The inverse of `to_world`: world Gaussians into the frames of the faces (N,) they are given."""
    q = at.rotation[face] * np.array([1, -1, -1, -1], np.float32)
    scale = np.maximum(at.scale[face], 1e-7)[:, None]
    local = _rotate(q, gaussians.means - at.origin[face]) / scale
    return BoundGaussians(
        face.astype(np.int32), local.astype(np.float32), _multiply(q, gaussians.rotations).astype(np.float32),
        (gaussians.scales / scale).astype(np.float32), gaussians.opacities, gaussians.colors,
    )  # fmt: skip


def _rotate(q: Array, v: Array) -> Array:
    t = 2.0 * np.cross(q[:, 1:], v)
    return np.asarray(v + q[:, :1] * t + np.cross(q[:, 1:], t))


def _multiply(p: Array, q: Array) -> Array:
    w = p[:, :1] * q[:, :1] - np.sum(p[:, 1:] * q[:, 1:], axis=1, keepdims=True)
    v = p[:, :1] * q[:, 1:] + q[:, :1] * p[:, 1:] + np.cross(p[:, 1:], q[:, 1:])
    return np.concatenate([w, v], axis=1)
