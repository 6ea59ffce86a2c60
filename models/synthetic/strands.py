"""Strands: hair, brows, lashes, wires. Polylines in the rest pose that follow the head, or one triangle of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.heads.base import HEAD, NECK, TORSO, PersonHead
from models.jit import kernel
from models.types import Array, Array64


@dataclass(frozen=True)
class Strands:
    """S strands of P points in all, in the rest frame.

    points: (P, 3) float32 metres. half_width: (P,) metres. start: (S + 1,) int64. color: (S, 3) linear. kind: (S,) uint8, see
    `materials`. face: (S,) int32, the triangle that carries the strand, -1 for those that are skinned to head, neck and torso.
    normals: (P, 3) of the volume that the strands make up. along: (P,) in [0, 1] from root to tip.
    """

    points: Array
    half_width: Array
    start: NDArray[np.int64]
    color: Array
    kind: NDArray[np.uint8]
    face: NDArray[np.int32]
    normals: Array
    along: Array

    @staticmethod
    def of(
        paths: Array, half_width: Array | float, color: Array, kind: int = 0, face: NDArray[np.int32] | None = None,
        normals: Array | None = None,
    ) -> Strands:  # fmt: skip
        """Strands of one length: paths (S, N, 3); half_width (S, N), (N,) or one number; color (S, 3) or (3,)."""
        count, steps = paths.shape[:2]
        if normals is None:
            normals = paths / np.maximum(np.linalg.norm(paths, axis=-1, keepdims=True), 1e-6)
        return Strands(
            np.ascontiguousarray(paths.reshape(-1, 3), np.float32),
            np.broadcast_to(np.asarray(half_width, np.float32), (count, steps)).reshape(-1).copy(),
            np.arange(0, count * steps + 1, steps, dtype=np.int64),
            np.broadcast_to(np.asarray(color, np.float32), (count, 3)).copy(),
            np.full(count, kind, np.uint8),
            np.full(count, -1, np.int32) if face is None else face.astype(np.int32),
            np.ascontiguousarray(normals.reshape(-1, 3), np.float32),
            np.tile(np.linspace(0, 1, steps, dtype=np.float32), count),
        )

    @staticmethod
    def none() -> Strands:
        """No strand at all."""
        return Strands.of(np.zeros((0, 2, 3), np.float32), 0.0, np.zeros((0, 3), np.float32))

    @staticmethod
    def join(parts: list[Strands]) -> Strands:
        """All strands of all parts, in order."""
        start, base = [np.zeros(1, np.int64)], 0
        for p in parts:
            start.append(p.start[1:] + base)
            base += len(p.points)
        names = ("points", "half_width", "color", "kind", "face", "normals", "along")
        joined = {n: np.concatenate([getattr(p, n) for p in parts]) for n in names}
        return Strands(start=np.concatenate(start), **joined)

    @cached_property
    def strand_of(self) -> NDArray[np.int32]:
        """(P,) int32: the strand each point belongs to."""
        return np.repeat(np.arange(len(self.start) - 1, dtype=np.int32), np.diff(self.start))

    @cached_property
    def tangents(self) -> Array:
        """(P, 3) unit, along the strands."""
        p = self.points
        before, after = np.arange(len(p)) - 1, np.arange(len(p)) + 1
        before[self.start[:-1]] += 1
        after[self.start[1:] - 1] -= 1
        t = p[after] - p[before]
        return np.asarray(t / np.maximum(np.linalg.norm(t, axis=1, keepdims=True), 1e-9), np.float32)


@kernel(fastmath=True)
def _frame(vertices, faces, f, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Columns of out (3, 4): x along the first edge, normal, third axis, centroid. Returns the triangle's size."""
    i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
    ux, uy, uz = vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2]
    wx, wy, wz = vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1], vertices[k, 2] - vertices[i, 2]
    nx, ny, nz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
    lu = np.sqrt(ux * ux + uy * uy + uz * uz) + 1e-9
    ln = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-15
    ux, uy, uz, nx, ny, nz = ux / lu, uy / lu, uz / lu, nx / ln, ny / ln, nz / ln
    out[0, 0], out[1, 0], out[2, 0] = ux, uy, uz
    out[0, 1], out[1, 1], out[2, 1] = nx, ny, nz
    out[0, 2], out[1, 2], out[2, 2] = uy * nz - uz * ny, uz * nx - ux * nz, ux * ny - uy * nx
    for a in range(3):
        out[a, 3] = (vertices[i, a] + vertices[j, a] + vertices[k, a]) / 3.0


