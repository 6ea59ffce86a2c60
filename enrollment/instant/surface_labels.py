"""What a photo shows at each pixel and at each vertex of the head: hair, skin or cloth, from the photo's parsing; by the head's
shape alone where the parsing sees no person (a statue, some drawings).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from enrollment.instant.surface import VisibleSurface
from enrollment.instant.texture_completion import interpolate_colors, long_hair, scalp
from enrollment.portrait.accessories import hatted
from enrollment.portrait.portrait import Portrait
from models.types import Array

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
        on_head = ("hair", "clothes", "others") if hatted(portrait) else ("hair",)
        parts = (on_head, ("face_skin", "body_skin"), ("clothes",))
        coarse = max(1, portrait.matte.shape[0] // INPUT)  # the parsing's own pixels, along whose border both sides mix
        hair, skin, cloth = (
            solid & ndimage.binary_erosion(portrait.parsing.share(*names) > SURE, iterations=coarse) for names in parts
        )
        return PixelLabels(hair, skin, cloth)


def pixels_of(surface: VisibleSurface) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows and columns (V,) of the vertices' pixels, within the picture."""
    xy = surface.camera.project(surface.vertices)
    column, row = (np.clip(np.floor(xy).astype(int), 0, (surface.camera.width - 1, surface.camera.height - 1))).T
    return row, column


def hair_share(surface: VisibleSurface, portrait: Portrait, labels: PixelLabels, offset: Array) -> Array:
    """(V,) in [0, 1]: how much each vertex of the head is hair or what covers it; 0 for the body.

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
    over = portrait.parsing.share("clothes", "others")[row, column]
    if hatted(portrait):
        share = np.where(crown, share + over, share)
    else:
        trust *= 1 - over  # the band of a headphone, an earring
    known = crown & (trust > 0)
    hairy = float(np.average(share[known], weights=trust[known])) if known.any() else 1.0
    typical = float(np.clip((hairy - BALD[0]) / (BALD[1] - BALD[0]), 0, 1))
    unseen = trust == 0
    value = np.where(unseen, typical * crown, share).astype(np.float32)
    nape = (model.template[:, 1] < NAPE[0]) & (model.template[:, 2] < NAPE[1])
    weight = np.where(unseen, np.select([crown, nape], [UNSEEN_SCALP, UNSEEN_NAPE], UNSEEN_SIDE), trust)
    spread = np.where(head, interpolate_colors(model, np.tile(value[:, None], (1, 3)), weight, head)[:, 0], 0.0)
    return np.asarray(np.where(long_hair(model, spread > 0.5), 1.0, spread), np.float32)


def skin_share(surface: VisibleSurface, portrait: Portrait) -> Array:
    """(V,) in [0, 1]: how much of the photo's pixel at each vertex is skin; a fringe or glasses say little about a cheek."""
    if portrait.parsing is None:
        return np.ones(surface.model.vertex_count, np.float32)
    return portrait.parsing.share("face_skin", "body_skin")[pixels_of(surface)]
