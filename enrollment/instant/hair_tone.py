"""The colour of hair without its texture: what the photo shows of it, continued over what it does not show."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from enrollment.instant.clothes import main_color
from enrollment.instant.surface import VisibleSurface
from enrollment.instant.surface_labels import SURE, PixelLabels, pixels_of
from enrollment.instant.texture_completion import interpolate_colors, vertex_colors
from enrollment.portrait.portrait import Portrait
from models.types import Array

LEAST = 400
"""Pixels of hair that a photo has to show for texture to be taken from it."""
RIM, WITHIN_RIM = 0.008, 0.4
"""Distance from the person's outline under which hair tells nothing of other hair, metres: light from behind shines through it,
and background; part of the hair that must lie further within for that."""
SEEN = 0.3
"""Cosine between normal and view direction from which a photo shows hair."""
TURNING, TURNING_HAIR, TURNS = 0.02, 0.04, 0.8
"""Distances from the cloth or the hair that the photo shows over which its tone turns into the main colour, metres; part of the
way that hair's does: the temples alone, often grey or in other light, do not say what the back of the head is like."""


def pixels_per_metre(surface: VisibleSurface) -> float:
    """At the surface's middle depth."""
    return surface.camera.fx / float(np.median(-surface.vertices[:, 2]))


def within_rim(surface: VisibleSurface, portrait: Portrait, shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(S, S) the pixels `shown` (S, S) of hair that lie well within the person's outline; all of them where few do."""
    inner = shown & _far_from(surface, (portrait.matte <= 0.5) & portrait.inside)
    return inner if inner.sum() >= max(LEAST, WITHIN_RIM * shown.sum()) else shown


def thin_hair(surface: VisibleSurface, portrait: Portrait, shown: NDArray[np.bool_]) -> Array | None:
    """(3,) colour of hair of which a photo shows a narrow band between skin and outline, shorn or cut off by the photo's edge;
    None where it shows more. shown: (S, S), its pixels.

    Skin shines through what is near skin, and what is near the outline has no sure foreground. So it is the photo's own colour of
    that half of all its pixels that is least like skin.
    """
    if portrait.parsing is None:
        return None
    skin = PixelLabels.of(portrait).skin
    narrow = ~_far_from(surface, skin) | ~_far_from(surface, (portrait.matte <= 0.5) & portrait.inside)
    if (shown & ~narrow).sum() >= WITHIN_RIM * shown.sum() or not skin.any():
        return None
    hair = (portrait.parsing.share("hair") > SURE) & (portrait.matte > 0.5) & portrait.inside
    hair[np.flatnonzero(shown.any(axis=1))[-1] + 1 :] = False  # a beard
    colors = (portrait.image[hair | shown] / 255).astype(np.float32)
    unlike = np.linalg.norm(colors - np.median(portrait.image[skin] / 255, axis=0), axis=1)
    return np.asarray(np.median(colors[unlike >= np.median(unlike)], axis=0), np.float32)


def _far_from(surface: VisibleSurface, pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(S, S) what lies further than `RIM` from all `pixels` (S, S)."""
    others = np.pad(~pixels, 1, constant_values=True)
    return np.asarray(ndimage.distance_transform_edt(others)[1:-1, 1:-1] > RIM * pixels_per_metre(surface))


def base_tone(
    surface: VisibleSurface, portrait: Portrait, colors: Array, share: Array, shown: NDArray[np.bool_], coarse: float
) -> Array:
    """(V, 3) colour of the hair at each vertex without what is finer than `coarse` metres, continued over what the photo does not
    show."""
    weight = shown.astype(np.float32)
    blur = coarse * pixels_per_metre(surface)
    coverage = cv2.GaussianBlur(weight, (0, 0), blur)
    mean = cv2.GaussianBlur(colors * weight[..., None], (0, 0), blur) / np.maximum(coverage, 1e-4)[..., None]
    _, trust = vertex_colors(surface, portrait, colors)
    row, column = pixels_of(surface)
    trust = trust * shown[row, column]
    everywhere = np.median(colors[shown], axis=0)
    tone = np.where(trust[:, None] > 0, mean[row, column], everywhere).astype(np.float32)
    return interpolate_colors(surface.model, tone, trust, share > 0.1)


def turning(
    surface: VisibleSurface, colors: Array, shown: NDArray[np.bool_], woven: float, tone: Array, thin: Array | None
) -> Array:
    """(V, 3) what is to be added to a tone (V, 3): away from what the photo shows, cloth goes over to its main colour, and hair
    to that of its upper half; or to `thin`, sooner and wholly."""
    cloth = woven * _evenly(surface, shown, main_color(colors[shown]) - tone, TURNING)
    if thin is None:
        hair = TURNS * _evenly(surface, shown, overhead(surface, shown, colors) - tone - cloth, TURNING_HAIR)
    else:
        hair = _evenly(surface, shown, thin - tone - cloth, TURNING)
    return np.asarray(cloth + (1 - woven) * hair, np.float32)


def overhead(surface: VisibleSurface, shown: NDArray[np.bool_], colors: Array) -> Array:
    """(3,) colour of the upper half of the hair that a photo shows, `shown` (S, S), without its brightest and darkest quarters:
    of temples gone grey, tips gone pale and shine, the back of a head has nothing. colors: (S, S, 3)."""
    height = surface.fragments.interpolate(surface.model.faces, surface.model.template[:, 1:2])[..., 0][shown]
    upper = colors[shown][height >= np.median(height)]
    light = upper.mean(axis=1)
    low, high = np.quantile(light, (0.25, 0.75))
    return np.asarray(upper[(light >= low) & (light <= high)].mean(axis=0), np.float32)


def _evenly(surface: VisibleSurface, shown: NDArray[np.bool_], change: Array, turning: float) -> Array:
    """(V, 3) the change (V, 3) of a tone, the more of it the further from the pixels `shown` (S, S), over `turning` metres: the
    shade under a brim, or another cloth at the silhouette, does not go around the head."""
    row, column = pixels_of(surface)
    seen, _, facing = surface.visible(surface.vertices, surface.normals)
    near = seen & (facing > SEEN) & shown[row, column]
    if not near.any():
        return np.zeros_like(change)
    away, _ = cKDTree(surface.vertices[near]).query(surface.vertices)
    part = 1 - np.exp(-np.maximum(away - turning / 2, 0) / turning)
    return np.asarray(part[:, None] * change, np.float32)