class _Rest(NamedTuple):
    """Strands in the rest pose, see `Strands`; weights: (P, 3) of `weights_of`."""

    points: Array
    normals: Array
    start: NDArray[np.int64]
    face: NDArray[np.int32]
    weights: Array


class _Carrier(NamedTuple):
    """What carries the strands. transforms: (3, 4, 4) of head, neck and torso; rest, posed: (V, 3) vertices; faces: (F, 3)."""

    transforms: Array64
    rest: Array
    posed: Array
    faces: NDArray[np.int32]


@kernel(fastmath=True)
def _pose(strands, carrier, out, out_normals):  # type: ignore[no-untyped-def]  # pragma: no cover
    points, normals, start, face, weights = strands
    transforms, rest, posed, faces = carrier
    a, b = np.empty((3, 4)), np.empty((3, 4))
    m = np.empty((3, 4))
    for s in range(start.shape[0] - 1):
        if face[s] >= 0:
            _frame(rest, faces, face[s], a)
            _frame(posed, faces, face[s], b)
            for r in range(3):
                for c in range(3):
                    m[r, c] = b[r, 0] * a[c, 0] + b[r, 1] * a[c, 1] + b[r, 2] * a[c, 2]
                m[r, 3] = b[r, 3] - m[r, 0] * a[0, 3] - m[r, 1] * a[1, 3] - m[r, 2] * a[2, 3]
        for p in range(start[s], start[s + 1]):
            if face[s] < 0:
                for r in range(3):
                    for c in range(4):
                        m[r, c] = (
                            weights[p, 0] * transforms[0, r, c]
                            + weights[p, 1] * transforms[1, r, c]
                            + weights[p, 2] * transforms[2, r, c]
                        )
            for r in range(3):
                out[p, r] = m[r, 0] * points[p, 0] + m[r, 1] * points[p, 1] + m[r, 2] * points[p, 2] + m[r, 3]
                out_normals[p, r] = m[r, 0] * normals[p, 0] + m[r, 1] * normals[p, 1] + m[r, 2] * normals[p, 2]


def weights_of(points: Array, joints: Array64) -> Array:
    """How much head, neck and torso move what hangs at points (P, 3), (P, 3) float32."""
    y, neck, torso = points[:, 1], joints[HEAD, 1] - 0.075, joints[NECK, 1] - 0.09
    head = np.clip((y - torso) / (neck - torso), 0, 1)
    head = head * head * (3 - 2 * head)
    middle = 0.5 * head * (1 - head) * 2
    out = np.stack([head - middle / 2, middle, 1 - head - middle / 2], axis=1)
    return np.asarray(out, np.float32)


def pose_strands(strands: Strands, weights: Array, person: PersonHead, posed: Array, transforms: Array64) -> tuple[Array, Array]:
    """Strand points and volume normals in the world, (P, 3) float32 each. posed: (V, 3); transforms: `skinning_transforms`."""
    out, normals = np.empty_like(strands.points), np.empty_like(strands.normals)
    rest = _Rest(strands.points, strands.normals, strands.start, strands.face, weights)
    _pose(rest, _Carrier(transforms[[HEAD, NECK, TORSO]], person.rest, posed, person.model.faces), out, normals)
    return out, normals
