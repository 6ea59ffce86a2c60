"""The lower hairs of a low brow lie on skin that unfolds in a blink: bound to that, they would come down with the lid as a grey
veil. They are bound to the skin above, which stays where it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from enrollment.instant import lashes
from enrollment.instant.surface import VisibleSurface
from enrollment.portrait.portrait import Portrait
from models.heads.base import HeadModel
from models.tracking.face_geometry import face_height
from models.tracking.synthetic_landmarks import BROWS
from models.types import Array

REACH = 0.03
"""Face heights around a brow, and around the edge of the lid below, within which pixels are looked at."""
DARK, BARE = 0.68, 70
"""Brightness relative to the skin's around under which a pixel is hair, and percentile of the brightness there that is skin's."""
STILL, FRONT = 0.02, 0.05
"""Part of the largest way in a blink under which a vertex stays, and depth on the template in front of which there is the face,
metres."""


def brow_pixels(portrait: Portrait, colors: Array) -> NDArray[np.bool_]:
    """(S, S) the dark pixels that hang together with a brow and are nearer to it than to the edge of the lid below. colors:
    (S, S, 3)."""
    side, reach = len(colors), REACH * face_height(portrait.landmarks)
    out = np.zeros((side, side), bool)
    for brow, edge in zip(BROWS, lashes.UPPER, strict=True):
        lines = [portrait.landmarks.points[list(marks), :2] for marks in (brow, edge)]
        low, high = np.concatenate(lines).min(axis=0) - reach, np.concatenate(lines).max(axis=0) + reach
        left, top, right, bottom = np.clip([*np.floor(low), *np.ceil(high)], 0, side).astype(int)
        if right <= left or bottom <= top:
            continue
        box, light = (slice(top, bottom), slice(left, right)), colors[top:bottom, left:right].mean(axis=2)
        hair, rim = (lashes.drawn(line - (left, top), light.shape, filled=line is lines[0]) for line in lines)
        to_brow, to_edge = ndimage.distance_transform_edt(~hair), ndimage.distance_transform_edt(~rim)
        near = np.minimum(to_brow, to_edge) < reach
        around = near & ~hair & (portrait.matte[box] > 0.5)
        if around.any():
            dark = near & (to_brow < to_edge) & (light < DARK * np.percentile(light[around], BARE))
            label, _ = ndimage.label(dark | hair)
            out[box] |= dark & np.isin(label, label[hair])
    return out


def assign_brows(surface: VisibleSurface, portrait: Portrait, colors: Array, face: NDArray[np.int32]) -> None:
    """Bind the pixels of brows on skin that unfolds to the skin above. Changes face (S, S) in place."""
    model = surface.model
    unfolds = lashes.unfolding_lids(model) & model.region_faces("skin")
    row, column = np.nonzero(brow_pixels(portrait, colors) & (face >= 0) & unfolds[np.maximum(face, 0)])
    still = np.flatnonzero(_still(model))
    if len(row) and len(still):
        centre = surface.camera.project(surface.vertices[model.faces[still]].mean(axis=1))
        _, near = cKDTree(centre).query(np.stack([column + 0.5, row + 0.5], axis=1))
        face[row, column] = still[near]


def _still(model: HeadModel) -> NDArray[np.bool_]:
    """(F,) faces of the skin on the front of the head that no blink moves."""
    moved = np.abs(model.expression_basis[lashes.BLINKS]).max(axis=(0, 2))
    still = (moved[model.faces] < STILL * moved.max()).all(axis=1)
    return np.asarray(still & model.region_faces("skin") & (model.template[model.faces].mean(axis=1)[:, 2] > FRONT))
