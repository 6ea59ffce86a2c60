"""The lashes of the upper lids stand off the skin. A photo shows them in front of the lid, as a dark band along its edge; on the
lid itself they would be a dark slab of a closing eye, and a shut eye would look half open.

So the dark pixels along the edge of an upper lid lie on a sheet that leaves the edge forwards and upwards and turns with it: in
a blink it is seen from its side."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from enrollment.instant import texture_completion
from enrollment.instant.surface import VisibleSurface
from enrollment.portrait.portrait import Portrait
from models import arkit
from models.heads.base import HeadModel
from models.tracking.face_geometry import face_height
from models.types import Array

UPPER = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (263, 466, 388, 387, 386, 385, 384, 398, 362))
"""Landmarks along the edges of the upper lids, from the outer corner to the inner one, by eye."""
LENGTH = 0.013
"""Face heights that lashes reach above the edge: some 2.5 mm."""
DARK = 0.72
"""Brightness relative to the skin's around the eye under which a pixel there is lash, or its shadow."""
TURNS = (np.deg2rad(10), np.deg2rad(32))
"""Least and largest turn of a face of the edge in a blink: those in the corners of the eyes fold."""
BLINKS = [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]
APART = 0.35
"""By how much less than the edge the skin under a pixel may move in a blink, parts of the largest way: lashes in the corners of
an eye would be torn off with the edge."""
STEEP = 0.9
"""Metres that the sheet rises for each that it comes forwards."""


def assign_lashes(
    surface: VisibleSurface, portrait: Portrait, colors: Array, face: NDArray[np.int32], depth: Array, openings: NDArray[np.bool_]
) -> None:
    """Bind the pixels of the upper lashes to the edge of their lid, and lift them off it. colors: (S, S, 3). openings: (S, S) the
    pixels between the lids. Changes face (S, S) and depth (S, S), metres, in place."""
    model, points = surface.model, portrait.landmarks.points[:, :2]
    edge, height = np.flatnonzero(lid_edges(model)), face_height(portrait.landmarks)
    light, skin = colors.mean(axis=2), surface.model.region_faces("skin")[np.maximum(surface.fragments.face, 0)]
    centre = surface.vertices[model.faces[edge]].mean(axis=1)
    tree = cKDTree(surface.camera.project(centre))
    falls = -model.expression_basis[BLINKS, :, 1].min(axis=0)
    falls = (falls / falls.max())[model.faces].mean(axis=1)
    for marks in UPPER:
        line = drawn(points[list(marks)], light.shape)
        away = ndimage.distance_transform_edt(~line)
        near = away < LENGTH * height
        around = skin & ~openings & (away < 4 * LENGTH * height) & ~near
        if not around.any():
            continue
        dark = near & skin & ~openings & (light < DARK * np.median(light[around])) & (portrait.matte > 0.5)
        row, column = np.nonzero(dark & _above(points[list(marks)], light.shape))
        if not len(row):
            continue
        _, nearest = tree.query(np.stack([column + 0.5, row + 0.5], axis=1))
        along = falls[edge[nearest]] - falls[face[row, column]] < APART
        row, column, nearest = row[along], column[along], nearest[along]
        metres = away[row, column] * depth[row, column] / surface.camera.fy
        face[row, column] = edge[nearest]
        depth[row, column] = -centre[nearest, 2] - metres / STEEP


def lid_edges(model: HeadModel) -> NDArray[np.bool_]:
    """(F,) faces of the upper lids' skin along the rims."""
    rim = texture_completion.eyelid_rims(model)
    at_rim = np.zeros(model.vertex_count, bool)
    at_rim[np.unique(model.faces[rim])] = True
    lids = texture_completion.eyelid_vertices(model)[model.faces].all(axis=1) & model.region_faces("skin")
    edges = lids & ~rim & at_rim[model.faces].any(axis=1)
    closed = model.template + model.expression_basis[BLINKS].sum(axis=0)
    turn = _pitch(model, closed) - _pitch(model, model.template)
    return np.asarray(edges & (turn > TURNS[0]) & (turn < TURNS[1]))


def unfolding_lids(model: HeadModel) -> NDArray[np.bool_]:
    """(F,) the faces of the upper lids but their edges. A photo of an open eye shows little of their skin, and shadow on that."""
    return np.asarray(texture_completion.eyelid_vertices(model)[model.faces].any(axis=1) & ~lid_edges(model))


def _pitch(model: HeadModel, vertices: Array) -> Array:
    """(F,) radians by which each face looks down."""
    a, b, c = (vertices[model.faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    return np.asarray(np.arctan2(-normal[:, 1], normal[:, 2]))


def drawn(line: Array, shape: tuple[int, ...], *, filled: bool = False) -> NDArray[np.bool_]:
    """(H, W) the pixels of a polyline (N, 2), or of the polygon within it."""
    out = np.zeros(shape, np.uint8)
    points = [np.round(line * 16).astype(np.int32)]
    if filled:
        cv2.fillPoly(out, points, 1, shift=4)
    else:
        cv2.polylines(out, points, False, 1, shift=4)
    return out > 0


def _above(line: Array, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(S, S) pixels on the brow's side of a polyline (N, 2) between an eye's corners, a little beyond the outer one."""
    outer, inner = line[0], line[-1]
    along = inner - outer
    up = line[len(line) // 2] - 0.5 * (outer + inner)
    row, column = np.mgrid[: shape[0], : shape[1]]
    x, y = column + 0.5 - outer[0], row + 0.5 - outer[1]
    across = np.array([-along[1], along[0]])
    across = across * np.sign(across @ up)
    part = (x * along[0] + y * along[1]) / max(float(along @ along), 1e-6)
    return np.asarray((x * across[0] + y * across[1] > 0) & (part > 0.02) & (part < 0.98))
