"""Cloth begins behind where it begins at the sides of the neck; a high collar or a scarf covers the neck all around."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from enrollment.instant.assemble import SourcePhoto, _near_outline, _pixel_confidence, _source_photo
from enrollment.instant.neckline import cloth_share
from enrollment.instant.nonrigid_registration import posed
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.surface import VisibleSurface
from enrollment.portrait.portrait import Portrait
from models import binding
from models.binding import BoundGaussians
from models.heads.base import HeadModel
from models.tracking.parsing import CLASSES, Parsing
from models.types import Array


@pytest.fixture(scope="module")
def seen(enrolled: Enrollment, model: HeadModel) -> SourcePhoto:
    avatar = enrolled.avatar
    return _source_photo(avatar.person(model), enrolled.fit, avatar.offset, 0, enrolled.portraits[0])


def clad(seen: SourcePhoto, model: HeadModel, collar: float) -> Array:
    """The share of cloth where the photo shows cloth under this height on the template, metres, and skin above."""
    _, row = seen.surface.camera.project(seen.surface.vertices).T
    side = (np.abs(model.template[:, 0]) < 0.06) & (model.template[:, 2] > -0.05)
    height = np.polynomial.Polynomial.fit(model.template[side, 1], row[side], 1)(collar)
    shares = np.zeros((*seen.portrait.matte.shape, len(CLASSES)), np.float32)
    shares[: round(height), :, CLASSES.index("body_skin")] = 1.0
    shares[round(height) :, :, CLASSES.index("clothes")] = 1.0
    return cloth_share(seen.surface, replace(seen.portrait, parsing=Parsing(shares)))


def test_the_nape_is_bare_above_a_low_collar_and_clad_under_a_high_one(seen: SourcePhoto, model: HeadModel) -> None:
    x, y, z = model.template.T
    outer = np.isin(np.arange(model.vertex_count), model.region_vertices("skin", "body"))
    nape = outer & (np.abs(x) < 0.04) & (z < -0.05) & (y > -0.095) & (y < -0.06)
    back = outer & (z < -0.05) & (y < -0.19)
    low, high = (clad(seen, model, collar) for collar in (-0.13, -0.03))
    assert low[nape].max() < 0.5 < np.median(high[nape])
    assert min(low[back].min(), high[back].min()) > 0.5
    assert max(low[y > 0.05].max(), high[y > 0.05].max()) < 0.01, "there is no collar on the head"


def test_what_the_jaw_hides_of_the_neck_is_bare_above_the_collar(seen: SourcePhoto, model: HeadModel) -> None:
    """The photo shows the collar right under the jaw's outline: the cloth does not go on up to the jaw behind it."""
    y, z = model.template[:, 1], model.template[:, 2]
    visible, _, _ = seen.surface.visible(seen.surface.vertices, seen.surface.normals)
    under = np.isin(np.arange(model.vertex_count), model.region_vertices("skin")) & ~visible & (y + z < -0.035) & (z > 0)
    low, high = clad(seen, model, -0.1), clad(seen, model, -0.03)
    above = under & (y > -0.092)
    assert above.sum() > 10 and low[above].max() < 0.3
    assert high[under & (y < -0.08)].min() > 0.5


def test_a_collar_before_bare_skin_does_not_colour_it(seen: SourcePhoto) -> None:
    here = np.zeros(2, np.int64)
    cloth, square, bare = np.ones(seen.portrait.matte.shape, bool), np.ones(2, np.float32), np.zeros(2, np.float32)
    on_skin, on_cloth = _pixel_confidence(labelled(seen, cloth), bare, np.array([0.0, 1.0], np.float32), square, here, here)
    assert on_skin == 0.0 and on_cloth == 1.0


def test_without_a_parsing_it_is_the_body(seen: SourcePhoto, model: HeadModel) -> None:
    found = cloth_share(seen.surface, replace(seen.portrait, parsing=None))
    assert np.array_equal(np.flatnonzero(found), np.unique(model.region_vertices("body")))


def labelled(seen: SourcePhoto, cloth: NDArray[np.bool_]) -> Portrait:
    """The photo, all of it one person, with cloth there (S, S), and skin elsewhere."""
    shares = np.zeros((*cloth.shape, len(CLASSES)), np.float32)
    shares[..., CLASSES.index("clothes")], shares[..., CLASSES.index("body_skin")] = cloth, ~cloth
    all_of_it = np.ones(cloth.shape, bool)
    return replace(seen.portrait, parsing=Parsing(shares), inside=all_of_it, matte=all_of_it.astype(np.float32))


