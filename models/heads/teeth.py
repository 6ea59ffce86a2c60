"""Two rows of teeth as strips of triangles (FaceCraft4D sec. 3.4, GaussianAvatars): 168 in all, the upper row fixed to
the head, the lower to the jaw. Head models come without teeth; this gives them some."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.types import Array

COLUMNS = 15
ROWS = 4
"""Across the arch, and from the gum over the biting edge to the back: 14 x 3 quads a row of teeth, 84 triangles."""
BEND = 2.6
"""Exponent of the arch: the incisors stand nearly in a line, and the arch bends at the canines (a parabola, 2, is so round that
half of the row is hidden by the other half from the side)."""


@dataclass(frozen=True)
class Arch:
    """Where a row of teeth sits, metres in avatar space. front: (3,) middle of the biting edge, outer side.

    half_width and depth: the arch is the curve z = front.z - depth |x / half_width|^BEND. height: of the crowns; negative for the
    lower row, whose gums are below the edge.
    """

    front: tuple[float, float, float]
    half_width: float = 0.024
    depth: float = 0.027
    height: float = 0.0095
    thickness: float = 0.005


def row(arch: Arch) -> tuple[Array, NDArray[np.int32], Array]:
    """One row of teeth: vertices (60, 3) metres, faces (84, 3) outwards, uv (60, 2) in [0, 1]."""
    s = np.linspace(-1.0, 1.0, COLUMNS)
    t = np.sin(s * np.pi / 2)  # closer together at the sides, where the arch bends away
    x = arch.front[0] + arch.half_width * t
    z = arch.front[2] - arch.depth * np.abs(t) ** BEND
    slope = -BEND * arch.depth * np.sign(t) * np.abs(t) ** (BEND - 1)
    tangent = np.stack([np.full_like(t, arch.half_width), slope], axis=1)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    inward = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
    y = arch.front[1]
    profile = [(0.0, arch.height), (0.0, 0.0), (arch.thickness * 0.6, 0.0), (arch.thickness, arch.height)]
    vertices = np.empty((COLUMNS, ROWS, 3), np.float32)
    for k, (back, up) in enumerate(profile):
        vertices[:, k, 0] = x + inward[:, 0] * back
        vertices[:, k, 1] = y + up
        vertices[:, k, 2] = z + inward[:, 1] * back
    faces = []
    for i in range(COLUMNS - 1):
        for k in range(ROWS - 1):
            a, b = i * ROWS + k, (i + 1) * ROWS + k
            quad = [(a, a + 1, b), (b, a + 1, b + 1)]
            faces += quad if arch.height > 0 else [(p, r, q) for p, q, r in quad]
    u, v = np.meshgrid((s + 1) / 2, np.linspace(0, 1, ROWS), indexing="ij")
    uv = np.stack([u.ravel(), v.ravel()], axis=1).astype(np.float32)
    return vertices.reshape(-1, 3), np.asarray(faces, np.int32), uv


def follow(points: Array, near: Array, displacement: NDArray[np.floating], *, neighbours: int = 24) -> Array:
    """How `points` (P, 3) move along with a soft surface: `near` (V, 3), its displacements (D, V, 3) -> (D, P, 3) float32.

    The distance-weighted mean of the nearest vertices.
    """
    d = np.linalg.norm(points[:, None] - near[None], axis=2)
    nearest = np.argsort(d, axis=1)[:, :neighbours]
    w = 1.0 / np.maximum(np.take_along_axis(d, nearest, axis=1), 1e-3)
    w /= w.sum(axis=1, keepdims=True)
    return np.einsum("pk,dpkc->dpc", w, displacement[:, nearest]).astype(np.float32)


def follow_rigidly(points: Array, near: Array, displacement: NDArray[np.floating]) -> Array:
    """How `points` (P, 3) move when bone joins them to `near` (V, 3), displaced by (D, V, 3) -> (D, P, 3) float32.

    The best rigid motion of `near` for each displacement (Kabsch 1976), so that a row of teeth stays straight.
    """
    out = np.empty((len(displacement), *points.shape), np.float32)
    centre = near.mean(axis=0)
    for k, moved in enumerate(displacement):
        target = near + moved
        u, _, vt = np.linalg.svd((target - target.mean(axis=0)).T @ (near - centre))
        rotation = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
        out[k] = (points - centre) @ rotation.T + target.mean(axis=0) - points
    return out
