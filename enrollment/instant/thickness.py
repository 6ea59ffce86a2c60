"""How far hair stands out where the photo does not show it: read off the mattes that the diffusion prior makes.

The prior's matte at a pixel is the part of all people who would look like this in the photo and whose head reaches that far.
Summed up along a line outwards from the silhouette, that is how far they reach on average: a blurred matte too says where hair
ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from enrollment.instant import assemble
from enrollment.instant.fit import PhotoFit
from enrollment.instant.nonrigid_registration import NORMAL_WIDTH, SURE, graph, posed, smooth_field, smooth_normals
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.texture_completion import scalp
from enrollment.portrait.portrait import Portrait
from enrollment.reconstruction.capture import Frame
from models.heads.base import HeadModel, PersonHead
from models.heads.raster import rasterize
from models.tracking.face_geometry import face_height
from models.types import Array, Array64

INWARDS, OUTWARDS, STEP = 0.016, 0.05, 0.001
"""Metres from the silhouette that are summed up: inwards as far as the prior's pixels blur it."""
NEAR = 0.006
"""Metres from the silhouette within which a vertex is on it."""
NAPE = (-0.11, -0.02)
"""Metres on the template: how far down hair covers the nape at most, and how far in front the nape ends."""
STIFFNESS = 5.0
BEHIND = 0.02
"""Face heights that what is added stays inside the outline in each photo."""
ROUNDS, PARTS, SLACK = 3, 21, 0.0005
"""How often the field is fitted within its bounds, into how many parts a way is divided to find them, and the metres by which it
may be beyond them."""


def thickened(enrollment: Enrollment, model: HeadModel, frames: Sequence[Frame]) -> Enrollment:
    """The instant avatar built again on a head whose hair reaches as far as the mattes of `frames`, synthesised ones, say."""
    avatar = enrollment.avatar
    offset = avatar.offset + thickness(enrollment, model, frames)
    person = model.person(avatar.identity, offset)
    gaussians = assemble.build(person, enrollment.fit, list(enrollment.portraits), offset)
    return replace(enrollment, avatar=replace(avatar, offset=offset, gaussians=gaussians))


def thickness(enrollment: Enrollment, model: HeadModel, frames: Sequence[Frame]) -> Array:
    """Offsets (V, 3) float32 metres in avatar space, along smoothed normals: 0 where no hair grows, and so small that the outline
    in the photos stays as it is."""
    person = enrollment.avatar.person(model)
    laplacian, average = graph(model)
    may = covered(model)
    total, weight = np.zeros(model.vertex_count), np.zeros(model.vertex_count)
    for frame in frames:
        further, there = _further(frame, person.vertices(frame.coefficients, frame.pose), model, average, may)
        total += further
        weight += there
    wanted = total / np.maximum(weight, 1.0)
    weight = np.where(may, np.minimum(weight, 1.0), 1.0)
    direction = smooth_normals(person.rest, model, average)
    for _ in range(ROUNDS):
        amount = smooth_field(laplacian, weight, wanted, STIFFNESS) * may
        way = amount[:, None] * direction
        bounds = [_part(way, person, *shown) for shown in zip(enrollment.fit.photos, enrollment.portraits, strict=True)]
        most = np.min(bounds, axis=0) * np.abs(amount)
        beyond = most < np.abs(amount) - SLACK
        wanted[beyond], weight[beyond] = np.copysign(most, amount)[beyond], 1.0
    return np.asarray(np.clip(amount, -most, most)[:, None] * direction, np.float32)


def covered(model: HeadModel) -> NDArray[np.bool_]:
    """(V,) where hair may be: the scalp and the nape."""
    v = model.template
    skin = np.zeros(model.vertex_count, bool)
    skin[model.region_vertices("skin")] = True
    return scalp(model) | (skin & (v[:, 1] > NAPE[0]) & (v[:, 2] < NAPE[1]))


def _further(
    frame: Frame, vertices: Array, model: HeadModel, average: sparse.csr_matrix, may: NDArray[np.bool_]
) -> tuple[Array64, Array64]:
    """How much further than the mesh's silhouette the frame's matte reaches at each vertex, metres, and 1 for the vertices on
    the silhouette; both 0 elsewhere."""
    camera = frame.camera
    mesh = (rasterize(vertices, model.faces, camera, cull=False).face >= 0).astype(np.float32)
    here = vertices @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
    view = -here / np.linalg.norm(here, axis=1, keepdims=True)
    normals = smooth_normals(vertices, model, average) @ camera.world_to_camera[:3, :3].T
    scale = camera.fx / here[:, 2]
    xy = camera.project(vertices)
    column, row = np.clip(xy.astype(int), 0, np.array(mesh.shape[::-1]) - 1).T
    rim = ndimage.distance_transform_edt(mesh)[row, column] < NEAR * scale
    chosen = np.flatnonzero(may & rim & (np.abs(np.sum(view * normals, axis=1)) < NORMAL_WIDTH))
    flat = normals[chosen, :2]
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    steps = np.arange(-INWARDS, OUTWARDS, STEP)
    ray = xy[chosen, None] + (flat / length * scale[chosen, None])[:, None] * steps[:, None]
    at = np.moveaxis(ray[..., ::-1] - 0.5, -1, 0)
    reached, covering = (ndimage.map_coordinates(p, at, order=1, mode="nearest") for p in (frame.matte, mesh))
    left = np.maximum.accumulate((covering < 0.5) & (steps >= 0), axis=1)
    own = ~np.maximum.accumulate(left & (covering > 0.5), axis=1)  # what comes after a gap is a shoulder
    further, there = np.zeros(len(vertices)), np.zeros(len(vertices))
    further[chosen] = ((reached - covering) * own).sum(axis=1) * STEP / length[:, 0]
    there[chosen] = 1.0
    return further, there


def _part(way: Array64, person: PersonHead, photo: PhotoFit, portrait: Portrait) -> Array64:
    """(V,) in [0, 1]: which part of its way (V, 3) each vertex may go before it comes to the outline in the photo."""
    camera, side = photo.camera(portrait), portrait.matte.shape[0]
    inwards = ndimage.distance_transform_edt((portrait.matte > SURE) | ~portrait.inside)
    near = inwards < BEHIND * face_height(portrait.landmarks)
    start = posed(person, photo)
    moved = posed(replace(person, rest=(person.rest + way).astype(np.float32)), photo) - start
    free, most = np.ones(len(way), bool), np.zeros(len(way))
    for part in np.linspace(0, 1, PARTS):
        column, row = camera.project(start + part * moved).T
        inside = (column >= 0) & (row >= 0) & (column < side) & (row < side)
        at = tuple(np.clip(x, 0, side - 1).astype(int) for x in (row, column))
        free &= ~(inside & near[at])
        most = np.where(free, part, most)
    return most
