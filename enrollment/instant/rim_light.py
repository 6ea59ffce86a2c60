"""Light on the rim: a window or a lamp behind somebody draws a bright line along cheek and jaw. It is the place's light, paler
than skin, and hits what the photo sees aslant, so from the side it would be drawn out to white blotches. Such a line takes the
colour of the surface beside it. A collar beside a neck is often taken for skin, so a neck keeps its light.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from enrollment.instant.lift import OPENINGS, polygon_of
from enrollment.instant.rim_light_outside import without_rim_light_outside
from enrollment.instant.surface import VisibleSurface
from enrollment.instant.surface_labels import ears
from enrollment.portrait.portrait import Portrait
from models.tracking.face_geometry import face_height
from models.types import Array

WIDE, SMOOTH = 0.065, 0.012
"""Width up to which a bright line is one of rim light, and of the smoothing before it is looked for, face heights: stubble and
wrinkles are none."""
BRIGHT, BRIGHTER = 1.08, 1.35
"""Brightness, relative to that beside it, from which a pixel belongs to a line, and which a line reaches somewhere."""
STRONG, STRONGER = 0.7, 1.35
"""Brightness that such a line reaches, or relative to all of the skin: a window behind somebody is nearly white."""
PALE, PALER = 0.75, 0.6
"""Redness of such a pixel relative to the skin's, at most; and of one that is taken for another light than the face's."""
COLD, COLORED = 0.0, 0.25
"""Redness up to which a line need not be bright: skin and grey stubble are never blue; and the skin's own from which that is
known: a drawing or an old photo has little of it."""
BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
"""Landmarks around the brows, beside which skin is brighter anyway."""
SQUARE = (0.6, 0.75)
"""Cosines between normal and view direction between which the confidence in a pixel grows, whatever its brightness: a shining
forehead or nose."""
MIDDLE = (0.02, 0.035)
"""Distances from the middle on the template over which a face turns into its cheeks, metres: the sides of a nose shine."""
LOOKED_AT, FEATURES = 0.06, 0.015
"""Width of the neighbourhood of which a line takes the colour, and of the skin around eyes and brows that is not looked at, face
heights."""
UNLIT, SHARE = 0.05, 0.02
"""Part up to which a pixel belongs to no line, and part of such pixels around one from which their colour is known."""
SOLID = 0.97
"""Matte of a pixel that is the person's alone."""
GOES_ON = 0.08
"""Width over which a line goes on into what is not aslant, face heights."""
COARSE = 0.016
"""Width of the border of what the parsing takes for skin, face heights: the line's outermost pixels lie beyond it."""
REACH = 0.04
"""Distance from the mesh up to which a pixel is as aslant as the mesh's edge, face heights."""


def without_rim_light(surface: VisibleSurface, portrait: Portrait, colors: Array) -> Array:
    """(S, S, 3) the colours (S, S, 3) of a photo without the light on the rims of face, hair and clothes; as they came where the
    parsing sees no person."""
    if portrait.parsing is None:
        return colors
    height = face_height(portrait.landmarks)
    colors = without_rim_light_outside(portrait, colors, height)
    skin = portrait.parsing.most("face_skin") & (portrait.matte > 0.5) & portrait.inside
    features = np.any(
        [polygon_of(mark, portrait.landmarks.points[:, :2], skin.shape) for mark in (*BROWS, *(o for o, _ in OPENINGS[1:]))],
        axis=0,
    )
    border = (ndimage.distance_transform_edt(~skin) < COARSE * height) & ~skin
    skin &= ndimage.distance_transform_edt(~features) > FEATURES * height
    aslant = _aslant(surface, height)
    lit = bright_lines(colors, skin, aslant, height) * ndimage.maximum_filter(aslant, round(GOES_ON * height))
    beyond = (portrait.matte < SOLID) & ~portrait.parsing.most("hair", "clothes", "others")
    beyond |= border & ~portrait.parsing.most("hair")
    return _filled(colors, lit, skin, beyond, height) if lit.any() else colors


