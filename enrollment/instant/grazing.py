"""The sides of head and neck, which a photo from the front sees at a grazing angle: a pixel there is drawn out over centimetres
of cheek, and where mesh and photo disagree by a few pixels it shows something else, the ear behind the cheek, a lock, a collar,
the shadow between them. Such a pixel counts as far as it is like the completed texture; where it is not, it takes that texture's
colour, in the tone of the pixels around it that count.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from enrollment.instant.side_tones import FAINT, SurfaceBlur, areas
from enrollment.instant.surface import VisibleSurface
from enrollment.portrait.accessories import hatted
from enrollment.portrait.portrait import Portrait
from models import binding
from models.binding import BoundGaussians, Frames
from models.heads.base import HeadModel
from models.types import Array, Gaussians

SQUARE = (0.35, 0.65)
"""Cosines between normal and view direction between which the confidence in a pixel grows, whatever it shows."""
SIDE, CHEEK, ASIDE = (0.075, 0.05), (0.09, 0.055), (0.035, 0.055)
"""Depths beside the eyes and below them, and distances from the middle, on the template, between which the face turns into the
sides of the head, metres: further in front the landmarks hold the mesh to the photo."""
BELOW_EYES = (0.0, 0.015)
"""Heights on the template between which the one depth goes over to the other, metres: cheeks have no brow's or lashes' end."""
BELOW_CHIN = (-0.1, -0.085)
"""Heights on the template under which all of the throat belongs to them: under the jaw a photo sees it aslant too."""
CLAD = 3.0
"""Times the share of cloth by which a throat belongs to them less: a collar has an edge."""
HEIGHTS = (-0.125, -0.105, 0.085, 0.105)
"""Heights on the template over which the sides begin and end, metres: at the foot of the neck, and on the crown,
where hair stands off in the photo's outline."""
UNLIKE, UNLIKE_HAIR = 0.16, 0.4
"""Distance of a pixel's colour from the completed one, of skin and of hair, at which the confidence is a third."""
LEFT = 0.1
"""Trust that is left in a vertex that is seen aslant, for the completed texture of the sides."""
NEAREST, FEWEST = 4, 12
"""Samples of the completed texture to which a Gaussian is compared: the most alike one counts, as skin and hair meet somewhere;
and the least number of Gaussians that are."""
LOCK = (0.25, 0.75)
"""Shares of hair in a pixel over which it counts less and less for bare skin: it is a lock before it."""
BARE = 0.5
"""Share of hair in the completed texture under which there is bare skin."""
LEAST = 0.25
"""Belief under which a Gaussian is left out."""
NEAR, AROUND, ALONE, ALIKE = 0.0026, 24, 0.45, 0.6
"""Distance of a lifted Gaussian from a place of the completed texture that it covers, metres; such places that are looked at
around a Gaussian; share of them that others cover under which it stands alone; and likeness to them that it needs then."""
EVEN, WIDTH = 0.005, 0.007
"""Widths of the neighbourhoods over which the confidence is averaged, as single ones would be specks, and the difference to the
completed texture, standard deviations in metres."""
DENIED = 0.5
"""Disbelief from which a mirrored Gaussian is left out."""
DRAWN_OUT = (0.12, 0.4)
"""Cosines between normal and view direction under which a photo's strands are smears, and from which they are not."""
REAR = 0.02
"""Depth on the template behind which all of the head is looked at for those that stand alone, metres."""


def sides(model: HeadModel, share: Array, cloth: Array, portrait: Portrait) -> Array:
    """(V,) in [0, 1]: how much each vertex belongs to the sides of the head; 0 on face, crown, neck and body, on a hat or a
    scarf, which is not the same all over, and on a throat that is clad. share: (V,) `surface_labels.hair_share`. cloth: (V,)
    `neckline.cloth_share`."""
    x, y, z = model.template.T
    begins, ends = (np.interp(y, BELOW_EYES, depths) for depths in zip(CHEEK, SIDE, strict=True))
    throat = np.interp(y, BELOW_CHIN, (1, 0)) * np.clip(1 - CLAD * cloth, 0, 1)
    across = np.maximum(np.interp(np.abs(x), ASIDE, (0, 1)), throat)
    part = np.clip((begins - z) / (begins - ends), 0, 1) * across * np.interp(y, HEIGHTS, (0, 1, 1, 0))
    skin = np.zeros(model.vertex_count, bool)
    skin[model.region_vertices("skin")] = True
    return np.asarray(part * skin * (1 - share * hatted(portrait)), np.float32)


def rear(model: HeadModel, portrait: Portrait) -> NDArray[np.bool_]:
    """(F,) triangles of the head, without neck and body, behind the face; none under a hat or a scarf."""
    y, z = model.template[model.faces].mean(axis=1)[:, 1:].T
    return np.asarray(model.region_faces("skin") & (z < REAR) & (y > HEIGHTS[0]) & (not hatted(portrait)))


