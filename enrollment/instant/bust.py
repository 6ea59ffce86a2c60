"""Where a bust ends: one curved cut, the same from all sides, about as far down and out as the photo shows the person.

The cut is the lower half of a superellipsoid (Barr 1981) around the root of the neck, in avatar space at rest. Gaussians fade
out in a narrow band inside of it, and a bottom of cloth closes the body within the band, so that nobody looks into a hollow shell
where arms and chest end. All of this is opacity, so files, exports and other renderers need to know nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from enrollment.instant.lift import surfels
from models import binding
from models.binding import BoundGaussians
from models.heads.base import NECK, HeadModel, PersonHead
from models.heads.raster import vertex_normals
from models.tracking.face_geometry import CONTOUR
from models.types import Array

POWER = 5.0
"""Exponent of the superellipsoid: 2 is an ellipsoid, more is squarer."""
TOP, MIDDLE = 0.045, 0.02
"""How far the superellipsoid's middle lies above and before the neck's joint, metres; the cut begins at this height."""
DEPTH = 0.2
"""Half of its depth, metres: from the side the cut is curved a little."""
WIDTHS, DROPS = (0.13, 0.27), (0.07, 0.26)
"""Least and largest half of its width and height below the middle, metres."""
ROOM, NARROW = 1.3, 0.25
"""Half of its width, relative to what the photo shows of the shoulders; weight of the side of which it shows less."""
CONTINUED = 0.05
"""How far the bust may go on below what the photo shows, metres: straight edges of photos need that under a curve."""
BAND = 0.026
"""Width of the fade within the cut, metres."""
CHIN = 0.008
"""Least distance of the jaw from the fade, metres."""
BOTTOM_DEPTH, BOTTOM_SPACING, BOTTOM_SIGMA, BOTTOM_INSET = 0.6, 0.009, 0.85, 1.6
"""Of the bottom: how far within the cut, in bands; metres between Gaussians; in spacings, their standard deviation, and how far
within the body they lie, or they would stick out of chest and back where these fade."""
BOTTOM_OPACITY = 0.95
NEAR = 0.05
"""Distance from the cut within which the surface gives the bottom its colours, metres."""
BOTTOM_SHADE, BOTTOM_MIXED = 0.72, 64
"""Brightness of the bottom, which faces down, relative to the cloth around it; how many neighbours its colour is the mean of."""
BELOW_JAW = -0.03
"""Sum of a point's height and depth on the template, metres, under which it lies below the jaw."""
BELOW_EARS = -0.05
"""Height on the template under which a head may be within the cut, metres."""
FAINTEST = 0.02
"""Opacity under which a Gaussian is left out."""
SHOWN = 0.5
"""Opacity from which a lifted Gaussian counts for what the photo shows."""


