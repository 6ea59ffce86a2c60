"""Thickness of the hair where the photo does not show it, estimated from the mattes that the diffusion prior synthesises.

The prior's matte at a pixel is an expectation: the probability, given the photo, that the head covers the pixel. Its integral
along a line outwards from the mesh's silhouette is the expected distance between silhouette and hair, also where the matte is
blurred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from enrollment.instant.fit import PhotoFit
from enrollment.instant.nonrigid_registration import NORMAL_WIDTH, SURE, graph, posed, smooth_field, smooth_normals
from enrollment.instant.pipeline import Enrollment, rebuild_with_offset
from enrollment.instant.texture_completion import scalp
from enrollment.portrait.portrait import Portrait
from enrollment.reconstruction.capture import Frame
from models.heads.base import HeadModel, PersonHead
from models.heads.raster import rasterize
from models.tracking.face_geometry import face_height
from models.types import Array, Array64

INWARDS, OUTWARDS, STEP = 0.016, 0.05, 0.001
"""Range of that integral around the silhouette and its step, metres; inwards as far as the prior's resolution blurs the matte."""
NEAR = 0.006
"""Distance from the silhouette within which a vertex counts as on it, metres."""
NAPE = (-0.11, -0.02)
"""Lowest height and foremost depth of the nape on the template, metres: hair may cover it."""
STIFFNESS = 5.0
"""Weight of smoothness when the thickness is interpolated over the mesh (`smooth_field`)."""
BEHIND = 0.02
"""Margin between the thickened hair and the outline in each photo, face heights."""
ROUNDS, PARTS, SLACK = 3, 21, 0.0005
"""Rounds in which the field is fitted within its bounds; steps along each vertex's displacement at which the bound is tested;
metres by which the field may exceed a bound."""


def thicken_hair(enrollment: Enrollment, model: HeadModel, frames: Sequence[Frame]) -> Enrollment:
    """The instant avatar rebuilt on a head whose hair is as thick as the mattes of the synthesised `frames` say."""
    return rebuild_with_offset(enrollment, model, enrollment.avatar.offset + hair_offset(enrollment, model, frames))


def hair_offset(enrollment: Enrollment, model: HeadModel, frames: Sequence[Frame]) -> Array:
    """Static offsets (V, 3) float32 metres in avatar space, along smoothed normals; 0 outside of the hair region, and bounded so
    that the outline in the photos does not change."""
    person = enrollment.avatar.person(model)
    laplacian, average = graph(model)
    hair = hair_region(model)
    total, weight = np.zeros(model.vertex_count), np.zeros(model.vertex_count)
    for frame in frames:
        distance, measured = _distance_to_hair(frame, person.vertices(frame.coefficients, frame.pose), model, average, hair)
        total += distance
        weight += measured
    target = total / np.maximum(weight, 1.0)
    weight = np.where(hair, np.minimum(weight, 1.0), 1.0)
    direction = smooth_normals(person.rest, model, average)
    for _ in range(ROUNDS):
        amount = smooth_field(laplacian, weight, target, STIFFNESS) * hair
        displacement = amount[:, None] * direction
        bounds = [
            _free_part(displacement, person, *photo) for photo in zip(enrollment.fit.photos, enrollment.portraits, strict=True)
        ]
        most = np.min(bounds, axis=0) * np.abs(amount)
        beyond = most < np.abs(amount) - SLACK
        target[beyond], weight[beyond] = np.copysign(most, amount)[beyond], 1.0
    return np.asarray(np.clip(amount, -most, most)[:, None] * direction, np.float32)


def hair_region(model: HeadModel) -> NDArray[np.bool_]:
    """(V,) vertices that hair may cover: the scalp and the nape."""
    v = model.template
    skin = np.zeros(model.vertex_count, bool)
    skin[model.region_vertices("skin")] = True
    return scalp(model) | (skin & (v[:, 1] > NAPE[0]) & (v[:, 2] < NAPE[1]))


def _distance_to_hair(
    frame: Frame, vertices: Array, model: HeadModel, average: sparse.csr_matrix, hair: NDArray[np.bool_]
) -> tuple[Array64, Array64]:
    """(V,) distance from the mesh's silhouette to the edge of the frame's matte at each vertex, metres, and (V,) 1 for the
    vertices on the silhouette; both 0 elsewhere."""
    camera = frame.camera
    mesh = (rasterize(vertices, model.faces, camera, cull=False).face >= 0).astype(np.float32)
    here = vertices @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
    view = -here / np.linalg.norm(here, axis=1, keepdims=True)
    normals = smooth_normals(vertices, model, average) @ camera.world_to_camera[:3, :3].T
    scale = camera.fx / here[:, 2]
    xy = camera.project(vertices)
    column, row = np.clip(xy.astype(int), 0, np.array(mesh.shape[::-1]) - 1).T
    rim = ndimage.distance_transform_edt(mesh)[row, column] < NEAR * scale
    chosen = np.flatnonzero(hair & rim & (np.abs(np.sum(view * normals, axis=1)) < NORMAL_WIDTH))
    flat = normals[chosen, :2]
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    steps = np.arange(-INWARDS, OUTWARDS, STEP)
    ray = xy[chosen, None] + (flat / length * scale[chosen, None])[:, None] * steps[:, None]
    at = np.moveaxis(ray[..., ::-1] - 0.5, -1, 0)
    reached, covering = (ndimage.map_coordinates(p, at, order=1, mode="nearest") for p in (frame.matte, mesh))
    left = np.maximum.accumulate((covering < 0.5) & (steps >= 0), axis=1)
    connected = ~np.maximum.accumulate(left & (covering > 0.5), axis=1)  # what comes after a gap is a shoulder
    distance, measured = np.zeros(len(vertices)), np.zeros(len(vertices))
    distance[chosen] = ((reached - covering) * connected).sum(axis=1) * STEP / length[:, 0]
    measured[chosen] = 1.0
    return distance, measured


def _free_part(displacement: Array64, person: PersonHead, photo: PhotoFit, portrait: Portrait) -> Array64:
    """(V,) in [0, 1]: the part of its displacement (V, 3) that each vertex may move before it reaches the outline in the
    photo."""
    camera, side = photo.camera(portrait), portrait.matte.shape[0]
    inwards = ndimage.distance_transform_edt((portrait.matte > SURE) | ~portrait.inside)
    near = inwards < BEHIND * face_height(portrait.landmarks)
    start = posed(person, photo)
    moved = posed(replace(person, rest=(person.rest + displacement).astype(np.float32)), photo) - start
    free, most = np.ones(len(displacement), bool), np.zeros(len(displacement))
    for part in np.linspace(0, 1, PARTS):
        column, row = camera.project(start + part * moved).T
        inside = (column >= 0) & (row >= 0) & (column < side) & (row < side)
        at = tuple(np.clip(x, 0, side - 1).astype(int) for x in (row, column))
        free &= ~(inside & near[at])
        most = np.where(free, part, most)
    return most
