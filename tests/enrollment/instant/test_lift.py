from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from enrollment.instant.assemble import _source_photo
from enrollment.instant.lift import (
    LIPS,
    MOST_LIFTED,
    MOUTH,
    STEP_HEAD,
    _even,
    lift,
    polygon_of,
    redder,
    step_map,
    upper_lip,
)
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.surface import VisibleSurface
from models import arkit, binding
from models.binding import BoundGaussians
from models.heads.base import REGION, HeadModel
from models.tracking.parsing import CLASSES, Parsing
from models.types import Array, Camera, Gaussians
from tests.enrollment.heads import FOCAL, known, portrait_of, surface_of


def test_the_teeth_of_a_smile_belong_to_the_upper_jaw(enrolled: Enrollment, model: HeadModel) -> None:
    """The astronaut laughs: what is bright between the lips must not sink when the jaw opens, tongue and cavity may."""
    avatar = enrolled.avatar
    seen = _source_photo(avatar.person(model), enrolled.fit, avatar.offset, 0, enrolled.portraits[0])
    none = np.zeros(len(model.faces), bool)
    made = lift(seen.surface, seen.portrait, seen.colors, none, none, seen.shown)
    world = binding.to_world(made, binding.frames(seen.surface.vertices, model.faces))
    column, row = np.floor(seen.surface.camera.project(world.means)).astype(int).T
    between = polygon_of(MOUTH, seen.portrait.landmarks.points[:, :2], seen.colors.shape[:2])
    side = len(between) - 1
    mouth = between[np.clip(row, 0, side), np.clip(column, 0, side)] & (model.region[made.face] != REGION["skin"])
    bright = mouth & (made.colors.mean(axis=1) > 0.7)
    assert bright.sum() > 60
    assert (model.region[made.face[bright]] == REGION["upper_teeth"]).mean() > 0.95
    dark = mouth & (made.colors.mean(axis=1) < 0.4)
    assert (model.region[made.face[dark]] == REGION["upper_teeth"]).mean() < 0.2, "a shadow is not on the teeth"
    depth = -world.means[bright][:, 2]
    teeth = -seen.surface.vertices[model.region_vertices("upper_teeth")][:, 2]
    assert depth.min() > teeth.min() - 2e-3 and depth.max() < teeth.max() + 2e-3, "and lies where they are, not behind"


def test_a_polygon_of_landmarks_is_filled() -> None:
    points = np.zeros((478, 2), np.float32)
    points[[1, 2, 3, 4]] = [(2, 2), (10, 2), (10, 6), (2, 6)]
    inside = polygon_of((1, 2, 3, 4), points, (12, 16))
    assert inside[4, 5] and not inside[8, 5] and not inside[4, 13] and inside.shape == (12, 16)


def test_lips_and_gums_are_redder_than_skin_and_yellow_teeth_are_not() -> None:
    skin, lip, tooth, yellow = (0.9, 0.76, 0.66), (0.85, 0.58, 0.58), (0.86, 0.8, 0.7), (0.8, 0.68, 0.42)
    assert redder(np.array([lip, tooth, yellow, skin]), np.array(skin)).tolist() == [True, False, False, False]
    assert not redder(np.full((2, 3), 0.7), np.full(3, 0.5)).any(), "a photo in black and white"


def test_the_dark_line_between_shut_lips_goes_with_the_upper_lip(model: HeadModel) -> None:
    truth = known(model, identity=np.zeros(model.identity_count))
    portrait, person = portrait_of(model, truth), model.person(truth.identity)
    side = portrait.image.shape[0]
    camera = Camera(side, side, FOCAL, FOCAL, side / 2, side / 2, np.diag([1.0, -1.0, -1.0, 1.0]))
    vertices = (person.rest @ truth.rotation.T + truth.translation).astype(np.float32)
    points = portrait.landmarks.points[:, :2]
    points[list(MOUTH[:10:-1])] = points[list(MOUTH[1:10])] + (0.0, 3.0)  # the lower lip touches the upper one
    colors = np.full((side, side, 3), 0.7, np.float32)
    colors[polygon_of(LIPS, points, (side, side))] = (0.7, 0.4, 0.4)
    colors[polygon_of(MOUTH, points, (side, side))] = 0.1
    none = np.zeros(len(model.faces), bool)
    made = lift(VisibleSurface.of(model, vertices, camera), portrait, colors, ~none, none, np.ones((side, side), np.float32))
    dark = made.face[made.colors.mean(axis=1) < 0.3]
    assert len(dark) > 20 and np.isin(dark, upper_lip(model)).mean() > 0.85
    falls = model.expression_basis[arkit.INDEX["jawOpen"]][model.faces[dark], 1]
    assert falls.mean() > 0.3 * model.expression_basis[arkit.INDEX["jawOpen"]][:, 1].min(), "and stays when the jaw falls"


@pytest.fixture(scope="module")
def lifted(model: HeadModel) -> tuple[Gaussians, BoundGaussians, Array]:
    """What is lifted from a picture that is a person's everywhere: skin on the mesh and to the right of it, hair to the left.
    Gaussians in the camera's axes, bound to triangles, and their pixels from the mesh."""
    truth = known(model, identity=np.zeros(model.identity_count))
    portrait, surface = portrait_of(model, truth), surface_of(model, truth)
    side = portrait.image.shape[0]
    off = ndimage.distance_transform_edt(surface.fragments.face < 0)
    hair = (off > 0) & (np.arange(side) < side / 2)
    shares = np.zeros((side, side, len(CLASSES)), np.float32)
    shares[..., CLASSES.index("face_skin")], shares[..., CLASSES.index("hair")] = ~hair, hair
    none, gray = np.zeros(len(model.faces), bool), np.full((side, side, 3), 0.5, np.float32)
    bound = lift(surface, replace(portrait, parsing=Parsing(shares)), gray, none, none, np.ones((side, side), np.float32))
    world = binding.to_world(bound, binding.frames(surface.vertices, model.faces))
    column, row = np.clip(np.floor(surface.camera.project(world.means)).astype(int), 0, side - 1).T
    return world, bound, off[row, column]


