"""Shape of the hair that the photo does not show: no ear where hair lies over it, as thick behind as at the sides, and long hair
falls from the back of the head onto the shoulders.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from enrollment.instant.fit import PhotoFit
from enrollment.instant.nonrigid_registration import (
    NORMAL_WIDTH,
    graph,
    landmark_offset,
    one_sided,
    outline_offset,
    posed,
    smooth_field,
    smooth_normals,
)
from enrollment.instant.surface import VisibleSurface
from enrollment.instant.surface_labels import HangingHair, ear_covers, ears, hair_share, hanging_hair, pixels_of
from enrollment.portrait.portrait import Portrait
from models.heads.base import HeadModel
from models.types import Array, Array64

COVERED = 0.5
"""Share of hair or cloth, beside skin, over an ear's place in the photo from which there is no ear."""
CHEEK = (-0.005, 0.02, 0.07)
"""On the template, metres: rearmost depth of the cheeks, depth from which they are the face's alone, their greatest height."""
AROUND, RELAXED, TAUBIN = 0.012, 60, (0.6, -0.5)
"""Distance from a covered ear within which the mesh is relaxed, metres; how often each vertex is moved by this part of the way to
the middle of its neighbours, forth and back, which takes ridges off but leaves much of the volume (Taubin 1995)."""
BESIDE = 0.06
"""Depth on the template behind which hair that a turned face's photo shows is as thick as its outline, metres."""
BAND = 0.02
"""Standard deviation of the heights over which the thickness at the sides is averaged, metres."""
MOST_THICK, NAPE = 0.05, -0.07
"""Most that the hair behind grows, metres, and height on the template under which it does not: there it hangs."""
STIFFNESS, PULL = 2.0, 0.4
"""Weight of smoothness when the thickness is carried over the mesh (`smooth_field`), and of the thickness wanted behind."""
FRONT = -0.01
"""Depth on the template behind which long hair falls, metres."""
ROUNDNESS = 2.5
"""Exponent of the superellipse that is the section of long hair: between an ellipse and a box."""
BEGINS, ENDS = (0.03, -0.02), 0.04
"""Heights on the template between which hanging hair leaves the head, and height over which it thins out at its end, metres."""
LIES = 0.008
"""Thickness of hair that lies on the back, metres."""
SMOOTHED = 4
"""Rings of neighbours over which hanging hair is smoothed."""


def shaped(model: HeadModel, identity: Array, photo: PhotoFit, portrait: Portrait) -> Array:
    """The head registered to the photo's landmarks and outline, with the hair that the photo does not show: static offsets (V, 3)
    float32 metres in avatar space."""
    offset = landmark_offset(model, identity, photo, portrait)
    covered = covered_ears(model, identity, offset, photo, portrait)
    offset = offset + _smoothed_over(model, identity, offset, covered)
    outline = outline_offset(model, identity, offset, photo, portrait, ~_before(model, covered))
    offset = offset + outline
    offset = offset + _relaxed(model, model.person(identity, offset).rest, covered)
    return offset + hair_behind(model, identity, offset, outline, photo, portrait)


def covered_ears(model: HeadModel, identity: Array, offset: Array, photo: PhotoFit, portrait: Portrait) -> NDArray[np.bool_]:
    """(V,) vertices of the ears over which the photo shows hair, a hat or a scarf."""
    none = np.zeros(model.vertex_count, bool)
    if portrait.parsing is None:
        return none
    surface = VisibleSurface.of(model, posed(model.person(identity, offset), photo), photo.camera(portrait))
    shares = ear_covers(surface, portrait)
    return np.any([none, *(ear for ear, share in zip(ears(model), shares, strict=True) if share > COVERED)], axis=0)


