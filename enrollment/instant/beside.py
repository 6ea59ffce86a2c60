"""Hair, skin and cloth that a photo shows beside an ear or the neck, where the mesh has something else: hair from behind the ear
on the ear, the ear's rim on the hair, a shoulder on the neck. From the side they would be specks. Each is moved along its ray to
the nearest triangle of what it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from enrollment.instant.collar import around_neck
from enrollment.instant.neckline import AT_SIDES, SQUARE_ON
from enrollment.instant.surface import VisibleSurface
from enrollment.instant.surface_labels import ear_covers, ears
from enrollment.portrait.accessories import hatted
from enrollment.portrait.portrait import Portrait
from models import binding
from models.binding import BoundGaussians
from models.heads.base import HeadModel
from models.tracking.face_geometry import turned_away
from models.types import Array

REACH, FROM_EAR = 0.006, 0.012
"""How far from its pixel the triangle may lie to which a Gaussian is moved, metres across the view: further off it would float,
but not behind an ear."""
DEEP = 0.05
"""How far behind or before it, metres."""
BELOW, BEHIND = -0.02, 0.02
"""Height on the template under which, and depth behind which, bare skin is the neck's: over a temple hair does fall."""
SURE, ALIKE = 0.7, 0.25
"""Probability of what a pixel shows from which it is moved, and most distance of its colour from the middle one of all that shows
the same: along the border of two parts the parsing's pixels are coarse, and an ear's rim is not hair."""
TURNED = 15.0
"""Degrees from which a face counts as turned: from the front hair on an ear is behind it, from the side it lies over it."""
GIRTH = 0.055
"""Radius of a neck, metres."""
COVERED, HAIRY, CLAD = 0.5, 0.5, 0.35
"""Shares of hair over an ear from which it is hidden, and of hair and of cloth on a triangle from which it counts as such."""


def sorted_out(
    lifted: BoundGaussians, surface: VisibleSurface, portrait: Portrait, hairy: Array, clad: Array
) -> tuple[BoundGaussians, NDArray[np.bool_]]:
    """Lifted Gaussians, those off the mesh beside ear and neck moved to what they show, less cloth that would stand up over a
    collar at the sides; and (N,) which are cloth on a bare neck without a shoulder nearby: they are to count only where
    they are like skin.

    hairy, clad: (F,) shares of hair (`surface_labels.hair_share`) and of cloth (`neckline.cloth_share`) on each triangle.
    """
    if portrait.parsing is None or hatted(portrait):
        return lifted, np.zeros(len(lifted), bool)
    model, camera = surface.model, surface.camera
    at = binding.frames(surface.vertices, model.faces)
    world, face = binding.to_world(lifted, at), lifted.face.copy()
    xy = camera.project(world.means)
    column, row = np.clip(np.floor(xy).astype(int), 0, len(portrait.matte) - 1).T
    off = (surface.fragments.face < 0)[row, column]
    head, ear = model.region_faces("skin"), _bare_ears(model, ear_covers(surface, portrait))
    _, y, z = model.template[model.faces].mean(axis=1).T
    grown = head & (hairy > HAIRY) & ~ear
    neck = head & (y < BELOW) & (z < BEHIND) & (hairy < HAIRY) & ~ear
    bare = neck & (clad < CLAD)
    centre = surface.vertices[model.faces].mean(axis=1)
    beyond = off | (turned_away(portrait.landmarks) < TURNED)
    for names, there, wrong, right, reach in (
        (("hair",), beyond, ear, grown & (z < BEHIND), FROM_EAR),
        (("hair",), off, neck, grown & (z < BEHIND), REACH),
        (("face_skin", "body_skin"), off, grown, ear, REACH),
        (("clothes",), off, bare, model.region_faces("body"), REACH),
    ):
        shows = portrait.parsing.share(*names)[row, column] > SURE
        if not shows.any():
            continue
        alike = np.linalg.norm(lifted.colors - np.median(lifted.colors[shows], axis=0), axis=1) < ALIKE
        moved, to = np.flatnonzero(there & wrong[lifted.face] & shows & alike), np.flatnonzero(right)
        if not len(moved) or not len(to):
            continue
        away, near = cKDTree(camera.project(centre[to])).query(xy[moved])
        close = away * -world.means[moved, 2] / camera.fx < reach
        close &= np.abs(centre[to[near], 2] - world.means[moved, 2]) < DEEP
        moved, target = moved[close], to[near[close]]
        further = (centre[target, 2] / world.means[moved, 2])[:, None]
        world.means[moved] *= further
        world.scales[moved] *= further
        face[moved] = target
    cloth = portrait.parsing.most("clothes")[row, column]
    strange = off & cloth & bare[face]
    outer, on = np.flatnonzero(head | model.region_faces("body")), model.template[model.faces].mean(axis=1)
    over = np.flatnonzero(cloth)
    _, nearest = cKDTree(_unrolled(on[outer])).query(_unrolled((on - centre)[face[over]] + world.means[over]))
    stands = _bare_sides(surface, clad)[outer[nearest]]
    left = np.ones(len(lifted), bool)
    left[over[stands]] = False
    return binding.bind(world, face, at).select(left), strange[left]


def _unrolled(points: Array) -> Array:
    """(N, 2) place around the neck and height of points (N, 3) on the template, metres."""
    return np.stack([np.radians(around_neck(points)) * GIRTH, points[:, 1]], axis=1)


def _bare_sides(surface: VisibleSurface, clad: Array) -> NDArray[np.bool_]:
    """(F,) triangles above the collar at the sides of the neck and behind, which the photo sees aslant: cloth that stands on them
    is a collar's or a shoulder's behind."""
    model = surface.model
    toward = -surface.vertices / np.linalg.norm(surface.vertices, axis=1, keepdims=True)
    aside = (np.abs(around_neck(model.template)) > AT_SIDES) & (np.sum(toward * surface.normals, axis=1) < SQUARE_ON)
    neck = model.template[model.faces].mean(axis=1)[:, 1] < BELOW
    return np.asarray(aside[model.faces].all(axis=1) & neck & (clad < CLAD))


def _bare_ears(model: HeadModel, covers: tuple[float, float]) -> NDArray[np.bool_]:
    """(F,) triangles of the ears that no hair hides. covers: of the right and of the left one."""
    bare = np.zeros(model.vertex_count, bool)
    for ear, cover in zip(ears(model), covers, strict=True):
        bare |= ear & (cover < COVERED)
    return np.asarray(bare[model.faces].all(axis=1))
