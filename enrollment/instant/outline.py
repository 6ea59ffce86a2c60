"""The person's outline in a photo: what the photo does not show may not lie where it shows background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from enrollment.portrait.portrait import Portrait
from models import binding
from models.binding import BoundGaussians, Frames
from models.heads.base import REGION, HeadModel
from models.types import Array, Camera

CUT, CUT_HEAD, CUT_BODY, WIDENING = 0.024, 0.1, 0.3, 1.0
"""Distance from the matte, picture sides, beyond which a sample lies far outside, where the photo shows background. An unseen
one there is drawn in as far as the second and the third say, and dropped beyond: on the head, which hair blown aside would leave
open behind the jaw, and on the body, which would be open where a shoulder is turned further than the rig knows. Beyond the
photo's edge the outline goes on, wider by so many pixels for each pixel: shoulders."""
REACH, MOST_REACH, FAR_REACH = 0.4, 0.008, 2.0
"""How far within the matte's outline an unseen sample has to lie: in spacings, and at most, picture sides; and, in spacings, one
that comes from far outside, whose surface is only there to close the body."""
HELD = 2.2
"""How far within the outline a Gaussian has to lie to be held by it, in its standard deviations."""
SOLID = 0.8
"""Matte of a pixel that such a sample may lie behind."""


def drawn_in_from(model: HeadModel, face: NDArray[np.int32]) -> Array:
    """(N,) how far outside samples on the triangles `face` (N,) may project to be drawn in, picture sides."""
    return np.where(model.region[face] == REGION["body"], CUT_BODY, CUT_HEAD).astype(np.float32)


@dataclass(frozen=True)
class Outline:
    """depth: (S, S) pixels from the outline, positive within, which goes on beyond the photo's edge. beyond: (S, S) pixels from
    the photo's edge. onto: (2, S, S) the nearest pixel of the person. ends: whether the person ends above the lower edge."""

    depth: Array
    beyond: Array
    onto: NDArray[np.integer]
    ends: bool

    @staticmethod
    def of(portrait: Portrait) -> Outline:
        """The outline in a photo."""
        beyond, near = ndimage.distance_transform_edt(~portrait.inside, return_indices=True)
        person = ((portrait.matte > SOLID) & portrait.inside)[near[0], near[1]]  # it goes on beyond the photo's edge
        off, onto = ndimage.distance_transform_edt(~person, return_indices=True)
        depth = ndimage.distance_transform_edt(person) - off
        return Outline(depth.astype(np.float32), beyond.astype(np.float32), onto, not person[-1].any())

    def within(self, xy: NDArray[np.floating]) -> Array:
        """(N,) pixels from pixels xy (N, 2) out to the outline, negative outside."""
        column, row = self._pixels(xy)
        return np.asarray(self.depth[row, column] + WIDENING * self.beyond[row, column], np.float32)

    def drawn_in(self, points: Array, spacing: Array, camera: Camera, furthest: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Points (N, 3) before the camera, drawn within the outline as far as the Gaussians that they become reach; and which
        project so far outside that they have to go (N,). spacing: (N,) metres. furthest: (N,) picture sides."""
        side, xy = len(self.depth), camera.project(points)
        column, row = self._pixels(xy)
        to_row, to_column = self.onto[0][row, column], self.onto[1][row, column]
        slope = np.stack(np.gradient(ndimage.gaussian_filter(self.depth, 2.0)), axis=-1)[..., ::-1]
        away, inwards = self.within(xy), slope[to_row, to_column]
        inwards /= np.maximum(np.linalg.norm(inwards, axis=1, keepdims=True), 1e-3)
        scale = camera.fx / -points[:, 2]
        near = np.clip(REACH * spacing * scale, 1.0, MOST_REACH * side)
        reach = np.where(away < -CUT * side, FAR_REACH * spacing * scale, near)
        onto_outline = np.stack([to_column - column, to_row - row], axis=1) * (away < 0)[:, None]
        further = np.clip(reach - away, 0, reach)[:, None] * inwards
        moved = points.copy()
        moved[:, :2] += (onto_outline + further) / scale[:, None] * (1, -1)
        outside = self.depth[row, column] if self.ends else away
        return moved, np.asarray(outside < -furthest * side)

    def holds(self, gaussians: BoundGaussians, at: Frames, camera: Camera) -> NDArray[np.bool_]:
        """(N,) which Gaussians do not reach where the photo shows background. at: the triangles, posed as in the photo."""
        world = binding.to_world(gaussians, at)
        reach = HELD * world.scales.max(axis=1) * camera.fx / -world.means[:, 2]
        return np.asarray(self.within(camera.project(world.means)) > reach)

    def _pixels(self, xy: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        column, row = np.clip(np.floor(xy).astype(int), 0, len(self.depth) - 1).T
        return column, row