def bright_lines(colors: Array, part: NDArray[np.bool_], among: Array, height: float) -> Array:
    """(S, S) in [0, 1]: how much the pixels of `part` (S, S) belong to a line brighter and paler than what lies beside it, also
    along the edge of `part`. colors: (S, S, 3). among: (S, S) in [0, 1], where a line reaches its brightness.
    height: of the face, pixels."""
    weight, blur = part.astype(np.float32), SMOOTH * height
    share = np.maximum(cv2.GaussianBlur(weight, (0, 0), blur), 1e-3)
    smooth = cv2.GaussianBlur(colors * weight[..., None], (0, 0), blur) / share[..., None]
    light = smooth.mean(axis=2)
    red = (smooth[..., 0] - smooth[..., 2]) / np.maximum(light, 0.02)
    size = 2 * round(WIDE * height / 2) + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    beside = cv2.morphologyEx(np.where(part, light, 0).astype(np.float32), cv2.MORPH_OPEN, disk)
    known = (beside > 0) & part
    if not known.any():
        return np.zeros_like(weight)
    near = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    ratio = light / np.maximum(beside[near[0], near[1]], 0.02)
    usual = float(np.median(red[known]))
    label, _ = ndimage.label((ratio > BRIGHT) & (red < PALE * usual) & part)
    strong = (ratio > BRIGHTER) & (light > min(STRONG, STRONGER * float(np.median(light[known])))) & (red < PALER * usual)
    cold = (red < COLD) & (usual > COLORED)
    lines = np.unique(label[(strong | cold) & (among > 0.5)])
    return np.asarray(np.isin(label, lines[lines > 0]), np.float32)


def _aslant(surface: VisibleSurface, height: float) -> Array:
    """(S, S) in [0, 1]: how far each pixel is seen aslant on cheek, jaw or neck; an ear has bright folds.
    height: of the face, pixels."""
    model, face = surface.model, surface.fragments.face
    away, near = ndimage.distance_transform_edt(face < 0, return_indices=True)
    toward = -surface.vertices / np.linalg.norm(surface.vertices, axis=1, keepdims=True)
    facing = np.sum(toward * surface.normals, axis=1)
    part = np.interp(np.abs(model.template[:, 0]), MIDDLE, (0, 1)) * ~np.any(ears(model), axis=0)
    values = surface.fragments.interpolate(model.faces, np.stack([facing, part], axis=1).astype(np.float32))
    values = values[near[0], near[1]]
    aslant = np.clip((SQUARE[1] - values[..., 0]) / (SQUARE[1] - SQUARE[0]), 0, 1)
    return np.asarray(aslant * values[..., 1] * (away < REACH * height), np.float32)


def _filled(colors: Array, lit: Array, part: NDArray[np.bool_], beyond: NDArray[np.bool_], height: float) -> Array:
    """(S, S, 3) the colours, those of `lit` (S, S) like what lies beside them in `part` (S, S), and so in its soft edge, `beyond`
    (S, S)."""
    away, near = ndimage.distance_transform_edt(~part, return_indices=True)
    edge = beyond & (away < REACH * height)
    beside = (part & (ndimage.maximum_filter(lit, 3) < UNLIT)).astype(np.float32)
    blur = LOOKED_AT * height
    share = cv2.GaussianBlur(beside, (0, 0), blur)
    base = cv2.GaussianBlur(colors * beside[..., None], (0, 0), blur) / np.maximum(share, 1e-6)[..., None]
    weight = part.astype(np.float32)
    soft = SMOOTH * height / 2
    lit = cv2.GaussianBlur(ndimage.maximum_filter(lit, 3) * weight, (0, 0), soft) / np.maximum(
        cv2.GaussianBlur(weight, (0, 0), soft), 1e-3
    )
    lit = np.where(part | edge, np.where(part, lit, lit[near[0], near[1]]), 0.0) * np.clip(share / SHARE, 0, 1)
    return np.asarray(colors + lit[..., None] * (base - colors), np.float32)
