"""The half of a turned face that the photo hides, by example of the half that it shows: faces are nearly symmetric.

The mirrored head is looked at in the same photo: each point of the far half takes the pixel of its twin, in the light of its own
side. Skin, brows and lips only: hair falls to one side, and eyes and lids have stages of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from enrollment.instant.surface import Samples, VisibleSurface
from enrollment.instant.surface_labels import pixels_of
from enrollment.instant.texture_completion import eyelid_vertices, matching_gains, twins, vertex_colors
from enrollment.portrait.portrait import Portrait
from models.binding import BoundGaussians
from models.types import Array

SPACING = 0.0018
"""Metres between neighbouring Gaussians there."""
BETTER = (0.35, 0.6)
"""By how much more square on a point's twin is seen than the point itself, cosines between normal and view direction, from where
its colour is taken and from where in full."""
CLEARLY, WHOLLY = 0.4, 0.8
"""Weights from which a triangle is sampled as finely as `SPACING`, and from which it gets no pixels of its own: smears."""
SOLID = 0.9
"""Matte of a pixel that is the person's alone."""


@dataclass(frozen=True)
class FarHalf:
    """surface: the photo's, with the head mirrored. weight: (V,) in [0, 1], how far each vertex takes its twin's colour."""

    surface: VisibleSurface
    weight: Array

    @staticmethod
    def of(surface: VisibleSurface, portrait: Portrait, share: Array, face: NDArray[np.bool_]) -> FarHalf:
        """share: (V,) `surface_labels.hair_share`. face: (F,) the triangles of the face."""
        model = surface.model
        twin, alike = twins(model)
        mirrored = replace(surface, vertices=surface.vertices[twin], normals=surface.normals[twin])
        shown, _, own = surface.visible(surface.vertices, surface.normals)
        seen, _, square = mirrored.visible(mirrored.vertices, mirrored.normals)
        better = square - np.where(shown, own, 0.0)
        weight = np.clip((better - BETTER[0]) / (BETTER[1] - BETTER[0]), 0, 1)
        row, column = pixels_of(mirrored)
        usable = seen & alike & (share < 0.5) & portrait.inside[row, column] & (portrait.matte[row, column] > SOLID)
        if portrait.parsing is not None:
            usable &= portrait.parsing.share("face_skin", "body_skin")[row, column] > 0.5
        near = np.zeros(model.vertex_count, bool)
        near[model.faces[face]] = True
        return FarHalf(mirrored, (weight * (usable & near & ~eyelid_vertices(model))).astype(np.float32))

    def fine(self) -> NDArray[np.bool_]:
        """(F,) triangles that are clearly on the far half."""
        return np.asarray(self.weight[self.surface.model.faces].mean(axis=1) > CLEARLY)

    def without(self, gaussians: BoundGaussians) -> BoundGaussians:
        """Gaussians lifted from the photo, without those that lie wholly on the far half."""
        return gaussians.select(self.weight[self.surface.model.faces[gaussians.face]].mean(axis=1) < WHOLLY)

    def at(self, samples: Samples) -> Array:
        """(N,) the weight at samples."""
        return samples.at(self.surface.model.faces, self.weight[:, None])[:, 0]

    def paint(self, portrait: Portrait, samples: Samples, out: Array, colors: Array, shown: tuple[Array, Array]) -> None:
        """Paint samples in place. out: (N, 3) their colours. colors: (S, S, 3) `Portrait.colors`. shown:
        `texture_completion.vertex_colors` of the photo."""
        model, part = self.surface.model, self.at(samples)
        on = part > 0
        if not on.any():
            return
        chosen = samples.select(on)
        gains = matching_gains(model, shown, vertex_colors(self.surface, portrait, colors))
        xy = self.surface.camera.project(chosen.at(model.faces, self.surface.vertices))
        column, row = np.clip(np.floor(xy).astype(int), 0, len(colors) - 1).T
        skin = 1.0 if portrait.parsing is None else portrait.parsing.share("face_skin", "body_skin")[row, column] ** 2
        twin = np.clip(colors[row, column] * chosen.at(model.faces, gains), 0, 1)
        out[on] += (part[on] * skin)[:, None] * (twin - out[on])