def test_a_shirt_behind_the_far_side_of_a_turned_neck_is_not_on_it(
    seen: SourcePhoto, enrolled: Enrollment, model: HeadModel
) -> None:
    turn = Rotation.from_euler("y", 45, degrees=True).as_matrix().astype(np.float32)
    photo = replace(seen.photo, rotation=seen.photo.rotation @ turn)
    surface = VisibleSurface.of(model, posed(enrolled.avatar.person(model), photo), seen.surface.camera)
    _, y, z = model.template.T
    neck = np.isin(np.arange(model.vertex_count), model.region_vertices("skin")) & (y + z < -0.03) & (y < -0.05)
    _, row = surface.camera.project(surface.vertices).T
    rows, facing = np.arange(len(seen.portrait.matte))[:, None], surface.normals[:, 2]
    at_collar = np.median(row[neck & (y < -0.11) & (facing > 0.3)])
    cloth = np.broadcast_to(rows > at_collar, seen.portrait.matte.shape).copy()
    along = surface.fragments.interpolate(model.faces, surface.normals)
    away = along[..., 0] * np.sign(np.mean(surface.normals[neck & (facing > 0.8), 0] + 1e-6)) < -0.5
    cloth |= away & (surface.fragments.face >= 0)
    far = neck & (y > -0.09) & (facing < 0.2) & (z > 0)
    found = cloth_share(surface, labelled(seen, cloth))
    assert found[far].mean() < 0.06


def test_a_neckline_ends_below_the_photo(seen: SourcePhoto, model: HeadModel) -> None:
    xy = seen.surface.camera.project(seen.surface.vertices)
    x, _, z = model.template.T
    body = np.isin(np.arange(model.vertex_count), model.region_vertices("body"))
    middle, end = xy[np.abs(x) < 0.05, 0], int(xy[body, 1].min()) + 60
    cloth = np.ones(seen.portrait.matte.shape, bool)
    cloth[:, int(middle.min()) : int(middle.max())] = False
    portrait = labelled(seen, cloth)
    portrait = replace(portrait, inside=portrait.inside & (np.arange(len(cloth)) < end)[:, None])
    chest = body & (np.abs(x) < 0.02) & (z > 0) & (xy[:, 1] > end + 60)
    found = cloth_share(seen.surface, portrait)[chest]
    assert found.min() > 0.5


def test_a_mirrored_face_does_not_cover_clothes(seen: SourcePhoto, model: HeadModel) -> None:
    at = binding.frames(seen.surface.vertices, model.faces)
    middle = seen.surface.vertices[model.faces].mean(axis=1)
    column, row = np.clip(seen.surface.camera.project(middle).astype(int), 0, len(seen.portrait.matte) - 1).T
    person = seen.portrait.matte[row, column] > 0.9
    face = np.flatnonzero(model.region_faces("skin") & person)[::50].astype(np.int32)
    gaussians = BoundGaussians(
        face, np.zeros((len(face), 3), np.float32), np.tile(np.float32([1, 0, 0, 0]), (len(face), 1)),
        np.full((len(face), 3), 0.001, np.float32), np.ones(len(face), np.float32), np.ones((len(face), 3), np.float32),
    )  # fmt: skip
    cloth = np.zeros(seen.portrait.matte.shape, bool)
    for clad in (False, True):
        cloth[:] = clad
        kept = _near_outline(replace(seen, portrait=labelled(seen, cloth)), at, gaussians)
        assert kept.all() != clad and kept.any() != clad


def test_a_collar_seen_along_the_rim_of_the_jaw_is_not_on_it(seen: SourcePhoto, model: HeadModel) -> None:
    _, y, z = model.template.T
    visible, xy, facing = seen.surface.visible(seen.surface.vertices, seen.surface.normals)
    neck = np.isin(np.arange(model.vertex_count), model.region_vertices("skin")) & (y + z < -0.03)
    rim = neck & visible & (facing > 0.15) & (z > 0.03) & (y > -0.085)
    assert rim.any()
    column, row = xy[rim].astype(int).T
    cloth = np.zeros(seen.portrait.matte.shape, bool)
    cloth[row, column] = True
    assert cloth_share(seen.surface, labelled(seen, cloth))[rim].max() < 0.1
