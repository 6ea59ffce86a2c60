"""Even sampling of the head's surface, and its visibility in a photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from models import arkit
from models.heads.base import HeadModel, PersonHead
from models.heads.raster import Fragments, rasterize, vertex_normals
from models.splat.workers import available
from models.types import Array, Camera

STRETCHES = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthPucker", "mouthSmileLeft", "mouthSmileRight", "browInnerUp")
"""Expressions that unfold skin (eyelids, lips); the samples must be dense enough in these too."""
SEED = 20
"""Of the sampling."""
FINER, HOLE, CROWDED = 0.45, 0.8, 0.35
"""Distance between the places that are looked at for holes, distance from the nearest sample from which one is a hole, and
distance under which the later one of two samples is left out, all in spacings."""
SIDES = 0.5
"""Distance in spacings that a right angle between two normals counts as: an ear's other side covers nothing."""


@dataclass(frozen=True)
class Samples:
    """Points on a mesh. face: (N,) int32. barycentric: (N, 3) float32. spacing: (N,) float32 metres to the neighbours."""

    face: NDArray[np.int32]
    barycentric: Array
    spacing: Array

    def at(self, faces: NDArray[np.int32], values: NDArray[np.floating]) -> Array:
        """Per-vertex values (V, C) at the samples, (N, C)."""
        return np.einsum("nk,nkc->nc", self.barycentric, values[faces[self.face]]).astype(np.float32)

    def parts(self) -> tuple[NDArray[np.int32], Array, Array]:
        """Faces, barycentric coordinates and spacings."""
        return self.face, self.barycentric, self.spacing

    def select(self, which: NDArray[np.generic]) -> Samples:
        """The samples at a mask or positions."""
        return Samples(self.face[which], self.barycentric[which], self.spacing[which])


def sample(person: PersonHead, spacing: NDArray[np.floating]) -> Samples:
    """Sample every face so that neighbours are about `spacing` (F,) metres apart, also in expressions that stretch it.

    A face with spacing 0 gets none. Skin and body have no hole (`HOLE`): the dark mouth behind a cheek would be seen through it.
    Deterministic.
    """
    model = person.model
    area = triangle_areas(person.rest, model.faces)
    for name in STRETCHES:
        moved = person.rest + model.expression_basis[arkit.INDEX[name]]
        area = np.maximum(area, triangle_areas(moved, model.faces))
    rng = np.random.default_rng(SEED)
    expected = np.where(spacing > 0, area / np.maximum(spacing, 1e-6) ** 2, 0.0)
    scattered = _scattered(expected, spacing, rng)
    outer = model.region_faces("skin", "body")
    finer = _scattered(np.where(outer, expected / FINER**2, 0.0), spacing, rng)
    return _closed(person, scattered, finer, outer)


def _scattered(expected: NDArray[np.floating], spacing: NDArray[np.floating], rng: np.random.Generator) -> Samples:
    """About `expected` (F,) samples on each face, apart from each other."""
    count = np.floor(expected + rng.random(len(expected))).astype(int)
    face = np.repeat(np.arange(len(count)), count).astype(np.int32)
    order = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
    # the R2 low-discrepancy sequence (Roberts 2018), folded into the triangle, keeps a face's samples apart
    u = (0.5 + 0.7548776662466927 * (order + 1) + rng.random(len(count))[face]) % 1
    v = (0.5 + 0.5698402909980532 * (order + 1) + rng.random(len(count))[face]) % 1
    fold = u + v > 1
    u, v = np.where(fold, 1 - u, u), np.where(fold, 1 - v, v)
    return Samples(face, np.stack([1 - u - v, u, v], axis=1).astype(np.float32), spacing[face].astype(np.float32))


def _closed(person: PersonHead, samples: Samples, finer: Samples, outer: NDArray[np.bool_]) -> Samples:
    """The samples without those that crowd, and with those of `finer` in holes. outer: (F,) faces for which this holds."""
    faces, normals = person.model.faces, vertex_normals(person.rest, person.model.faces)

    def places(of: Samples) -> Array:
        return np.concatenate([of.at(faces, person.rest), SIDES * of.spacing[:, None] * of.at(faces, normals)], axis=1)

    at = places(samples)
    here = np.flatnonzero(outer[samples.face])
    if not len(here):
        return samples
    away, near = cKDTree(at[here]).query(at[here], k=2, workers=available())
    crowded = np.zeros(len(samples.face), bool)
    crowded[here] = (away[:, 1] < CROWDED * samples.spacing[here]) & (near[:, 1] < np.arange(len(here)))
    samples, at = samples.select(~crowded), at[~crowded]
    there = places(finer)
    away, _ = cKDTree(at[outer[samples.face]]).query(there, workers=available())
    holes = np.flatnonzero(away > HOLE * finer.spacing)
    neighbours = cKDTree(there[holes]).query_ball_point(there[holes], HOLE * finer.spacing[holes])
    free, chosen = np.ones(len(holes), bool), []
    for i in np.argsort(-away[holes] / finer.spacing[holes], kind="stable"):
        if free[i]:
            chosen.append(holes[i])
            free[neighbours[i]] = False
    filled = finer.select(np.sort(np.array(chosen, np.int64)))
    return Samples(*(np.concatenate([a, b]) for a, b in zip(samples.parts(), filled.parts(), strict=True)))


