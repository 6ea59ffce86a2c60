"""What a photo shows at each pixel and at each vertex of the head: hair, skin or cloth, from the photo's parsing; by the head's
shape alone where the parsing sees no person (a statue, some drawings).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from enrollment.instant.nonrigid_registration import graph
from enrollment.instant.photo_edge import bare_beyond
from enrollment.instant.surface import VisibleSurface
from enrollment.instant.texture_completion import interpolate_colors, long_hair, scalp
from enrollment.portrait.accessories import hatted
from enrollment.portrait.portrait import Portrait
from models.heads.base import HeadModel
from models.heads.raster import vertex_normals
from models.types import Array, Array64

SOLID = 0.9
"""Matte of a pixel that is the person's alone."""
SURE, INPUT = 0.7, 256
"""Probability from which a pixel has a label; side of the picture that the parsing looks at, pixels."""
ASLANT = 0.1
"""Cosine between normal and view direction under which a vertex takes no label from its pixel."""
HAIR_VOLUME = 0.012
"""Static offset, metres, from which a vertex counts as hair where the parsing says nothing."""
UNSEEN_SCALP, UNSEEN_NAPE, UNSEEN_SIDE = 1.0, 0.02, 0.001
"""Trust, beside that in a vertex that is seen, in the guesses that a scalp nobody sees is as hairy as the seen one,
that a nape is bare, and that hair ends at all where a temple or an ear is hidden."""
LONG = (-0.07, 0.02)
"""Height on the template under which hair hangs, and height of the bands in which it is looked for, metres."""
HANGS, WIDE = 3, 0.03
"""Vertices of a band that show hair, from which hair hangs there; distance to the side from which they count, metres."""
GOES_ON, EDGE = 0.06, 0.03
"""How far hair goes on below the photo's edge that cuts it, metres, and from how near, picture sides, the edge does."""
BEHIND = 0.01
"""Depth on the template behind which the body that the photo does not show lies under hanging hair, metres."""
EARS = ((0.060, 0.11), (-0.038, 0.038), (-0.038, 0.020))
"""Distances to the side, heights and depths of the ears on the template, metres."""
EAR_SEEN, UNSEEN_EAR = 12, 0.05
"""Vertices of an ear that the photo must show for its cover to be known; trust in what covers it where it is hidden."""
FOLDS, SHADES = 450.0, (0.55, 1.12)
"""Darkening of an ear's skin for each metre that it lies under the middle of its neighbours; least and largest brightness."""
SCARF, WRAPPED = 0.5, (-0.09, -0.04)
"""Share of a hat or a scarf over an ear from which it covers the nape too, down to this height and from this depth
on the template, metres."""
MOST_WIDE, MARGIN = 0.16, 0.015
"""Furthest that hanging hair reaches to the sides, and how much further its locks fall behind, metres."""
BALD = (0.05, 0.2)
"""Shares of the visible scalp that must be hair for the unseen one to have any, and to be covered: a forehead reaches into it."""
NAPE = (-0.03, -0.01)
"""Greatest height and depth of the nape on the template, metres."""


