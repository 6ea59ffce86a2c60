"""A photo cropped close: what it shows of the head does not end in a straight cut along its edge, but fades into what is invented
there, hair that stands off the head a little earlier; and a forehead goes on to a hairline.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from enrollment.instant.surface import VisibleSurface
from enrollment.instant.texture_completion import HAIRLINE
from enrollment.portrait.portrait import Portrait
from models.heads.base import REGION
from models.types import Array

FADE, STANDING = 0.02, 3.0
"""Distance from the photo's edge over which its pixels fade, picture sides; how much further for each pixel that they stand off
the mesh: what the edge cuts there is a slab from the side."""
STANDING_BELOW, OFF = 3.0, 0.005
"""The same at the lower edge, where only cloth and skin that stand further off than this fade, picture sides: a bust ends there
anyway, but a strip of shirt beside it would hang in the air."""
MIDDLE, FRONT = 0.045, 0.0
"""Greatest distance to the side of the middle of the forehead, and depth from which a forehead is looked for, metres,
template."""
EDGE_ROWS = 0.012
"""Height of the band under the photo's edge that says whether there is hair in a column, picture sides."""
EDGE_BAND, BARE, HIGHER, ARCH = 0.012, 0.3, 0.010, (0.008, 0.042)
"""Height of the band under the photo's edge that says whether there is a forehead, metres; share of hair under which there is;
how much higher its hairline is at least, metres; how much higher in the middle than straight, and how far to the side it is
not."""


def shown_part(surface: VisibleSurface, portrait: Portrait) -> Array:
    """(S, S) in [0, 1]: confidence in each pixel, less near the photo's upper and side edges, and near the lower one where
    something stands off the mesh. 1 on the body's mesh, and in the whole picture where nothing of the person is cut."""
    inside = portrait.inside.copy()
    rows = np.flatnonzero(inside.any(axis=1))
    inside[rows[-1] :] |= inside[rows[-1]]  # a bust has its own end
    if portrait.inside.all():
        return np.ones(inside.shape, np.float32)
    face = surface.fragments.face
    off, near = ndimage.distance_transform_edt(face < 0, return_indices=True)
    body = surface.model.region[face[near[0], near[1]]] == REGION["body"]
    if portrait.parsing is not None:
        body &= (portrait.parsing.share("hair") < BARE) & (face >= 0)
    away = np.inf if inside.all() else ndimage.distance_transform_edt(inside)
    part = np.clip(away / (FADE * len(inside) + STANDING * off), 0, 1)
    below = np.clip(ndimage.distance_transform_edt(portrait.inside) / np.maximum(STANDING_BELOW * off, 1), 0, 1)
    below[portrait.hairy | (off < OFF * len(inside))] = 1.0
    part = np.where(body, below, np.minimum(part, below))
    return np.asarray(part * part * (3 - 2 * part), np.float32)


def bare_beyond(surface: VisibleSurface, portrait: Portrait, shares: Array, trust: Array) -> NDArray[np.bool_]:
    """(V,) vertices beyond the photo's upper edge that are forehead, where the edge cuts a forehead: up to the average
    hairline, and a little further than what the photo shows. shares: (V,) share of hair at each vertex's pixel. trust: (V,) 0
    where the photo does not show it."""
    model = surface.model
    x, y, z = model.template.T
    depth, height = np.array(sorted(HAIRLINE)).T
    above = y - np.interp(z, depth, height)
    head = np.zeros(model.vertex_count, bool)
    head[model.region_vertices("skin")] = True
    seen, xy, _ = surface.visible(surface.vertices, surface.normals)
    column, row = np.clip(np.floor(xy).astype(int), 0, len(portrait.inside) - 1).T
    front = head & seen & (z > FRONT)
    beyond = front & ~portrait.inside[row, column] & (row < np.flatnonzero(portrait.inside.any(axis=1))[0])
    known = front & (trust > 0) & (np.abs(x) < MIDDLE)
    if not beyond.any() or not known.any():
        return np.zeros(model.vertex_count, bool)
    most = float(above[known].max())
    band = known & (above > most - EDGE_BAND)
    if float(np.mean(shares[band])) > BARE:
        return np.zeros(model.vertex_count, bool)
    hairline = max(0.0, most + HIGHER) + ARCH[0] * (1 - np.square(x / ARCH[1]))
    return np.asarray(beyond & ~_hair_under_edge(portrait)[column] & (above < hairline))


def _hair_under_edge(portrait: Portrait) -> NDArray[np.bool_]:
    """(S,) columns in which there is hair under the photo's upper edge: it goes on upwards, and no temple is bare above it."""
    side = len(portrait.inside)
    if portrait.parsing is None:
        return np.zeros(side, bool)
    first = portrait.inside.argmax(axis=0)
    rows = np.minimum(first + np.arange(max(1, round(EDGE_ROWS * side)))[:, None], side - 1)
    hair = portrait.parsing.share("hair")[rows, np.arange(side)].mean(axis=0)
    return np.asarray((hair > 0.5) & portrait.inside.any(axis=0))
