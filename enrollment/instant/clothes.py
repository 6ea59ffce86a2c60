"""Texture completion for clothes: where something occludes the cloth the nearest visible pixel, just beyond the photo's edge the
reflection of the visible cloth, further away and on the back the cloth's main colour with its pattern by example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from enrollment.instant.cloth_pattern import ClothPattern
from enrollment.instant.surface import VisibleSurface
from enrollment.portrait.portrait import Portrait
from models.heads.base import REGION
from models.types import Array

PixelIndex = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows (N,) and columns (N,) of N pixels."""

LEAST = 200
"""Pixels of the body that a photo must show for clothes to be completed."""
RIM = 0.035
"""Width of the band along the shoulders' outline from which the back takes its colours, picture sides."""
COLLAR = 0.04
"""Distance of that band from the neck, picture sides: the collar lies in the chin's shadow."""
CLOTHED = 0.4
"""Part of the visible body that must be cloth for the body to count as clothed."""
GLARING, COLORED = 0.75, 0.15
"""Least of the channels from which cloth may be white only by the light on it, and difference of its channels from which it is
coloured."""
BINS = 8
"""Of each channel, between which colours are told apart for the main one."""
TURNING = 0.03
"""Distance from the cloth that the photo shows at which a third of its own colour is left, metres; the rest is the main one."""
EVERY = 17
"""Pixels between those that are asked for the nearest cloth."""
BROAD = 0.05
"""Side of the window that averages cloth, picture sides: its mean is the base colour, the rest is the pattern."""
FADING = 0.08
"""Picture sides beyond the photo's edge at which a third of the photo's own colours is left."""


@dataclass(frozen=True)
class BodyPoints:
    """N points of the body. posed: (N, 3) in the photo's camera axes. rest: (N, 3) avatar space, at rest. hidden: (N,) those that
    face away from the camera, whose colours come from the shoulders' outline only: a back has no tie."""

    posed: Array
    rest: Array
    hidden: NDArray[np.bool_]