@dataclass(frozen=True)
class PixelLabels:
    """(S, S) bool: pixels of the person's alone that show hair or what covers it (a hat, a scarf), skin, clothes. Glasses and
    jewellery are none of them. All are true everywhere on a person whom the parsing does not see."""

    hair: NDArray[np.bool_]
    skin: NDArray[np.bool_]
    cloth: NDArray[np.bool_]

    @staticmethod
    def of(portrait: Portrait) -> PixelLabels:
        solid = (portrait.matte > SOLID) & portrait.inside
        if portrait.parsing is None:
            return PixelLabels(solid, solid, solid)
        parts = (_on_head(portrait), ("face_skin", "body_skin"), ("clothes",))
        coarse = max(1, portrait.matte.shape[0] // INPUT)  # the parsing's own pixels, along whose border both sides mix
        hair, skin, cloth = (
            solid & ndimage.binary_erosion(portrait.parsing.share(*names) > SURE, iterations=coarse) for names in parts
        )
        return PixelLabels(hair, skin, cloth)


def _on_head(portrait: Portrait) -> tuple[str, ...]:
    """The parsing's classes that cover a scalp like hair: also cloth and what is worn, under a hat or a scarf."""
    return ("hair", "clothes", "others") if hatted(portrait) else ("hair",)


def shares_at(portrait: Portrait, xy: NDArray[np.floating], *names: str, unknown: float) -> Array:
    """(N,) probability of some of the parsing's classes at pixels xy (N, 2); `unknown` where the parsing sees no person."""
    if portrait.parsing is None:
        return np.full(len(xy), unknown, np.float32)
    column, row = np.clip(np.floor(xy).astype(int), 0, len(portrait.matte) - 1).T
    return np.asarray(portrait.parsing.share(*names)[row, column], np.float32)


def pixels_of(surface: VisibleSurface) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows and columns (V,) of the vertices' pixels, within the picture."""
    xy = surface.camera.project(surface.vertices)
    column, row = (np.clip(np.floor(xy).astype(int), 0, (surface.camera.width - 1, surface.camera.height - 1))).T
    return row, column


def ears(model: HeadModel) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(V,) vertices of the person's right ear and of the left one."""
    head = np.zeros(model.vertex_count, bool)
    head[model.region_vertices("skin")] = True
    x, y, z = model.template.T
    (near, far), (low, high), (back, front) = EARS
    here = head & (low < y) & (y < high) & (back < z) & (z < front)
    return here & (-far < x) & (x < -near), here & (near < x) & (x < far)


def ear_covers(surface: VisibleSurface, portrait: Portrait) -> tuple[float, float]:
    """Share of hair, a hat or a scarf, beside skin, over the place of the right ear and of the left one; an ear that the photo
    does not show is covered as the other one. 0 where the parsing sees no person."""
    if portrait.parsing is None:
        return 0.0, 0.0
    seen, _, _ = surface.visible(surface.vertices, surface.normals)
    row, column = pixels_of(surface)
    over = portrait.parsing.share(*_on_head(portrait))[row, column]
    skin = portrait.parsing.share("face_skin", "body_skin")[row, column]
    known = []
    for ear in ears(surface.model):
        shown = ear & seen & portrait.inside[row, column] & (over + skin > 0.5)
        known.append(float(over[shown].sum() / (over + skin)[shown].sum()) if shown.sum() >= EAR_SEEN else None)
    right, left = known
    right, left = (left if right is None else right), (right if left is None else left)
    return right or 0.0, left or 0.0


def ear_shade(model: HeadModel, rest: Array) -> Array:
    """(V,) brightness of the ears' folds, 1 elsewhere: a photo from the front hardly shows an ear, and in one colour it has no
    shape. rest: (V, 3) metres, avatar space."""
    near = np.any(ears(model), axis=0)
    _, average = graph(model)
    hollow = np.sum((average @ rest - rest) * vertex_normals(rest, model.faces), axis=1)
    shade = np.clip(1 - FOLDS * (average @ hollow), *SHADES)
    return np.asarray(np.where(near, shade, 1.0), np.float32)


@dataclass(frozen=True)
class HangingHair:
    """Long hair. low: height on the template down to which it hangs, metres. levels: (L,) heights, ascending; right, left: (L,)
    how far it reaches to the sides there, in avatar space, metres."""

    low: float
    levels: Array
    right: Array
    left: Array

    def width(self, height: NDArray[np.floating]) -> tuple[Array64, Array64]:
        """(N,) ends to the person's right and left at heights (N,)."""
        return np.interp(height, self.levels, self.right), np.interp(height, self.levels, self.left)


def hanging_hair(surface: VisibleSurface, portrait: Portrait, offset: Array) -> HangingHair | None:
    """The hair that hangs beside the neck and over the shoulders in the photo, None when there is none. offset: (V, 3) metres."""
    if portrait.parsing is None:
        return None
    model = surface.model
    outer = np.zeros(model.vertex_count, bool)
    outer[model.region_vertices("skin", "body")] = True
    seen, xy, _ = surface.visible(surface.vertices, surface.normals)
    row, column = pixels_of(surface)
    shown = outer & seen & portrait.inside[row, column] & (portrait.matte[row, column] > 0.5)
    hairy = shown & (portrait.parsing.share("hair")[row, column] > 0.5)
    x, y = (model.template + offset)[:, 0], model.template[:, 1]
    at_side = hairy & (np.abs(model.template[:, 0]) > WIDE)
    low = LONG[0]
    while (at_side & (y < low) & (y > low - LONG[1])).sum() >= HANGS:
        low -= LONG[1]
    if low == LONG[0]:
        return None
    end = hairy & (np.abs(y - low) < LONG[1])
    bottom = np.flatnonzero(portrait.inside.any(axis=1))[-1] + 1
    if end.any() and xy[end, 1].max() > bottom - EDGE * portrait.matte.shape[0]:
        low -= GOES_ON
    levels = np.arange(low, 0.02, 0.01)
    near = [hairy & (np.abs(y - level) < 0.015) for level in levels]
    there = np.array([bool(n.any()) for n in near])
    right, left = (np.array([np.quantile(x[n], q) for n in near if n.any()]) for q in (0.05, 0.95))
    right, left = (ndimage.uniform_filter1d(np.interp(levels, levels[there], e), 5) for e in (right, left))
    return HangingHair(low, levels, np.clip(right, -MOST_WIDE, -WIDE), np.clip(left, WIDE, MOST_WIDE))


def hair_share(surface: VisibleSurface, portrait: Portrait, offset: Array) -> Array:
    """(V,) in [0, 1]: how much each vertex is hair or what covers it; on the body, long hair that lies on it.

    The photo's label where the photo shows the vertex; elsewhere continued over the mesh, the unseen scalp as hairy as the seen
    one. offset: (V, 3) static offsets, metres.
    """
    model = surface.model
    head = np.zeros(model.vertex_count, bool)
    head[model.region_vertices("skin")] = True
    crown = scalp(model)
    if portrait.parsing is None:
        hair = head & (crown | (np.linalg.norm(offset, axis=1) > HAIR_VOLUME))
        return np.asarray(hair | long_hair(model, hair), np.float32)
    seen, _, facing = surface.visible(surface.vertices, surface.normals)
    row, column = pixels_of(surface)
    trust = np.where(seen & (facing > ASLANT) & head, facing, 0.0) * (portrait.matte[row, column] > SOLID)
    trust *= portrait.inside[row, column]
    share = portrait.parsing.share("hair")[row, column]
    share = np.where(crown, portrait.parsing.share(*_on_head(portrait))[row, column], share)
    if not hatted(portrait):  # the band of a headphone, an earring
        trust = trust * (1 - portrait.parsing.share("clothes", "others")[row, column])
    known = crown & (trust > 0)
    hairy = float(np.average(share[known], weights=trust[known])) if known.any() else 1.0
    typical = float(np.clip((hairy - BALD[0]) / (BALD[1] - BALD[0]), 0, 1))
    unseen = trust == 0
    nape, covers = (model.template[:, 1] < NAPE[0]) & (model.template[:, 2] < NAPE[1]), ear_covers(surface, portrait)
    wrapped = nape & (model.template[:, 2] < WRAPPED[1]) & (hatted(portrait) and max(covers) > SCARF)
    value = np.where(unseen, typical * (crown | wrapped), share).astype(np.float32)
    weight = np.where(
        unseen,
        np.select([crown | (wrapped & (model.template[:, 1] > WRAPPED[0])), nape], [UNSEEN_SCALP, UNSEEN_NAPE], UNSEEN_SIDE),
        trust,
    )
    bare = bare_beyond(surface, portrait, share, np.asarray(trust, np.float32))
    value[bare], weight[bare] = 0.0, UNSEEN_SCALP
    for ear, covered in zip(ears(model), covers, strict=True):
        value[ear & unseen], weight[ear & unseen] = covered, UNSEEN_EAR
    spread = np.where(head, interpolate_colors(model, np.tile(value[:, None], (1, 3)), weight, head)[:, 0], 0.0)
    spread = np.where(long_hair(model, spread > 0.5), 1.0, spread)
    hanging = hanging_hair(surface, portrait, offset)
    if hanging is not None:
        _, y, z = model.template.T
        right, left = hanging.width(y)
        across = (model.template + offset)[:, 0]
        under = (y > hanging.low) & (y < NAPE[0]) & ~seen
        between = (right - MARGIN < across) & (across < left + MARGIN)
        spread = np.where(under & (z < BEHIND) & (between | (portrait.parsing.share("hair")[row, column] > 0.5)), 1.0, spread)
        body = ~head & seen & (facing > ASLANT) & portrait.inside[row, column]
        spread = np.where(body & (y > hanging.low), share, spread)
    return np.asarray(spread, np.float32)


def skin_share(surface: VisibleSurface, portrait: Portrait) -> Array:
    """(V,) in [0, 1]: how much of the photo's pixel at each vertex is skin; a fringe or glasses say little about a cheek."""
    if portrait.parsing is None:
        return np.ones(surface.model.vertex_count, np.float32)
    return portrait.parsing.share("face_skin", "body_skin")[pixels_of(surface)]
