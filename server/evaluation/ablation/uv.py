"""An avatar carried onto the dense mesh that is laid out by UV (`models.nets.remesh`): what the hop limit is tried on.

The old faces stay, for eyes and teeth, whose layout is too coarse; what is bound to skin and body moves to the new ones.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from models import arkit, binding
from models.avatar import Avatar
from models.heads.base import HeadModel
from models.heads.embedding import closest_on_triangles
from models.nets.remesh import Remesh, remesh
from models.types import Array

CARRIED = ("skin", "body")
MOVED: tuple[dict[str, float], ...] = (
    {}, {"jawOpen": 1.0}, {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}, {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0},
)  # fmt: skip
"""Shapes of the face in all of which a Gaussian should be near its new triangle: one lip is near the other in some."""


def on_uv_mesh(avatar: Avatar, model: HeadModel, side: int, hops: int | None) -> tuple[Avatar, HeadModel]:
    """The same avatar, looking the same at rest, bound to a mesh of at most side x side vertices more. hops: as for `remesh`."""
    mesh = remesh(model, side, hops)
    bound, person = avatar.gaussians, avatar.person(model)
    world = binding.to_world(bound, binding.frames(person.rest, model.faces))
    moves = model.region_faces(*CARRIED)[bound.face]
    uv = _places(model, person.rest, bound.face, world.means)
    shapes = [person.expressed(np.asarray(arkit.vector(**moved), np.float32)) for moved in MOVED]
    found = _triangles(mesh, side, uv)
    lost = np.flatnonzero(found < 0)
    ours = [binding.to_world(bound.select(lost), binding.frames(shape, model.faces)).means.copy() for shape in shapes]
    theirs = [mesh.interpolated(model.faces, shape)[mesh.faces].mean(axis=1) for shape in shapes]
    found[lost] = cKDTree(np.concatenate(theirs, axis=1)).query(np.concatenate(ours, axis=1))[1]
    face = np.where(moves, len(model.faces) + found, bound.face)
    new = joined(model, mesh)
    offset = np.concatenate([avatar.offset, mesh.interpolated(model.faces, avatar.offset)])
    moved = replace(avatar, head=new.name, offset=offset)
    frames = binding.frames(moved.person(new).rest, new.faces)
    return replace(moved, gaussians=binding.bind(world, face.astype(np.int32), frames)), new


def joined(model: HeadModel, mesh: Remesh) -> HeadModel:
    """The model with the new mesh's vertices and faces after its own; landmarks stay where they are."""
    new = mesh.model(model)
    count = model.vertex_count
    return replace(
        model, name=new.name, template=np.concatenate([model.template, new.template]),
        region=np.concatenate([model.region, new.region]), uv=np.concatenate([model.uv, new.uv]),
        faces=np.concatenate([model.faces, new.faces + count]).astype(np.int32),
        face_uv=np.concatenate([model.face_uv, new.face_uv + len(model.uv)]).astype(np.int32),
        identity_basis=np.concatenate([model.identity_basis, new.identity_basis], axis=1),
        expression_basis=np.concatenate([model.expression_basis, new.expression_basis], axis=1),
        weights=np.concatenate([model.weights, new.weights]),
    )  # fmt: skip


def _places(model: HeadModel, rest: Array, face: NDArray[np.int32], points: Array) -> Array:
    """(N, 2) UV of the point of its face that is nearest to each Gaussian."""
    bary, _ = closest_on_triangles(points, rest[model.faces[face]])
    return np.einsum("nk,nkc->nc", bary, model.uv[model.face_uv[face]])


def _triangles(mesh: Remesh, side: int, uv: Array) -> NDArray[np.int64]:
    """(N,) for each place in UV the triangle of the new mesh there, -1 where there is none."""
    corner = mesh.texel[mesh.faces]  # (T, 3, 2)
    cell = corner.min(axis=1)
    beyond = corner.sum(axis=(1, 2)) - 3 * cell.sum(axis=1) > 3  # the half of a square away from its first corner
    table = np.full((side, side, 2), -1, np.int64)
    table[cell[:, 0], cell[:, 1], beyond.astype(int)] = np.arange(len(cell))
    xy = uv * side - 0.5
    column, row = np.clip(np.floor(xy), 0, side - 1).astype(int).T
    far = (xy[:, 0] - column) + (xy[:, 1] - row) > 1
    return np.asarray(table[row, column, far.astype(int)])
