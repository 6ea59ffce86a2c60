"""G11: a dense mesh laid out by UV that keeps the head's topology (GeoDiff4D A.2): the grid that a UNet's output lives on.

Each texel that shows a face becomes a vertex there, each square of four texels two triangles. Texels that are neighbours in the
picture may lie far apart on the head, across a seam or from one lip to the other: a triangle stays only when its corners lie on
one face of the head, or on faces within a few steps of each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.heads.base import HeadModel
from models.nets.deformation import uv_fragments
from models.types import Array

HOPS = 5
"""Steps over shared edges that the corners of a triangle may be apart at most."""


@dataclass(frozen=True)
class Remesh:
    """M vertices on an old mesh. texel: (M, 2) row and column. face: (M,) int32 old faces and barycentric: (M, 3) float32.
    faces: (T, 3) int32 triangles of the new vertices, turned as the old ones are."""

    texel: NDArray[np.int32]
    face: NDArray[np.int32]
    barycentric: Array
    faces: NDArray[np.int32]

    def interpolated(self, faces: NDArray[np.int32], values: NDArray[np.floating]) -> Array:
        """Values of the old vertices (..., V, C) at the new ones, (..., M, C) float32."""
        corners = values[..., faces[self.face], :]
        return np.einsum("mk,...mkc->...mc", self.barycentric, corners).astype(np.float32)

    def model(self, old: HeadModel) -> HeadModel:
        """The head model on the new mesh: everything that is linear in the vertices is carried over, and so posing is too.

        Landmarks move to the nearest new triangle's nearest corner.
        """
        f = old.faces
        template = self.interpolated(f, old.template)
        landmarks = np.einsum("nk,nkc->nc", old.landmark_barycentric, old.template[old.landmark_corners])
        first = np.full(len(template), -1, np.int64)
        first[self.faces.ravel()[::-1]] = np.arange(self.faces.size)[::-1]
        used = np.flatnonzero(first >= 0)
        apart = (landmarks**2).sum(1)[:, None] + (template[used] ** 2).sum(1) - 2 * landmarks @ template[used].T
        corner = first[used[apart.argmin(axis=1)]]
        uv = np.stack([self.texel[:, 1] + 0.5, self.texel[:, 0] + 0.5], axis=1) / (1 + self.texel.max())
        return replace(
            old, name=f"{old.name}-uv", template=template, faces=self.faces, region=old.region[self.face[self.faces[:, 0]]],
            uv=uv.astype(np.float32), face_uv=self.faces, identity_basis=self.interpolated(f, old.identity_basis),
            expression_basis=self.interpolated(f, old.expression_basis), weights=self.interpolated(f, old.weights),
            landmark_face=(corner // 3).astype(np.int32), landmark_barycentric=np.eye(3, dtype=np.float32)[corner % 3],
        )  # fmt: skip


def remesh(model: HeadModel, side: int, hops: int | None = HOPS) -> Remesh:
    """A mesh of at most side x side vertices. hops: None keeps every triangle."""
    face, barycentric = uv_fragments(model, side)
    index = np.full((side, side), -1, np.int64)
    row, column = np.nonzero(face >= 0)
    index[row, column] = np.arange(len(row))
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    triangles = np.concatenate([np.stack(corners, axis=-1).reshape(-1, 3) for corners in ((a, c, b), (b, c, d))])
    triangles = triangles[(triangles >= 0).all(axis=1)]
    on = face[row, column]
    if hops is not None:
        near = neighbourhood(model.faces, hops)
        ends = on[triangles]
        keep = np.ones(len(triangles), bool)
        for i, j in ((0, 1), (1, 2), (2, 0)):
            keep &= np.asarray(near[ends[:, i], ends[:, j]]).ravel() > 0
        triangles = triangles[keep]
    triangles = _turned_alike(model, on, barycentric[row, column], triangles)
    return Remesh(np.stack([row, column], axis=1).astype(np.int32), on, barycentric[row, column], triangles.astype(np.int32))


def neighbourhood(faces: NDArray[np.int32], hops: int) -> sparse.csr_matrix:
    """(F, F), above 0 where two faces are at most `hops` steps over shared edges apart: breadth-first search from all at once."""
    count = len(faces)
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    _, edge = np.unique(edges, axis=0, return_inverse=True)
    owner = np.tile(np.arange(count), 3)
    touches = sparse.coo_matrix((np.ones(3 * count, np.float32), (owner, edge.ravel())), (count, int(edge.max()) + 1)).tocsr()
    step = touches @ touches.T
    reached = sparse.identity(count, np.float32, format="csr")
    for _ in range(hops):
        reached = reached @ step
        reached.data[:] = 1.0
    return reached


def _turned_alike(model: HeadModel, on: NDArray[np.int32], barycentric: Array, triangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """The triangles with two corners swapped where they would show their back outwards."""
    corners = model.template[model.faces]
    points = np.einsum("mk,mkc->mc", barycentric, corners[on])
    old = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[on[triangles[:, 0]]]
    p = points[triangles]
    backwards = np.sum(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]) * old, axis=1) < 0
    return np.where(backwards[:, None], triangles[:, [0, 2, 1]], triangles)
