"""Colours of clothes that no photo shows, out of what it does show of the body: its own reflection beyond the photo's edge, the
nearest cloth where something hides it, and the shoulders' rim for the back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from enrollment.instant.surface import View
from enrollment.portrait.portrait import Portrait
from models.heads.base import REGION
from models.types import Array

Place = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns."""

LEAST = 200
"""Pixels of the body that a photo must show."""
RIM = 0.035
"""Width of the shoulders' rim, picture sides."""
COLLAR = 0.04
"""The rim begins so far from the neck, picture sides: a collar is in the chin's shadow, and not what a back is made of."""
CLOTHED = 0.4
"""Part of the visible body that must not look like skin for it to count as clothed."""
CHROMA = 0.1
"""Distance in r, g, b shares under which a colour is skin, in light or in shadow."""
PLAIN = 0.4
"""How much of the shoulders' contrast is carried to the back."""
BROAD = 0.1
"""Picture sides over which cloth is averaged to tell its colour from its pattern."""
FADING = 0.12
"""Picture sides beyond the photo's edge at which a third of the pattern is left."""


def clothes(view: View, portrait: Portrait, colors: Array, points: Array, hidden: NDArray[np.bool_], skin: Array) -> Array | None:
    """Colours (N, 3) of points (N, 3) of the body in the view's space; `None` when the photo shows no body.

    hidden: (N,) points that face away from the camera. They look at the rim of the shoulders only: a back has no tie.
    colors: (S, S, 3) of the photo without its background. skin: (3,) the person's tone.
    """
    cloth = _cloth(view, portrait, colors, skin)
    if cloth is None:
        return None
    face, side = view.fragments.face, len(colors)
    person = ndimage.binary_fill_holes((face >= 0) | ~portrait.inside)
    rim = cloth & (ndimage.distance_transform_edt(person) < RIM * side) & _far_from_skin(view, COLLAR * side)
    xy = view.camera.project(points)
    soft = ndimage.uniform_filter(colors, (5, 5, 0))
    out = np.empty((len(points), 3), np.float32)
    out[~hidden] = _continued(soft, cloth, portrait.inside, xy[~hidden])
    source = rim if rim.sum() > LEAST // 2 else cloth
    row, column = _nearest(source)(xy[hidden, 1], xy[hidden, 0])
    middle = np.median(colors[source], axis=0)
    out[hidden] = middle + PLAIN * (soft[row, column] - middle)
    return out


def _far_from_skin(view: View, pixels: float) -> NDArray[np.bool_]:
    """(S, S) what lies further than this from the head and the neck."""
    face = view.fragments.face
    skin = (view.model.region[np.maximum(face, 0)] != REGION["body"]) & (face >= 0)
    return np.asarray(ndimage.distance_transform_edt(~skin) > pixels)


def _cloth(view: View, portrait: Portrait, colors: Array, skin: Array) -> NDArray[np.bool_] | None:
    """(S, S) where the photo shows clothes, or bare shoulders if that is what it mostly shows of the body."""
    face = view.fragments.face
    body = (view.model.region[np.maximum(face, 0)] == REGION["body"]) & (face >= 0) & (portrait.matte > 0.9) & portrait.inside
    if body.sum() < LEAST:
        return None
    chroma, own = (c / np.maximum(c.sum(axis=-1, keepdims=True), 1e-3) for c in (colors, skin))
    clothed = body & ((np.linalg.norm(chroma - own, axis=-1) > CHROMA) | (colors.mean(axis=-1) < 0.4 * skin.mean()))
    return clothed if clothed.sum() > CLOTHED * body.sum() else body  # a neckline does not go on down the chest


def _continued(soft: Array, cloth: NDArray[np.bool_], inside: NDArray[np.bool_], xy: NDArray[np.floating]) -> Array:
    """Colours (N, 3) at pixels xy (N, 2): the nearest cloth; beyond the photo's edge the broad colour at the edge, and on it the
    pattern that lies as far on this side of the edge as the point on the other."""
    side = len(soft)
    width = round(BROAD * side)
    share = ndimage.uniform_filter(cloth.astype(np.float32), width)
    broad = ndimage.uniform_filter(soft * cloth[..., None], (width, width, 0)) / np.maximum(share, 1e-6)[..., None]
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    across = np.clip(xy[:, 0], columns[0], columns[-1] + 1)
    last = np.where(inside.any(axis=0), side - inside[::-1].argmax(axis=0), rows[-1] + 1)  # where the photo's last pixel ends
    down = np.clip(xy[:, 1], rows[0], last[np.minimum(across.astype(int), side - 1)])
    beyond = np.hypot(xy[:, 0] - across, xy[:, 1] - down)
    nearest = _nearest(cloth)
    edge = nearest(np.minimum(down, rows[-1]), across)
    mirrored = nearest(2 * down - xy[:, 1], 2 * across - xy[:, 0])
    pattern = np.exp(-beyond / (FADING * side))[:, None] * (soft[mirrored] - broad[mirrored])
    return np.asarray(np.where(beyond[:, None] > 0, np.clip(broad[edge] + pattern, 0, 1), soft[edge]), np.float32)


def _nearest(where: NDArray[np.bool_]) -> Callable[[NDArray[np.floating], NDArray[np.floating]], Place]:
    """From rows and columns of points (N,) to those of the pixels of `where` (S, S) that are nearest to them."""
    nearest = ndimage.distance_transform_edt(~where, return_distances=False, return_indices=True)

    def at(row: NDArray[np.floating], column: NDArray[np.floating]) -> Place:
        row, column = (np.clip(a, 0, len(where) - 1).astype(int) for a in (row, column))
        return nearest[0][row, column], nearest[1][row, column]

    return at