@dataclass(frozen=True)
class Bust:
    """The cut. middle: (3,) metres, avatar space at rest. half: (3,) half of width, drop below the middle, half of depth."""

    middle: Array
    half: Array

    def reach(self, points: Array) -> Array:
        """(N,) how far points (N, 3) below the middle lie from it, relative to the cut in their direction: 1 on the cut."""
        away = np.abs(points - self.middle) / self.half
        away[:, 1] = np.maximum(self.middle[1] - points[:, 1], 0) / self.half[1]
        return np.asarray((away**POWER).sum(axis=1) ** (1 / POWER), np.float32)

    def depth(self, points: Array) -> Array:
        """(N,) metres from points (N, 3), at rest, to the cut on the way from the middle: positive within; what lies above the
        middle is never nearer to the cut than to the middle's height."""
        reach = self.reach(points)
        below = np.minimum(points - self.middle, np.array((np.inf, 0, np.inf), np.float32))
        along = np.where(reach > 1e-3, np.linalg.norm(below, axis=1) * (1 / np.maximum(reach, 1e-3) - 1), self.half.min())
        return np.asarray(np.maximum(along, points[:, 1] - self.middle[1]), np.float32)

    def share(self, points: Array) -> Array:
        """(N,) in [0, 1]: what is left of the opacity of Gaussians at points (N, 3), at rest."""
        part = np.clip(self.depth(points) / BAND, 0, 1)
        return np.asarray(part * part * (3 - 2 * part), np.float32)

    def fade(self, gaussians: BoundGaussians, person: PersonHead) -> BoundGaussians:
        """The Gaussians within the cut, faded towards it."""
        share = self.share(_at_rest(gaussians, person))
        faded = replace(gaussians, opacities=(gaussians.opacities * share).astype(np.float32))
        return faded.select(faded.opacities > FAINTEST)

    def within(self, gaussians: BoundGaussians, person: PersonHead) -> NDArray[np.bool_]:
        """(N,) which Gaussians lie within the cut."""
        return np.asarray(self.depth(_at_rest(gaussians, person)) > 0)

    @staticmethod
    def endless() -> Bust:
        """No cut: everything lies within it."""
        return Bust(np.zeros(3, np.float32), np.full(3, np.inf, np.float32))

    @staticmethod
    def of(person: PersonHead, lifted: BoundGaussians) -> Bust:
        """The cut for a photo: as wide and as low as the photo shows the person, and a little further where a curve needs it.

        lifted: the Gaussians of the photo's pixels. The cut never takes the jaw, never reaches a border of the mesh, and is as
        high as a photo that ends at the chin wants it.
        """
        middle = (person.joints[NECK] + np.array([0.0, TOP, MIDDLE])).astype(np.float32)
        middle[0] = 0.0
        shown = _at_rest(lifted.select(lifted.opacities > SHOWN), person) - middle
        low = shown[shown[:, 1] < 0] if (shown[:, 1] < 0).any() else np.zeros((1, 3), np.float32)
        width = float(np.clip(ROOM * _half_width(low[:, 0]), *WIDTHS))
        central = low[np.abs(low[:, 0]) < 0.5 * width]
        lowest = -float(np.quantile(central[:, 1], 0.01)) if len(central) else 0.0
        drop = min(_drop(low, width), lowest + CONTINUED)
        chin = person.landmarks(person.rest)[list(CONTOUR)] - middle
        drop = max(drop, _drop(chin[chin[:, 1] < 0], width) + CHIN)
        bust = Bust(middle, np.array([width, np.clip(drop, *DROPS), DEPTH], np.float32))
        most = bust.reach(person.rest[_border(person.model)]).min(initial=1.0)
        return replace(bust, half=(bust.half * most).astype(np.float32))


def _at_rest(gaussians: BoundGaussians, person: PersonHead) -> Array:
    """(N, 3) where Gaussians lie in avatar space, at rest."""
    return binding.to_world(gaussians, binding.frames(person.rest, person.model.faces)).means


def _half_width(x: Array) -> float:
    """How far to the side points with these places (N,) lie: more as on the side where they reach further, as an edge of the
    photo may hide the other."""
    sides = sorted((float(np.quantile(side, 0.99)) if len(side) else 0.0) for side in (x[x > 0], -x[x <= 0]))
    return NARROW * sides[0] + (1 - NARROW) * sides[1]


def _drop(low: Array, width: float) -> float:
    """The least height below the middle, metres, of a cut of half this width whose band leaves points (N, 3), relative to the
    middle, whole; of those near the side, where the cut is steep, as much as there is room for."""
    if not len(low):
        return 0.0
    aside = (
        np.minimum((np.abs(low[:, 0]) + 0.5 * BAND) / width, 0.9) ** POWER + np.minimum(np.abs(low[:, 2]) / DEPTH, 0.7) ** POWER
    )
    return float(np.quantile((-low[:, 1] + BAND) / np.maximum(1 - aside, 0.15) ** (1 / POWER), 0.99))


