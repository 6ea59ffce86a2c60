"""Hair, skin and cloth beside ear and neck are bound to what they are, as far as that is near."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from enrollment.instant.beside import DEEP, FROM_EAR, sorted_out
from enrollment.instant.nonrigid_registration import posed
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.surface import VisibleSurface
from enrollment.instant.surface_labels import ears
from enrollment.portrait.portrait import Portrait
from models import binding
from models.binding import BoundGaussians
from models.heads.base import HeadModel
from models.tracking.parsing import CLASSES, Parsing
from models.types import Array, Gaussians

DARK = (0.1, 0.1, 0.1)


@pytest.fixture(scope="module")
def surface(enrolled: Enrollment, model: HeadModel) -> VisibleSurface:
    photo = enrolled.fit.photos[0]
    return VisibleSurface.of(model, posed(enrolled.avatar.person(model), photo), photo.camera(enrolled.portraits[0]))


def showing(portrait: Portrait, which: NDArray[np.bool_], name: str) -> Portrait:
    """The portrait, where the parsing says skin but at `which` (S, S) a class."""
    labels = np.where(which, CLASSES.index(name), CLASSES.index("face_skin"))
    return replace(portrait, parsing=Parsing(np.eye(len(CLASSES), dtype=np.float32)[labels]))


def lifted_at(surface: VisibleSurface, face: NDArray[np.int64], out: float = 0.0) -> BoundGaussians:
    """A dark Gaussian at the middle of each triangle, moved away from the picture's middle by `out` metres."""
    at = binding.frames(surface.vertices, surface.model.faces)
    means = surface.vertices[surface.model.faces[face]].mean(axis=1)
    means[:, 0] += out * np.sign(means[:, 0] - surface.vertices[:, 0].mean())
    n = len(face)
    world = Gaussians(
        means.astype(np.float32), np.tile(np.array([1, 0, 0, 0], np.float32), (n, 1)), np.full((n, 3), 0.001, np.float32),
        np.ones(n, np.float32), np.tile(np.array(DARK, np.float32), (n, 1)),
    )  # fmt: skip
    return binding.bind(world, face.astype(np.int32), at)


def behind_ears(model: HeadModel) -> Array:
    """(F,) hair on the head behind and above the ears, none on them."""
    x, y, z = model.template[model.faces].mean(axis=1).T
    ear = np.any(ears(model), axis=0)[model.faces].any(axis=1)
    hair = model.region_faces("skin") & ~ear & (y > -0.02) & (z < 0.01) & (np.abs(x) > 0.04)
    return np.asarray(hair, np.float32)


def test_hair_on_an_ear_is_that_behind_it(enrolled: Enrollment, surface: VisibleSurface, model: HeadModel) -> None:
    hairy, strands = behind_ears(model), np.zeros(enrolled.portraits[0].matte.shape, bool)
    bare = np.any(ears(model), axis=0)[model.faces].all(axis=1)
    lifted = lifted_at(surface, np.flatnonzero(bare))
    at = binding.frames(surface.vertices, model.faces)
    world = binding.to_world(lifted, at)
    xy = surface.camera.project(world.means)
    behind = surface.camera.project(surface.vertices[model.faces[hairy > 0.5]].mean(axis=1))
    away = cKDTree(behind).query(xy)[0] * -world.means[:, 2] / surface.camera.fx
    column, row = xy.astype(int).T
    strands[row[::3], column[::3]] = True
    hair = strands[row, column]
    portrait = showing(enrolled.portraits[0], strands, "hair")
    moved, strange = sorted_out(lifted, surface, portrait, hairy, np.zeros(len(model.faces), np.float32))
    went = moved.face != lifted.face
    near = hair & (away < FROM_EAR)
    assert near.sum() > 5 and (hair & (away > FROM_EAR)).any()
    assert went[near].mean() > 0.5 and not went[~near].any(), "skin stays, and hair with none behind it"
    assert hairy[moved.face[went]].min() > 0.5 and not strange.any()
    again = binding.to_world(moved, at)
    assert np.abs(again.means - world.means)[:, 2].max() < DEEP + 1e-4
    assert np.abs(surface.camera.project(again.means) - xy).max() < 0.05, "the photo's own view is the same"


def test_cloth_on_a_bare_neck_does_not_count(enrolled: Enrollment, surface: VisibleSurface, model: HeadModel) -> None:
    portrait, none = enrolled.portraits[0], np.zeros(len(model.faces), np.float32)
    x, y, z = model.template[model.faces].mean(axis=1).T
    face = np.flatnonzero(model.region_faces("skin") & (y < -0.05) & (y > -0.09) & (z < 0) & (np.abs(x) > 0.04))
    lifted = lifted_at(surface, face, out=0.05)
    world = binding.to_world(lifted, binding.frames(surface.vertices, model.faces))
    column, row = surface.camera.project(world.means).astype(int).T
    off = surface.fragments.face[row, column] < 0
    shown = np.zeros(portrait.matte.shape, bool)
    shown[row, column] = True
    cloth = showing(portrait, shown, "clothes")
    moved, strange = sorted_out(lifted, surface, cloth, none, none)
    assert off.any() and len(moved) < 0.5 * len(lifted), "it would stand up over the collar"
    assert np.array_equal(strange, ~model.region_faces("body")[moved.face])
    stays, strange = sorted_out(lifted, surface, cloth, none, none + 1)
    assert len(stays) == len(lifted) and not strange.any(), "a collar stays"
    assert not sorted_out(lifted, surface, showing(portrait, shown, "face_skin"), none, none)[1].any()
    assert not sorted_out(lifted, surface, replace(portrait, parsing=None), none, none)[1].any()