def test_hair_beside_the_jaw_hangs_behind_the_cheek(lifted: tuple[Gaussians, BoundGaussians, Array], model: HeadModel) -> None:
    """An ear's rim or a cheek that stands off the mesh stays where it is."""
    world, bound, off = lifted
    _, y, z = model.template[model.faces[bound.face]].mean(axis=1).T
    beside = (off > 2) & (off < 30) & (model.region[bound.face] == REGION["skin"]) & (y > -0.09) & (y < 0.01)
    hair, skin = beside & (world.means[:, 0] < -0.03), beside & (world.means[:, 0] > 0.05)
    assert hair.sum() > 50 and z[hair].max() < 0.011
    assert skin.sum() > 50 and z[skin].max() > 0.02


def test_hair_behind_the_far_cheek_of_a_turned_face_is_not_on_it(model: HeadModel) -> None:
    """A lock before the near cheek stays there."""
    truth = known(model, turn=(0.0, 30.0, 0.0), identity=np.zeros(model.identity_count))
    portrait, surface = portrait_of(model, truth), surface_of(model, truth)
    side = portrait.image.shape[0]
    hair = np.tile(np.eye(len(CLASSES), dtype=np.float32)[CLASSES.index("hair")], (side, side, 1))
    none, gray = np.zeros(len(model.faces), bool), np.full((side, side, 3), 0.5, np.float32)
    bound = lift(surface, replace(portrait, parsing=Parsing(hair)), gray, none, none, np.ones((side, side), np.float32))
    x, y, z = model.template[model.faces[bound.face]].mean(axis=1).T
    jaw = (np.abs(x) > 0.03) & (z > 0.02) & (y < 0) & (y > -0.08) & (model.region[bound.face] == REGION["skin"])
    assert (jaw & (x > 0)).sum() < 30 < 500 < (jaw & (x < 0)).sum()


def above(lifted: tuple[Gaussians, BoundGaussians, Array]) -> NDArray[np.bool_]:
    world, _, off = lifted
    return np.asarray((off > 0) & (world.means[:, 1] > np.quantile(world.means[off == 0][:, 1], 0.999)))


def test_hair_that_stands_off_the_mesh_is_in_tufts(lifted: tuple[Gaussians, BoundGaussians, Array]) -> None:
    """All at the depth of the mesh's outline, it would be a comb from the side. Far off, tufts are locks as wide as ten steps."""
    world, _, off = lifted
    tufts = world.means[above(lifted) & (off > 15) & (world.means[:, 0] < -0.03)]
    _, near = cKDTree(tufts[:, :2]).query(tufts[:, :2], k=800)
    rough = tufts[:, 2] - np.median(tufts[near, 2], axis=1)
    assert np.median(np.abs(rough)) > 0.002


def test_what_is_no_hair_leans_backwards_off_the_mesh(lifted: tuple[Gaussians, BoundGaussians, Array]) -> None:
    """A collar that stands on the outline would be a spike from the side."""
    world, _, off = lifted
    skin = above(lifted) & (world.means[:, 0] > 0.03)
    just, far = (np.median(-world.means[skin & chosen, 2]) for chosen in (off < 4, off > 40))
    assert far - just > 0.02


def test_a_person_who_fills_the_picture_gets_coarser_steps_but_on_the_face(enrolled: Enrollment, model: HeadModel) -> None:
    portrait = enrolled.portraits[0]
    none = np.zeros(len(model.faces), bool)
    skin, nose = np.flatnonzero(model.region == REGION["skin"])[:2].astype(np.int32)
    face = np.full(portrait.matte.shape, skin, np.int32)
    face[300:400, 300:400] = nose
    fine = none.copy()
    fine[nose] = True
    full = replace(portrait, matte=np.ones_like(portrait.matte), inside=np.ones_like(portrait.inside))
    steps = step_map(face, model, fine, full)
    assert np.sum(1 / steps.astype(float) ** 2) < MOST_LIFTED < np.sum(1 / np.full(steps.shape, float(STEP_HEAD)) ** 2)
    assert steps[300:400, 300:400].max() <= STEP_HEAD < steps[0, 0]
    small = np.zeros_like(portrait.matte)
    small[200:500, 200:500] = 1
    assert step_map(face, model, none, replace(full, matte=small))[250, 250] == STEP_HEAD


def test_hair_far_off_the_mesh_is_one_sheet(model: HeadModel) -> None:
    """The nearest of head and shoulder are 10 cm apart in depth: hair between them slopes, and is not torn."""
    side = 256
    truth = known(model, identity=np.zeros(model.identity_count))
    portrait = replace(portrait_of(model, truth), matte=np.ones((side, side), np.float32))
    object.__setattr__(portrait, "hairy", np.ones((side, side), bool))
    covered = np.zeros((side, side), bool)
    covered[:, :60] = True
    depth = np.full((side, side), 0.6, np.float32)
    depth[side // 2 :] = 0.7
    found = _even(depth, covered, portrait)
    assert np.array_equal(found[:, :60], depth[:, :60]), "what lies on the mesh stays on it"
    assert np.abs(np.diff(found[:, 120])).max() < 0.01 < np.abs(np.diff(found[:, 60])).max()
    assert found.min() > 0.59 and found.max() < 0.71