def _border(model: HeadModel) -> NDArray[np.int64]:
    """Vertices at which the mesh of skin and body ends below the jaw."""
    edges = np.sort(np.concatenate([model.faces[:, [0, 1]], model.faces[:, [1, 2]], model.faces[:, [2, 0]]]), axis=1)
    _, first, count = np.unique(
        edges[:, 0].astype(np.int64) * model.vertex_count + edges[:, 1], return_index=True, return_counts=True
    )
    ends = np.unique(edges[first[count == 1]])
    ends = np.intersect1d(ends, model.region_vertices("skin", "body"))
    return np.asarray(ends[model.template[ends] @ (0, 1, 1) < BELOW_JAW], np.int64)


def bottom(
    bust: Bust, person: PersonHead, shell: BoundGaussians, allowed: Callable[[BoundGaussians], NDArray[np.bool_]]
) -> BoundGaussians:
    """Gaussians that close the body within the cut. shell: those of the surface, which end at the cut, and whose colours the
    bottom takes, in its own shade. allowed: which Gaussians the photo does not deny."""
    model, at_rest = person.model, binding.frames(person.rest, person.model.faces)
    outer = np.flatnonzero(model.region_faces("skin", "body"))
    points = _lattice(replace(bust, half=bust.half * np.float32(1 - BOTTOM_DEPTH * BAND / bust.half.min())))
    _, nearest = cKDTree(at_rest.origin[outer]).query(points)
    face = outer[nearest].astype(np.int32)
    normals = vertex_normals(person.rest, model.faces)[model.faces[face]].mean(axis=1)
    inside = np.sum((points - at_rest.origin[face]) * normals, axis=1) < -BOTTOM_INSET * BOTTOM_SPACING
    inside &= model.template[model.faces[face], 1].max(axis=1) < BELOW_EARS  # not within hair that is blown aside
    points, face = points[inside], face[inside]
    world = _at_rest(shell, person)
    near = np.flatnonzero(
        (bust.depth(world) < NEAR) & (model.template[model.faces[shell.face]].mean(axis=1) @ (0, 1, 1) < BELOW_JAW)
    )
    if not len(near) or not len(points):
        return shell.select(np.zeros(len(shell), bool))
    _, around = cKDTree(world[near]).query(points, k=min(BOTTOM_MIXED, len(near)))
    own = shell.colors[near[around.reshape(len(points), -1)]].mean(axis=1)
    colors = BOTTOM_SHADE * (own + np.median(shell.colors[near], axis=0)) / 2
    away = points - bust.middle
    slope = np.abs(away) ** (POWER - 1) * np.sign(away) / bust.half**POWER  # the gradient of the superellipsoid's equation
    slope = slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-12)
    sigma = np.full(len(points), BOTTOM_SIGMA * BOTTOM_SPACING, np.float32)
    flat = surfels(at_rest, points, slope, sigma, face, colors, np.full(len(points), BOTTOM_OPACITY, np.float32)).valid()
    return flat.select(allowed(flat))


def _lattice(bust: Bust) -> Array:
    """Points (N, 3) on the cut, about `BOTTOM_SPACING` apart: a lattice from below, one from each side, and one of each place."""
    half, step = bust.half, 0.7 * BOTTOM_SPACING
    u, w = (np.arange(-h + 0.5 * step, h, step) for h in (half[0], half[2]))
    x, z = (a.ravel() for a in np.meshgrid(u, w, indexing="ij"))
    left = 1 - np.abs(x / half[0]) ** POWER - np.abs(z / half[2]) ** POWER
    below = np.stack([x, -half[1] * np.maximum(left, 0) ** (1 / POWER), z], axis=1)[left > 0]
    y, z = (a.ravel() for a in np.meshgrid(np.arange(-half[1] + 0.5 * step, 0, step), w, indexing="ij"))
    left = 1 - np.abs(y / half[1]) ** POWER - np.abs(z / half[2]) ** POWER
    aside = np.stack([half[0] * np.maximum(left, 0) ** (1 / POWER), y, z], axis=1)[left > 0]
    points = np.concatenate([below, aside, aside * np.array([-1, 1, 1])])
    _, first = np.unique(np.floor(points / BOTTOM_SPACING).astype(np.int64), axis=0, return_index=True)
    return np.asarray(points[first] + bust.middle, np.float32)
