"""Colours of the skin of upper lids, most of which is folded away in a photo of open eyes.

A shut lid lies where the photo shows the eye. So the photo is painted in there, smoothly, from the bare skin all around, without
lashes, brows and the shadow in the fold; a point of the lid has the colour that the painted photo has where the point lies when
the eye is shut.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from enrollment.instant.blink import BLINKS
from enrollment.instant.brows import brow_pixels
from enrollment.instant.fit import PhotoFit
from enrollment.instant.nonrigid_registration import posed
from enrollment.instant.surface import Samples, VisibleSurface
from enrollment.portrait.portrait import Portrait
from models.heads.base import HeadModel, PersonHead
from models.heads.raster import vertex_normals
from models.types import Array

MOVES, LID = (0.02, 0.12), 0.25
"""Parts of a lid's way in a blink between which a point's colour goes over to the lid's; and from which a vertex is on what is
painted."""
OPEN = (0.3, 0.6)
"""Blinks in the photo between which the lids are more and more as it shows them."""
AROUND, RIM, LEAST = 0.6, 0.05, 0.03
"""How far around the lid skin is looked at, and width of the lower lashes, widths of the eye; and part of the pixels there that
must be bare skin."""
DARK, EVEN = (0.58, 0.82), 0.22
"""Brightness relative to the skin around between which a pixel is less and less lash, brow or shadow; width of the neighbourhood
to which that is compared, widths of the eye."""
SCALES = (0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
"""Standard deviations at which the painting looks for skin, widths of the eye, from fine to coarse."""
LIGHT, LEVEL = 0.2, -0.15
"""How much darker skin gets by turning down, for each unit of its normal, and the normal at which it stays as it is."""
CREASE, FOLD = 0.12, 0.2
"""How much darker it is in the fold, and part of the way in a blink within which."""


@dataclass(frozen=True)
class LidSkin:
    """model: the head's. picture: (S, S, 3) the photo with shut lids painted in. xy: (V, 2) pixels of the vertices with shut
    lids. way: (V,) part of the lid's way in a blink that each vertex goes. opened: (V,) in [0, 1], how open the photo shows its
    eye; 0 where no bare skin is seen around it. light: (V,) brightness by the direction of the shut lid."""

    model: HeadModel
    picture: Array
    xy: Array
    way: Array
    opened: Array
    light: Array

    @staticmethod
    def of(person: PersonHead, photo: PhotoFit, surface: VisibleSurface, portrait: Portrait, colors: Array) -> LidSkin:
        """surface: posed as in the photo. colors: (S, S, 3) of the photo."""
        model, face = person.model, _face(portrait) * ~brow_pixels(portrait, colors)
        shut = photo.coefficients.copy()
        shut[BLINKS] = 1.0
        vertices = posed(person, replace(photo, coefficients=shut))
        xy, now = surface.camera.project(vertices), surface.camera.project(surface.vertices)
        skin = np.zeros(model.vertex_count, bool)
        skin[model.region_vertices("skin")] = True
        way, opened, picture = np.zeros((2, model.vertex_count)), np.zeros(model.vertex_count), colors.copy()
        for eye, blink in enumerate(BLINKS):
            down = np.clip(-model.expression_basis[blink, :, 1], 0, None) * skin
            way[eye] = down / max(float(down.max()), 1e-6)
            lid = way[eye] > LID
            if lid.any() and _paint(picture, face, np.concatenate([now[lid], xy[lid]])):
                opened[way[eye] > 0] = np.clip((OPEN[1] - photo.coefficients[blink]) / (OPEN[1] - OPEN[0]), 0, 1)
        light = 1 + LIGHT * np.clip(vertex_normals(vertices, model.faces)[:, 1] - LEVEL, -0.6, 0.3)
        parts = (xy, way.max(axis=0), opened, light)
        return LidSkin(model, picture, *(np.asarray(p, np.float32) for p in parts))

    def paint(self, samples: Samples, out: Array, trust: Array) -> None:
        """Paint those of samples that are on a lid, in place. out: (N, 3) their colours. trust: (N,) in [0, 1], how much."""
        faces, side = self.model.faces, len(self.picture)
        way, opened, light = samples.at(faces, np.stack([self.way, self.opened, self.light], axis=1)).T
        part = trust * opened * np.clip((way - MOVES[0]) / (MOVES[1] - MOVES[0]), 0, 1)
        column, row = np.clip(np.floor(samples.at(faces, self.xy)).astype(int), 0, side - 1).T
        light = light * (1 - CREASE * np.exp(-np.square(way / FOLD)))
        out += part[:, None] * (np.clip(self.picture[row, column] * light[:, None], 0, 1) - out)


def _face(portrait: Portrait) -> Array:
    """(S, S) in [0, 1], how much each pixel shows the skin of the face."""
    skin = 1.0 if portrait.parsing is None else portrait.parsing.share("face_skin")
    return np.asarray(skin * portrait.matte * portrait.inside, np.float32)


def _paint(picture: Array, face: Array, lid: Array) -> bool:
    """Paint, in place, a picture (S, S, 3) around pixels of a lid (N, 2), open and shut, where there is skin to do it by, and say
    whether there is. face: (S, S), how much each pixel is skin without brows."""
    side, wide = len(picture), float(np.ptp(lid[:, 0]))
    (left, top), (right, bottom) = lid.min(axis=0) - AROUND * wide, lid.max(axis=0) + AROUND * wide
    box = tuple(slice(max(0, int(a)), min(side, int(b) + 1)) for a, b in ((top, bottom), (left, right)))
    colors = picture[box].astype(np.float32)
    if not colors.size:
        return False
    hole = np.zeros(colors.shape[:2], np.uint8)
    hull = cv2.convexHull((lid - (box[1].start, box[0].start)).astype(np.float32))
    cv2.fillConvexPoly(hole, np.round(hull * 16).astype(np.int32), 1, shift=4)
    reach = 2 * max(1, round(RIM * wide)) + 1
    hole = cv2.dilate(hole, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    bare = face[box] * (hole == 0)
    light, seen = colors.mean(axis=2), bare
    for _ in range(3):
        even = _mean(light[..., None], seen, EVEN * wide)[0][..., 0]
        seen = bare * np.clip((light / np.maximum(even, 1e-3) - DARK[0]) / (DARK[1] - DARK[0]), 0, 1)
    if seen.mean() < LEAST:
        return False
    out = np.tile(np.sum(colors * seen[..., None], axis=(0, 1)) / seen.sum(), (*colors.shape[:2], 1))
    for scale in SCALES[::-1]:
        mean, weight = _mean(colors, seen, scale * wide)
        out += np.clip(2 * weight, 0, 1)[..., None] * (mean - out)
    picture[box] = out
    return True


def _mean(values: Array, weight: Array, sigma: float) -> tuple[Array, Array]:
    """Weighted means (H, W, C) of values around each pixel, and the mean weight (H, W) there."""
    around = cv2.GaussianBlur(weight, (0, 0), sigma)
    total = cv2.GaussianBlur(values * weight[..., None], (0, 0), sigma).reshape(values.shape)
    return total / np.maximum(around, 1e-6)[..., None], around
