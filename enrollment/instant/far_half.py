"""The half of a turned face that the photo hides, by example of the half that it shows: faces are nearly symmetric.

The mirrored head is looked at in the same photo: each point of the far half takes the pixel of its twin, in the light of its own
side. Where that begins, both are mixed over some centimetres; an eye with its brow, a nostril and a corner of the mouth are taken
whole or not at all. Skin only: hair falls to one side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from enrollment.instant.lift import OPENINGS
from enrollment.instant.nonrigid_registration import graph, smooth_field
from enrollment.instant.surface import Samples, VisibleSurface
from enrollment.instant.surface_labels import pixels_of
from enrollment.instant.texture_completion import SQUARE_ON, eyelid_vertices, twins
from enrollment.portrait.portrait import Portrait
from models.heads.base import REGION, HeadModel
from models.types import Array

SPACING = 0.0018
"""Metres between neighbouring Gaussians there."""
BETTER = (0.35, 0.6)
"""By how much more square on a point's twin is seen than the point itself, cosines between normal and view direction, from where
its colour is taken and from where in full."""
CLEARLY, WHOLLY = 0.4, 0.8
"""Weights from which a triangle is sampled as finely as `SPACING`, and from which it gets no pixels of its own: smears."""
HIDDEN = 0.15
"""Cosine under which a point is as good as hidden."""
SOLID = 0.9
"""Matte of a pixel that is the person's alone."""
RINGS = 8
"""Of neighbouring vertices over which the weight fades."""
WHOLE = (0.33, 0.45, 0.28)
"""By how much more square on the twin of an eye, a nostril, a corner of the mouth is seen, on average, from which all of it is
mirrored, and under which nothing of it is: from about 40, 25 and 35 degrees on."""
BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
NOSTRILS, CORNERS = ((98, 64, 48, 115), (327, 294, 278, 344)), ((61,), (291,))
"""Landmarks of the person's right and left brow, nostril and corner of the mouth."""
AROUND_EYE, AROUND_NOSTRIL, AROUND_CORNER = 0.007, 0.006, 0.010
"""Metres around these landmarks, and those of eye and brow, that belong to the feature."""
RATIOS, EVEN, LIGHT = (0.6, 1.6), 10.0, 3.0
"""Least and largest gain between the two sides, its smoothness (`smooth_field`), and standard deviation of the blur under which
the sides are compared, pixels."""


@dataclass(frozen=True)
class FarHalf:
    """surface: the photo's, with the head mirrored. weight: (V,) in [0, 1], how far each vertex takes its twin's colour. gains:
    (V, 3) its light relative to its twin's. twin: (V,) the mirrored vertices. elsewhere: (F,) what another photo shows."""

    surface: VisibleSurface
    weight: Array
    gains: Array
    twin: NDArray[np.int64]
    elsewhere: NDArray[np.bool_]

    @staticmethod
    def of(
        surface: VisibleSurface,
        portrait: Portrait,
        share: Array,
        face: NDArray[np.bool_],
        others: Sequence[VisibleSurface] = (),
    ) -> FarHalf:
        """share: (V,) `surface_labels.hair_share`. face: (F,) the triangles of the face. others: further photos'."""
        model = surface.model
        twin, alike = twins(model)
        mirrored = replace(surface, vertices=surface.vertices[twin], normals=surface.normals[twin])
        shown, _, own = surface.visible(surface.vertices, surface.normals)
        seen, _, square = mirrored.visible(mirrored.vertices, mirrored.normals)
        own = np.where(shown, own, 0.0)
        better = square - own
        row, column = pixels_of(mirrored)
        usable = seen & alike & (share < 0.5) & portrait.inside[row, column] & (portrait.matte[row, column] > SOLID)
        if portrait.parsing is not None:
            usable &= portrait.parsing.share("face_skin", "body_skin")[row, column] > 0.5
        near = np.zeros(model.vertex_count, bool)
        near[model.faces[face]] = True
        weight = _handed_over(model, np.where(usable & near, better, 0.0), near, (own < HIDDEN) & usable & near)
        features = np.any([part for pair in _features(model) for part in pair], axis=0)
        gains = _gains(surface, mirrored, portrait, near & usable & (share < 0.5) & ~features)
        elsewhere = np.zeros(model.vertex_count, bool)
        for other in others:
            seen, _, square = other.visible(other.vertices, other.normals)
            elsewhere |= seen & (square > SQUARE_ON)
        return FarHalf(mirrored, weight, gains, twin, elsewhere[model.faces].any(axis=1))

    def fine(self) -> NDArray[np.bool_]:
        """(F,) triangles that are clearly on the far half."""
        return np.asarray(self.weight[self.surface.model.faces].mean(axis=1) > CLEARLY)

    def wholly(self) -> NDArray[np.bool_]:
        """(F,) triangles that take nothing from the pixels under them."""
        return np.asarray(self.weight[self.surface.model.faces].max(axis=1) >= WHOLLY)

    def copied(self) -> NDArray[np.bool_]:
        """(F,) triangles that get the mirrored Gaussians of the near half."""
        model = self.surface.model
        return np.asarray(self.wholly() & ~self.elsewhere & np.isin(model.region, [REGION["skin"], REGION["mouth_inside"]]))

    def eyes(self) -> tuple[str, ...]:
        """Regions of the eyes that are mirrored."""
        right, left = _features(self.surface.model)[0]
        return tuple(name for name, eye in (("right_eye", right), ("left_eye", left)) if self.weight[eye].mean() > 0.5)

    def features(self) -> NDArray[np.bool_]:
        """(V,) eyes, brows, nostrils and corners of the mouth, on both sides."""
        return np.any([part for pair in _features(self.surface.model) for part in pair], axis=0)

    def at(self, samples: Samples) -> Array:
        """(N,) the weight at samples."""
        return samples.at(self.surface.model.faces, self.weight[:, None])[:, 0]

    def mixed(self, values: Array) -> Array:
        """Values (V,) or (V, C) of vertices, on the far half those of their twins."""
        part = self.weight.reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray(values + part * (values[self.twin] - values), np.float32)

    def colors(self, colors: Array) -> Array:
        """Colours (V, 3) that the photo shows, on the far half those of their twins in its own light."""
        return np.asarray(colors + self.weight[:, None] * (colors[self.twin] * self.gains - colors), np.float32)

    def seen_at(self, where: Samples, colors: Array) -> Array:
        """(N, 3) the photo's colours at the twins of points, in the light of the points' own side. colors: (S, S, 3)."""
        faces = self.surface.model.faces
        xy = self.surface.camera.project(where.at(faces, self.surface.vertices))
        column, row = np.clip(np.floor(xy).astype(int), 0, len(colors) - 1).T
        return np.clip(colors[row, column] * where.at(faces, self.gains), 0, 1).astype(np.float32)

    def paint(self, portrait: Portrait, samples: Samples, out: Array, colors: Array) -> None:
        """Paint samples in place, but for eyelids, on which the photo shows lashes. out: (N, 3) their colours. colors: (S, S, 3)
        `Portrait.colors`."""
        faces = self.surface.model.faces
        bare = self.weight * ~eyelid_vertices(self.surface.model)
        part = samples.at(faces, bare[:, None])[:, 0]
        on = part > 0
        if not on.any():
            return
        chosen = samples.select(on)
        xy = self.surface.camera.project(chosen.at(faces, self.surface.vertices))
        column, row = np.clip(np.floor(xy).astype(int), 0, len(colors) - 1).T
        skin = 1.0 if portrait.parsing is None else portrait.parsing.share("face_skin", "body_skin")[row, column] ** 2
        out[on] += (part[on] * skin)[:, None] * (self.seen_at(chosen, colors) - out[on])