def stretch_ratios(person: PersonHead, coefficients: Array) -> Array:
    """(F,) largest area of each face over the expressions `STRETCHES`, relative to its area with the given coefficients (52,)."""
    faces = person.model.faces
    now = np.maximum(triangle_areas(person.expressed(coefficients), faces), 1e-9)
    largest = now
    for name in STRETCHES:
        moved = person.rest + person.model.expression_basis[arkit.INDEX[name]]
        largest = np.maximum(largest, triangle_areas(moved, faces))
    return np.asarray(largest / now)


def steadiness(model: HeadModel, ratios: Array, span: tuple[float, float]) -> Array:
    """(F,) in [0, 1], smooth over the mesh: 1 for faces with `ratios` (F,) up to span[0], 0 from span[1]."""
    steady = np.clip((span[1] - ratios) / (span[1] - span[0]), 0, 1)
    count = np.bincount(model.faces.ravel(), minlength=model.vertex_count)
    mean = np.bincount(model.faces.ravel(), np.repeat(steady, 3), model.vertex_count) / np.maximum(count, 1)
    return np.asarray(np.minimum(steady, mean[model.faces].mean(axis=1)), np.float32)


def triangle_areas(vertices: Array, faces: NDArray[np.int32]) -> Array:
    """(F,) areas of triangles with vertices (V, 3), in the vertices' unit squared."""
    c = vertices[faces]
    return np.asarray(0.5 * np.linalg.norm(np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0]), axis=1))


def slopes(values: Array, vertices: Array, faces: NDArray[np.int32]) -> Array:
    """(F,) how much values (V,) change for each metre on triangles with vertices (V, 3)."""
    a, b, c = (vertices[faces[:, k]].astype(np.float64) for k in range(3))
    normal = np.cross(b - a, c - a)
    square = np.maximum(np.sum(normal**2, axis=1, keepdims=True), 1e-18)
    of = values[faces].astype(np.float64)
    gradient = np.cross(normal, c - b) * of[:, :1] + np.cross(normal, a - c) * of[:, 1:2] + np.cross(normal, b - a) * of[:, 2:]
    return np.asarray(np.linalg.norm(gradient / square, axis=1), np.float32)


@dataclass(frozen=True)
class VisibleSurface:
    """The posed head in one photo's camera. vertices: (V, 3) posed, in the camera's OpenGL axes. normals: (V, 3).

    fragments: the nearest outer surface at each pixel.
    """

    model: HeadModel
    vertices: Array
    normals: Array
    camera: Camera
    fragments: Fragments

    @staticmethod
    def of(model: HeadModel, vertices: Array, camera: Camera) -> VisibleSurface:
        """Rasterize posed vertices (V, 3), in the camera's OpenGL axes."""
        fragments = rasterize(vertices, model.faces, camera)
        return VisibleSurface(model, vertices, vertex_normals(vertices, model.faces), camera, fragments)

    def visible(self, points: Array, normals: Array, *, tolerance: float = 0.004) -> tuple[NDArray[np.bool_], Array, Array]:
        """Visibility (N,) of surface points (N, 3) with normals (N, 3), their pixels (N, 2), and the cosine between normal and
        view direction (N,). tolerance: metres that a point may lie behind the rasterized depth."""
        xy = self.camera.project(points)
        toward = -points / np.linalg.norm(points, axis=1, keepdims=True)
        facing = np.sum(toward * normals, axis=1)
        column, row = np.floor(xy).astype(int).T
        inside = (column >= 0) & (row >= 0) & (column < self.camera.width) & (row < self.camera.height)
        depth = self.fragments.depth[np.where(inside, row, 0), np.where(inside, column, 0)]
        seen = inside & (-points[:, 2] < depth + tolerance) & (facing > 0.05)
        return np.asarray(seen), np.asarray(xy, np.float32), np.asarray(facing, np.float32)