@dataclass(frozen=True)
class Clothing:
    """What a photo shows of clothes, before it is asked for their colours at points.

    surface: the one visible in the photo. cloth: (S, S) pixels that show cloth. inside: (S, S) pixels of the photo. source:
    (S, S) those from which a back takes its colours. soft, slow, at_rim: (S, S, 3), the photo's colours a little blurred, and
    `_slow` of `cloth` and of `source`. main: (3,) the cloth's main colour. pattern: its pattern."""

    surface: VisibleSurface
    cloth: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    source: NDArray[np.bool_]
    soft: Array
    slow: Array
    at_rim: Array
    main: Array
    pattern: ClothPattern

    @staticmethod
    def of(surface: VisibleSurface, portrait: Portrait, colors: Array, shown: NDArray[np.bool_]) -> Clothing | None:
        """`None` when the photo shows no body. colors: (S, S, 3) of the photo without its background. shown: (S, S) pixels that
        show clothes."""
        cloth, dressed = _cloth(surface, portrait, shown)
        if cloth is None:
            return None
        face, side = surface.fragments.face, len(colors)
        person = ndimage.binary_fill_holes((face >= 0) | ~portrait.inside)
        lit = cloth & _far_from_skin(surface, COLLAR * side)
        rim = lit & (ndimage.distance_transform_edt(person) < RIM * side)
        rim = rim if dressed else rim & shown  # a strand or a lamp beside bare shoulders is neither
        source = _not_glaring(colors, rim if rim.sum() > LEAST // 2 else cloth)
        soft, slow = ndimage.uniform_filter(colors, (5, 5, 0)), _slow(colors, cloth)
        at_rim = _slow(colors, source)
        main = main_color(at_rim[source])
        pixel = float(np.median(surface.fragments.depth[cloth & (face >= 0)])) / surface.camera.fx
        pattern = ClothPattern.of(colors, _slow(colors, lit), lit, main, pixel)
        return Clothing(surface, cloth, portrait.inside, source, soft, slow, at_rim, main, pattern)

    def at(self, points: BodyPoints) -> Array:
        """Colours (N, 3) of points of the body."""
        xy, hidden = self.surface.camera.project(points.posed), points.hidden
        pattern, main = self.pattern.at(points.rest), self.main
        out = np.empty((len(xy), 3), np.float32)
        out[~hidden] = _extrapolated(self.soft, self.slow, self.cloth, self.inside, xy[~hidden], main + pattern[~hidden])
        near, away = _nearest_shown(self.surface, self.source, points.posed[hidden])
        out[hidden] = main + np.exp(-away / TURNING)[:, None] * (self.at_rim[near] - main) + pattern[hidden]
        return np.asarray(out.clip(0, 1))


def _not_glaring(colors: Array, cloth: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(S, S) the `cloth` (S, S) that does not glare, where the rest of it is coloured: a sunlit shoulder does not say that the
    back of a blue shirt is white; where more of it is white than coloured, it is white. colors: (S, S, 3)."""
    glaring = cloth & (colors.min(axis=2) > GLARING)
    colored = cloth & (np.ptp(colors, axis=2) > COLORED)
    return cloth & ~glaring if colored.sum() > max(glaring.sum(), LEAST) else cloth


def _slow(colors: Array, cloth: NDArray[np.bool_]) -> Array:
    """(S, S, 3) the mean colour of the cloth around each pixel: its colours without the pattern."""
    width = round(BROAD * len(colors))
    share = ndimage.uniform_filter(cloth.astype(np.float32), width)
    return np.asarray(ndimage.uniform_filter(colors * cloth[..., None], (width, width, 0)) / np.maximum(share, 1e-6)[..., None])


def _nearest_shown(surface: VisibleSurface, shown: NDArray[np.bool_], points: Array) -> tuple[PixelIndex, Array]:
    """The pixel of `shown` (S, S) whose surface is nearest to each of the points (N, 3), and how far away it is, metres."""
    row, column = np.nonzero(shown & (surface.fragments.face >= 0))
    row, column = row[::EVERY], column[::EVERY]
    camera, depth = surface.camera, surface.fragments.depth[row, column]
    x, y = (column + 0.5 - camera.cx) * depth / camera.fx, -(row + 0.5 - camera.cy) * depth / camera.fy
    away, nearest = cKDTree(np.stack([x, y, -depth], axis=1)).query(points)
    return (row[nearest], column[nearest]), np.asarray(away, np.float32)


def main_color(colors: Array) -> Array:
    """The mean (3,) of the most frequent kind of colour among (N, 3): of a suit with a pale collar the suit's."""
    low, high = colors.min(axis=0), colors.max(axis=0) + 1e-3
    counts, _ = np.histogramdd(colors, BINS, list(zip(low, high, strict=True)))
    kind = np.unravel_index(int(np.argmax(ndimage.uniform_filter(counts, 3, mode="constant"))), counts.shape)
    place = (colors - low) / (high - low) * BINS - 0.5
    return np.asarray(colors[(np.abs(place - kind) <= 1.5).all(axis=1)].mean(axis=0), np.float32)


def _far_from_skin(surface: VisibleSurface, pixels: float) -> NDArray[np.bool_]:
    """(S, S) what lies further than this from the head and the neck."""
    face = surface.fragments.face
    skin = (surface.model.region[np.maximum(face, 0)] != REGION["body"]) & (face >= 0)
    return np.asarray(ndimage.distance_transform_edt(~skin) > pixels)


def _cloth(surface: VisibleSurface, portrait: Portrait, shown: NDArray[np.bool_]) -> tuple[NDArray[np.bool_] | None, bool]:
    """(S, S) where the photo shows clothes, or bare shoulders without the hair on them if that is what it mostly shows of the
    body; and whether it is clothes."""
    face = surface.fragments.face
    body = (surface.model.region[np.maximum(face, 0)] == REGION["body"]) & (face >= 0) & (portrait.matte > 0.9) & portrait.inside
    if body.sum() < LEAST:
        return None, False
    clothed = body & shown
    if clothed.sum() > CLOTHED * body.sum():
        return clothed, True  # the skin of a neckline is no cloth
    bare = body if portrait.parsing is None else body & ~portrait.parsing.most("hair")
    return (bare if bare.sum() >= LEAST else body), False


def _extrapolated(
    soft: Array, slow: Array, cloth: NDArray[np.bool_], inside: NDArray[np.bool_], xy: NDArray[np.floating], plain: Array
) -> Array:
    """Colours (N, 3) at pixels xy (N, 2): inside the photo the nearest cloth; beyond its edge the mean colour at the edge plus
    the pattern reflected at the edge, which turn into the colours `plain` (N, 3) with the distance.

    soft, slow: (S, S, 3), a little blurred, and without the pattern (`_slow`)."""
    side = len(soft)
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    across = np.clip(xy[:, 0], columns[0], columns[-1] + 1)
    last = np.where(inside.any(axis=0), side - inside[::-1].argmax(axis=0), rows[-1] + 1)  # where the photo's last pixel ends
    down = np.clip(xy[:, 1], rows[0], last[np.minimum(across.astype(int), side - 1)])
    beyond = np.hypot(xy[:, 0] - across, xy[:, 1] - down)
    nearest = _nearest(cloth)
    edge = nearest(np.minimum(down, rows[-1]), across)
    mirrored = nearest(2 * down - xy[:, 1], 2 * across - xy[:, 0])
    share = np.exp(-np.square(beyond / (FADING * side)))[:, None]
    continued = slow[edge] + soft[mirrored] - slow[mirrored]
    out = np.where(beyond[:, None] > 0, plain + share * (continued - plain), soft[edge])
    return np.asarray(out.clip(0, 1), np.float32)


def _nearest(where: NDArray[np.bool_]) -> Callable[[NDArray[np.floating], NDArray[np.floating]], PixelIndex]:
    """A function from rows and columns (N,) to the index of the nearest pixel that is set in `where` (S, S)."""
    nearest = ndimage.distance_transform_edt(~where, return_distances=False, return_indices=True)

    def at(row: NDArray[np.floating], column: NDArray[np.floating]) -> PixelIndex:
        row, column = (np.clip(a, 0, len(where) - 1).astype(int) for a in (row, column))
        return nearest[0][row, column], nearest[1][row, column]

    return at