def _handed_over(model: HeadModel, better: Array, near: NDArray[np.bool_], hidden: NDArray[np.bool_]) -> Array:
    """(V,) float32, the weight: by how much better (V,) the twin is seen, faded over some rings of neighbours; features as a
    whole, `hidden` (V,) in full."""
    raw = np.clip((better - BETTER[0]) / (BETTER[1] - BETTER[0]), 0, 1)
    weight, fixed = raw.astype(np.float64), np.zeros(len(raw), bool)
    if not weight.any():
        return np.zeros(len(raw), np.float32)
    skin = np.zeros(len(raw), bool)
    skin[model.region_vertices("skin")] = True
    skin &= near
    for pair, least in zip(_features(model), WHOLE, strict=True):
        for feature in (part & skin for part in pair if (part & skin).any()):
            weight[feature] = float(better[feature].mean() > least)
            fixed |= feature
    _, average = graph(model)
    rows = average[skin & ~fixed]
    for _ in range(RINGS):
        weight[skin & ~fixed] = rows @ weight
    weight = np.where(hidden & ~fixed, np.maximum(weight, raw), weight)
    inner = np.zeros(len(raw), bool)
    inner[model.region_vertices("mouth_inside", "eye_socket")] = True
    inner &= near & ~skin
    if inner.any():
        weight[inner] = weight[skin][cKDTree(model.template[skin]).query(model.template[inner])[1]]
    return np.where(skin | inner, weight, 0.0).astype(np.float32)


def _features(model: HeadModel) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """(V,) right and left eye with its brow, nostril, corner of the mouth."""
    places = np.einsum("nk,nkc->nc", model.landmark_barycentric, model.template[model.landmark_corners])
    outlines = {names[0]: marks for marks, names in OPENINGS if len(names) == 1}
    eyes = ((*outlines["right_eye"], *BROWS[0]), (*outlines["left_eye"], *BROWS[1]))
    out = []
    for pair, reach in ((eyes, AROUND_EYE), (NOSTRILS, AROUND_NOSTRIL), (CORNERS, AROUND_CORNER)):
        right, left = (cKDTree(places[list(marks)]).query(model.template)[0] < reach for marks in pair)
        out.append((right & (model.template[:, 0] < 0), left & (model.template[:, 0] > 0)))
    return out


def _gains(surface: VisibleSurface, mirrored: VisibleSurface, portrait: Portrait, on: NDArray[np.bool_]) -> Array:
    """(V, 3) how much brighter each vertex is than its twin: measured where the photo shows both, and `on` (V,), smooth between,
    and fading to 1 beyond."""
    soft, read = ndimage.gaussian_filter(portrait.colors, (LIGHT, LIGHT, 0)), []
    for side in (surface, mirrored):
        seen, _, facing = side.visible(side.vertices, side.normals)
        row, column = pixels_of(side)
        read.append((soft[row, column], np.where(seen & (facing > HIDDEN), facing, 0.0) * portrait.matte[row, column]))
    (here, trust), (there, other) = read
    both = np.where(on, np.minimum(trust, other), 0.0)
    ratio = np.log(np.clip(np.maximum(here, 0.02) / np.maximum(there, 0.02), *RATIOS))
    laplacian, _ = graph(surface.model)
    return np.exp(np.stack([smooth_field(laplacian, both, r, EVEN) for r in ratio.T], axis=1)).astype(np.float32)