def squarely(facing: Array) -> Array:
    """(N,) in [0, 1]: confidence in a pixel whatever it shows. facing: (N,) cosine between normal and view direction."""
    return np.clip((facing - SQUARE[0]) / (SQUARE[1] - SQUARE[0]), 0, 1)


def trust_at_sides(surface: VisibleSurface, part: Array) -> Array:
    """(V,) in [0, 1]: how far each vertex may tell the colour of those around it. part: (V,) `sides`."""
    _, _, facing = surface.visible(surface.vertices, surface.normals)
    return np.asarray(1 - (1 - LEFT) * part * (1 - squarely(facing)), np.float32)


def color_confidence(facing: Array, seen: Array, expected: Array, hair: Array) -> Array:
    """(N,) in [0, 1]: confidence in pixels of colours `seen` (N, 3). facing: (N,) cosine between normal and view
    direction. expected: (N, 3) or (N, K, 3), completed colours there, of which one is enough; hair: (N,) or (N, K), how much of
    it is hair."""
    away = np.linalg.norm(np.expand_dims(seen, 1) - expected.reshape(len(seen), -1, 3), axis=2)
    like = np.exp(-np.square(away / np.where(hair.reshape(away.shape) > 0.5, UNLIKE_HAIR, UNLIKE))).max(axis=1)
    return np.asarray(1 - (1 - squarely(facing)) * (1 - like), np.float32)