def _before(model: HeadModel, covered: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(V,) the covered ears and the cheeks before them, which the landmarks hold: single vertices between two landmarks would be
    pulled out to the outline of the hair."""
    x, y, z = model.template.T
    cheek = (z > CHEEK[0]) & (y < CHEEK[2]) & (y > NAPE)
    return (cheek & ~covered & (x < 0) & covered[x < 0].any()) | (cheek & ~covered & (x > 0) & covered[x > 0].any())


def _smoothed_over(model: HeadModel, identity: Array, offset: Array, free: NDArray[np.bool_]) -> Array:
    """Offsets (V, 3), on top of `offset`, that put the vertices `free` (V,) on the smoothest surface through the others."""
    rest = model.person(identity, offset).rest
    out = np.zeros_like(rest)
    if free.any():
        laplacian, _ = graph(model)
        square = (laplacian.T @ laplacian).tocsr()[free]
        out[free] = spsolve(sparse.csc_matrix(square[:, free]), -square[:, ~free] @ rest[~free].astype(np.float64)) - rest[free]
    return out


def _relaxed(model: HeadModel, rest: Array, covered: NDArray[np.bool_]) -> Array:
    """Offsets (V, 3) that take ridges off the hair over the covered ears: their mesh is much finer than that around them."""
    out = rest.astype(np.float64)
    if covered.any():
        _, average = graph(model)
        away, _ = cKDTree(model.template[covered]).query(model.template)
        free = (away < AROUND) & (model.template[:, 2] < CHEEK[1])
        rows = average[free]
        for i in range(RELAXED):
            out[free] += TAUBIN[i % 2] * (rows @ out - out[free])
    return np.asarray(out - rest, np.float32)


def hair_behind(model: HeadModel, identity: Array, offset: Array, outline: Array, photo: PhotoFit, portrait: Portrait) -> Array:
    """Offsets (V, 3), on top of `offset`, that give the hair behind a thickness, and long hair its fall.

    outline: (V, 3) the part of `offset` that the photo's outline asks for: the thickness that the photo shows.
    """
    person = model.person(identity, offset)
    surface = VisibleSurface.of(model, posed(person, photo), photo.camera(portrait))
    laplacian, average = graph(model)
    share = hair_share(surface, portrait, offset)
    direction = smooth_normals(person.rest, model, average)
    view = -surface.vertices / np.linalg.norm(surface.vertices, axis=1, keepdims=True)
    facing = np.sum(view * smooth_normals(surface.vertices, model, average), axis=1)
    thick = np.sum(outline * direction, axis=1).astype(np.float64)
    wanted = _at_the_sides(model, share, facing, thick, portrait, surface) * share  # a skull that the outline drew in stays so
    target = np.clip(wanted - np.maximum(thick, 0), 0, MOST_THICK)
    hidden = facing < -NORMAL_WIDTH / 2
    if one_sided(portrait):  # what faces the camera there is no more on the outline than what is behind
        hidden |= (facing > NORMAL_WIDTH) & (model.template[:, 2] < BESIDE) & (share > 0.5)
    behind = hidden & (share > 0.1) & (model.template[:, 1] > NAPE) & ~np.any(ears(model), axis=0)
    body = np.zeros(model.vertex_count, bool)
    body[model.region_vertices("body")] = True
    weight = np.where(behind, PULL, 1.0)
    amount = smooth_field(laplacian, weight, np.where(behind & ~body, target, 0.0), STIFFNESS)
    amount = np.where((facing < 0) | behind, np.maximum(amount, 0.0), 0.0)
    grown = (amount[:, None] * direction).astype(np.float32)
    return grown + _hanging(model, person.rest + grown, hanging_hair(surface, portrait, offset), share, average)


def _at_the_sides(
    model: HeadModel, share: Array, facing: Array64, thick: Array64, portrait: Portrait, surface: VisibleSurface
) -> Array64:  # fmt: skip
    """(V,) thickness of the hair at the sides or on the crown at each vertex's height, by the photo's outline, metres."""
    head = np.zeros(model.vertex_count, bool)
    head[model.region_vertices("skin")] = True
    row, column = pixels_of(surface)
    known = head & (np.abs(facing) < NORMAL_WIDTH) & portrait.inside[row, column] & (model.template[:, 2] < 0.06)
    known &= ~np.any(ears(model), axis=0) | (share > 0.5)
    height = model.template[:, 1].astype(np.float64)
    if not known.any():
        return np.zeros(model.vertex_count)
    value = np.where((share[known] > 0.5) & (height[known] > NAPE), np.maximum(thick[known], 0.0), 0.0)
    levels = np.linspace(height.min(), height.max(), 64)
    near = np.exp(-((levels[:, None] - height[known]) ** 2) / (2 * BAND**2)) + 1e-9
    return np.asarray(np.interp(height, levels, near @ value / near.sum(axis=1)))


def _hanging(
    model: HeadModel, rest: Array, hanging: HangingHair | None, share: Array, average: sparse.csr_matrix
) -> Array:  # fmt: skip
    """Offsets (V, 3) of long hair behind: from the back of the head straight down to where it lies on the back."""
    out = np.zeros_like(rest)
    if hanging is None:
        return out
    template = model.template
    chosen = (template[:, 2] < FRONT) & (template[:, 1] < BEGINS[0]) & (template[:, 1] > hanging.low) & (share > 0.3)
    if not chosen.any():
        return out
    y, middle = template[:, 1], float(np.median(rest[chosen, 0]))
    skull = (np.abs(y) < 0.03) & (share > 0.5)
    top = float(rest[skull, 2].min()) if skull.any() else float(rest[chosen, 2].min())
    near_end = (np.abs(y - hanging.low) < 0.03) & (np.abs(rest[:, 0]) < 0.08)
    end = float(rest[near_end, 2].min()) - LIES if near_end.any() else top
    part = np.clip((0.0 - y) / max(-hanging.low, 1e-3), 0, 1)
    depth = FRONT - (top + part * (end - top))
    right, left = hanging.width(y)
    half = np.where(rest[:, 0] < middle, middle - right, left - middle)
    x, z = (rest[:, 0] - middle) / np.maximum(half, 0.02), (FRONT - rest[:, 2]) / np.maximum(depth, 0.02)
    radius = (np.abs(x) ** ROUNDNESS + np.maximum(z, 0) ** ROUNDNESS) ** (1 / ROUNDNESS)
    push = np.where(chosen, np.clip(1 / np.maximum(radius, 0.2), 1.0, 4.0) - 1.0, 0.0)
    push *= np.clip((BEGINS[0] - y) / (BEGINS[0] - BEGINS[1]), 0, 1) * np.clip((y - hanging.low) / ENDS, 0, 1)
    out[:, 0] = push * (rest[:, 0] - middle)
    out[:, 2] = push * (rest[:, 2] - FRONT)
    for _ in range(SMOOTHED):
        out = np.asarray(average @ out, np.float32)
    out[~(template[:, 2] < FRONT)] = 0
    return out