@dataclass(frozen=True)
class CompletedTexture:
    """Samples of the completed surface. points: (N, 3) in the photo's camera axes. colors: (N, 3). hair: (N,) in [0, 1]."""

    points: Array
    colors: Array
    hair: Array

    def off_skin(self, surface: VisibleSurface, portrait: Portrait, world: Gaussians) -> NDArray[np.bool_]:
        """(N,) which lifted Gaussians, in the photo's camera axes, lie off the mesh beside bare skin and are no clothes: along
        the outline of a cheek or an ear, where what is dark is the background's or a lock's behind it, and a row of dots or a
        blotch from the side. Strands beside hair are hair."""
        side = len(portrait.matte)
        column, row = np.clip(np.floor(surface.camera.project(world.means)).astype(int), 0, side - 1).T
        off = (surface.fragments.face < 0)[row, column]
        if portrait.parsing is None:
            return np.asarray(off)
        rim = off & ~portrait.hairy[row, column] & ~portrait.parsing.most("clothes")[row, column]
        locks = np.flatnonzero(off & portrait.parsing.most("hair")[row, column])
        if len(locks) and len(self.points) >= AROUND:
            _, near = cKDTree(self.points).query(world.means[locks], k=AROUND)
            rim[locks] = self.hair[near].max(axis=1) < BARE
        return np.asarray(rim)

    def with_shards_alike(
        self, lifted: BoundGaussians, world: Gaussians, looked_at: NDArray[np.bool_]
    ) -> tuple[BoundGaussians, NDArray[np.bool_]]:
        """The Gaussians, and (N,) which of them were changed: those that stand alone on the completed surface, like islands, and
        have another colour, got its colour. From the front they are the edge of an ear or of a curl; from the side they are
        beads along a seam. world: the same in the photo's camera axes. looked_at: (F,) triangles of which."""
        on = np.flatnonzero(looked_at[lifted.face])
        changed = np.zeros(len(lifted), bool)
        if not len(on) or len(self.points) < AROUND:
            return lifted, changed
        away, _ = cKDTree(world.means).query(self.points, distance_upper_bound=NEAR)
        covered = np.isfinite(away)
        _, around = cKDTree(self.points).query(world.means[on], k=AROUND)
        near = around[:, :NEAREST]
        away = np.linalg.norm(lifted.colors[on, None] - self.colors[near], axis=2)
        like = np.exp(-np.square(away / np.where(self.hair[near] > 0.5, UNLIKE_HAIR, UNLIKE)))
        shard = (covered[around].mean(axis=1) < ALONE) & (like.max(axis=1) < ALIKE)
        colors, changed[on] = lifted.colors.copy(), shard
        colors[on[shard]] = self.colors[near[shard, np.argmax(like[shard], axis=1)]]
        return replace(lifted, colors=colors), changed

    def compared(self, world: Gaussians, facing: Array, hair: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Confidence (N,) in the colours of Gaussians, in the photo's camera axes; the colour (N, 3) of this texture there,
        the most alike one nearby; and whether that is hair (N,). facing: (N,) cosines between normal and view direction.
        hair: (N,) how much of their pixels is hair: on bare skin those count as if they were seen aslant."""
        _, near = cKDTree(self.points).query(world.means, k=NEAREST)
        facing = np.where(
            self.hair[near].max(axis=1) < BARE, facing * (1 - np.clip((hair - LOCK[0]) / (LOCK[1] - LOCK[0]), 0, 1)), facing
        )
        confidence = color_confidence(facing, world.colors, self.colors[near], self.hair[near])
        away = np.linalg.norm(world.colors[:, None] - self.colors[near], axis=2)
        alike = np.argmin(away / np.where(self.hair[near] > 0.5, UNLIKE_HAIR, UNLIKE), axis=1)
        chosen = near[np.arange(len(near)), alike]
        return confidence, self.colors[chosen], self.hair[chosen] > 0.5

    def denied(self, made: BoundGaussians, world: Gaussians, part: Array) -> NDArray[np.bool_]:
        """(N,) which Gaussians that no photo shows are at the sides unlike this texture. world: the same in the photo's camera
        axes. part: (F,) `sides`."""
        out = np.zeros(len(made), bool)
        on = np.flatnonzero(part[made.face] > 0)
        if len(on) and len(self.points) >= NEAREST:
            none = np.zeros(len(on), np.float32)
            confidence, _, _ = self.compared(_at(world, on), none, none)
            out[on] = part[made.face[on]] * (1 - confidence) > DENIED
        return out

    def without_smears(
        self, lifted: BoundGaussians, world: Gaussians, part: Array, rim: NDArray[np.bool_], behind: NDArray[np.bool_],
        hair: Array, grown: Array,
    ) -> tuple[BoundGaussians, Array, SurfaceBlur | None]:  # fmt: skip
        """Gaussians lifted from a photo, those that this texture denies in its colour, those that stand upright off the mesh
        fainter or left out; how far they keep their colour in the photo's own view, (N,) in [0, 1]; and how the others differ
        from this texture, None where no sides and no hair are seen. world: the same Gaussians in the photo's camera axes.
        part: (F,) `sides`. rim: (N,) which stand upright off the mesh and are no hair (`off_skin`). behind: (F,)
        `rear`, where what stands alone is looked for too. hair: (N,) how much of their pixels is hair. grown: (F,) share of hair
        on each triangle: hair keeps its colours elsewhere, but its tone counts too."""
        at_side, looked_at = part[lifted.face], behind | (part > 0.5)
        on = np.flatnonzero((at_side > 0) | (grown[lifted.face] > BARE))
        held, kept, tones = np.zeros(len(lifted), np.float32), np.ones(len(lifted), np.float32), None
        if len(self.points) < NEAREST or not len(lifted):
            return lifted, held, tones
        lifted, shards = self.with_shards_alike(lifted, world, looked_at)
        if len(on) >= FEWEST:
            here = _at(replace(world, colors=lifted.colors), on)
            facing = np.where(rim, 0.0, _facing(world))[on]
            confidence, expected, strands = self.compared(here, facing, hair[on])
            area = areas(here)
            even = SurfaceBlur.of(here.means, confidence[:, None], area, EVEN).mean(here.means, 1e-6)[:, 0]
            belief = np.minimum(confidence, even)
            tones = SurfaceBlur.of(here.means, here.colors - expected, area * belief, WIDTH)
            change = np.clip(expected + tones.mean(here.means, FAINT), 0, 1) - here.colors
            shown = belief * np.where(strands, np.clip((facing - DRAWN_OUT[0]) / (DRAWN_OUT[1] - DRAWN_OUT[0]), 0, 1), ~rim[on])
            held[on] = at_side[on] * np.where(rim[on], 1.0, 1 - belief)
            kept[on] -= at_side[on] * (1 - belief) * rim[on]
            colors = lifted.colors.copy()
            colors[on] += (at_side[on] * (1 - shown))[:, None] * change
            lifted = replace(lifted, colors=colors)
        held[shards] = 1.0
        kept[kept < LEAST] = 0.0
        return replace(lifted, opacities=(lifted.opacities * kept).astype(np.float32)).select(kept > 0), held[kept > 0], tones


def toned(unseen: BoundGaussians, at: Frames, part: Array, tones: SurfaceBlur | None) -> BoundGaussians:
    """Gaussians that no photo shows, at the sides and on hair in the tones of what is seen there. at: the triangles, posed as in
    the photo. part: (F,) in [0, 1], `sides` and hair. tones: of `CompletedTexture.without_smears`."""
    if tones is None:
        return unseen
    change = part[unseen.face][:, None] * tones.mean(binding.to_world(unseen, at).means, FAINT)
    return replace(unseen, colors=np.clip(unseen.colors + change, 0, 1).astype(np.float32))


def _at(world: Gaussians, on: NDArray[np.int64]) -> Gaussians:
    """Those at positions `on`."""
    return Gaussians(*(getattr(world, f.name)[on] for f in fields(world)))


def _facing(world: Gaussians) -> Array:
    """(N,) cosine between the normal of flat Gaussians and the direction to the camera at the origin."""
    w, x, y, z = world.rotations.T
    normal = np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], axis=1)
    return np.asarray(np.abs(np.sum(normal * world.means, axis=1)) / np.linalg.norm(world.means, axis=1), np.float32)
