"""Hair that no photo shows looks like the hair that it does, and runs from the crown downwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree

from enrollment.instant import hair_locks, hair_texture, hair_tone
from enrollment.instant.nonrigid_registration import graph
from enrollment.instant.surface import VisibleSurface, sample, triangle_areas
from enrollment.instant.texture_completion import scalp
from enrollment.portrait.portrait import Portrait
from models.heads.base import HeadModel
from models.tracking.parsing import CLASSES, Parsing
from models.types import Array, Camera
from tests.enrollment.heads import FOCAL, known, portrait_of

BLACK, BROWN = np.array([0.05, 0.05, 0.05], np.float32), np.array([0.35, 0.22, 0.10], np.float32)
SKIN = np.array([0.7, 0.52, 0.44], np.float32)
DOWN = np.array([0.0, -1.0, 0.0], np.float32)


class Head:
    """A head with striped hair and a face of skin. kind: the class of what covers the scalp. rim: colour of the hair along the
    silhouette, through which light shines. temples: of the hair far to the sides."""

    def __init__(self, model: HeadModel, kind: str, rim: Array | None = None, temples: Array | None = None) -> None:
        truth = known(model, identity=np.zeros(model.identity_count))
        self.model, self.person = model, model.person(truth.identity)
        portrait = portrait_of(model, truth)
        side = portrait.image.shape[0]
        vertices = (self.person.rest @ truth.rotation.T + truth.translation).astype(np.float32)
        camera = Camera(side, side, FOCAL, FOCAL, side / 2, side / 2, np.diag([1.0, -1.0, -1.0, 1.0]))
        self.surface = VisibleSurface.of(model, vertices, camera)
        self.hair = scalp(model)
        face = self.surface.fragments.face
        shown = self.hair[model.faces[np.maximum(face, 0)]].all(axis=-1) & (face >= 0)
        stripes = (np.arange(side) // 4 % 2 == 0)[None, :, None]
        self.colors: Array = np.where(shown[..., None], np.where(stripes, BROWN, BLACK), SKIN).astype(np.float32)
        if temples is not None:
            beside = np.abs(np.arange(side) - side / 2)[None] > 0.4 * np.abs(np.flatnonzero(shown.any(axis=0)) - side / 2).max()
            self.colors[shown & beside] = temples
        if rim is not None:
            thick = 0.8 * hair_tone.RIM * FOCAL / -float(np.median(vertices[:, 2]))
            self.colors[shown & (ndimage.distance_transform_edt(face >= 0) < thick)] = rim
        label = np.where(face < 0, 0, np.where(shown, CLASSES.index(kind), CLASSES.index("face_skin")))
        shares = np.eye(len(CLASSES), dtype=np.float32)[label]
        self.portrait: Portrait = replace(portrait, parsing=Parsing(shares), matte=(face >= 0).astype(np.float32))
        share = self.hair.astype(np.float32)
        spacing = hair_texture.spacings(self.surface, share, np.where(model.region_faces("skin"), 0.004, 0.0).astype(np.float32))
        self.spacing, self.samples = spacing, sample(self.person, spacing)
        self.points, self.normals = (self.samples.at(model.faces, a) for a in (vertices, self.surface.normals))
        shown = hair_texture.ShownHair.of(self.surface, self.portrait, self.colors, share)
        self.cover = hair_texture.cover(shown, share, self.samples, self.points, self.normals, DOWN)


@pytest.fixture(scope="module")
def head(model: HeadModel) -> Head:
    return Head(model, "hair")


def test_strands_have_the_hairs_colours_and_its_contrast(head: Head) -> None:
    cover = head.cover
    back = (cover.part == 1) & (head.normals[:, 2] < -0.2)
    assert back.sum() > 1000
    found = cover.colors[back]
    assert np.linalg.norm(found - SKIN, axis=1).min() > 0.3, "no ear and no forehead in it"
    assert np.abs(found.mean(axis=0) - (BLACK + BROWN) / 2).max() < 0.05
    spread = found[:, 0].std() / (BROWN - BLACK)[0]
    assert 0.15 < spread < 0.6, "striped as the hair is, which has half of the difference"
    assert (cover.part[head.normals[:, 2] > 0.9] == 0).any(), "a face is no hair"


def test_light_through_the_rim_and_grey_temples_do_not_colour_the_back(model: HeadModel) -> None:
    for rim, temples, most in ((np.array([0.5, 0.7, 1.0], np.float32), None, 0.02), (None, np.full(3, 0.8, np.float32), 0.12)):
        head = Head(model, "hair", rim, temples)
        back = (head.cover.part == 1) & (head.normals[:, 2] < -0.6)
        assert head.cover.colors[back].mean(axis=0)[2] < (BLACK + BROWN)[2] / 2 + most, (rim, temples)


def test_strands_run_downwards_from_the_crown_and_are_long(head: Head, model: HeadModel) -> None:
    cover, on = head.cover, head.cover.part > 0
    along = cover.along[on]
    assert np.allclose(np.linalg.norm(along, axis=1), 1, atol=1e-3)
    assert np.abs(np.sum(along * cover.normals[on], axis=1)).max() < 0.02
    tilt = np.sum(along * head.normals[on], axis=1)
    assert tilt.min() > -0.02 and tilt[head.normals[on, 2] < -0.5].max() > 0.05, "tips of locks stand off behind"
    assert np.abs(tilt[head.normals[on, 2] > 0.3]).max() < 0.02, "and none in the photo's own view"
    low = on & (head.normals[:, 2] < -0.5) & (head.points[:, 1] < np.quantile(head.points[on, 1], 0.3))
    assert (cover.along[low, 1] < -0.8).all()
    crown = head.points[on][np.argmax(head.points[on, 1])]
    near = on & (np.linalg.norm(head.points - crown, axis=1) < 0.05)
    assert cover.along[near, 0].min() < -0.5 < 0.5 < cover.along[near, 0].max(), "in all directions"
    assert cover.stretch[cover.part == 1].min() > 1.5 and (cover.stretch[cover.part == 0] == 1).all()
    assert 0 < np.abs(cover.relief).max() < hair_texture.MOST_RELIEF + 4 * hair_locks.STANDS_OFF * hair_locks.WILD
    assert not cover.relief[head.normals[:, 2] > 0.3].any()
    back = np.flatnonzero((cover.part == 1) & (head.normals[:, 2] < -0.2))
    i, j = back[cKDTree(head.points[back]).query_pairs(0.0035, output_type="ndarray")].T
    between = head.points[j] - head.points[i]
    course = np.abs(np.sum(between * cover.along[i], axis=1)) / np.maximum(np.linalg.norm(between, axis=1), 1e-6)
    differ = np.abs(cover.colors[i, 0] - cover.colors[j, 0])
    assert differ[course > 0.9].mean() < 0.7 * differ[course < 0.3].mean(), "alike along a strand, unlike across"


def test_the_hairline_is_ragged_and_a_hats_edge_is_not(head: Head, model: HeadModel) -> None:
    """Some strands reach beyond it and some do not."""
    _, average = graph(model)
    smooth = average @ (average @ head.hair.astype(np.float32))
    low, high = hair_texture.HAIRY
    for made, ragged in ((head, True), (Head(model, "clothes"), False)):
        even = np.clip((made.samples.at(model.faces, smooth[:, None])[:, 0] - low) / (high - low), 0, 1)
        along = (even > 0.1) & (even < 0.9)
        away = (made.cover.part - even)[along]
        assert along.sum() > 50 and (away.min() < -0.1 and away.max() > 0.1) == ragged
        assert ragged or np.abs(away).max() < 0.01


def test_unseen_hair_is_fine_but_not_too_many(head: Head, model: HeadModel) -> None:
    fine = (head.spacing > 0) & (head.spacing < 0.0039)
    assert fine.any() and not fine[~head.hair[model.faces].any(axis=1)].any()
    area = triangle_areas(head.surface.vertices, model.faces)
    assert (area[fine] / head.spacing[fine] ** 2).sum() < 1.05 * hair_texture.MOST_GAUSSIANS


def test_a_hat_has_no_strands_and_a_bald_head_no_hair(head: Head, model: HeadModel) -> None:
    hat = Head(model, "clothes").cover
    assert hat.stretch.max() == 1.0 and not hat.relief.any() and hat.colors[hat.part == 1].std(axis=0)[0] > 0.01
    bald = np.zeros(model.vertex_count, np.float32)
    assert hair_texture.ShownHair.of(head.surface, head.portrait, head.colors, bald) is None
    none = hair_texture.cover(None, bald, head.samples, head.points, head.normals, DOWN)
    assert not none.part.any() and not none.relief.any()


def test_strands_are_long_and_thin_and_their_darkest_is_not_cut_off() -> None:
    """Noise combed along a flow is alike 1 cm further along it and not 4 mm beside it."""
    x, y = np.meshgrid(np.arange(0, 0.12, 0.003), np.arange(0, 0.12, 0.003))
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1).astype(np.float32)
    along = np.tile(np.array([0.0, 1.0, 0.0], np.float32), (x.size, 1))
    noise = hair_texture._combed(points, along)[:, 0].reshape(x.shape)
    assert 0.8 < noise.std() < 1.2 and abs(noise.mean()) < 0.1
    assert np.corrcoef(noise[:-3].ravel(), noise[3:].ravel())[0, 1] > 0.5
    assert np.corrcoef(noise[:, :-2].ravel(), noise[:, 2:].ravel())[0, 1] < 0.5
    stripes = np.zeros((64, 64, 3), np.float32)
    stripes[:, ::4] = 0.6  # three times as bright as the mean
    factor = hair_texture._covariance(stripes, np.ones((64, 64), bool), 8.0)
    assert np.linalg.norm(factor.mean(axis=1)) < 0.4 * stripes.mean()


def test_hair_behind_is_shaded_by_the_heads_form_and_not_beside_the_photos(head: Head) -> None:
    on = head.cover.part == 1
    shown = head.hair[head.model.faces[np.maximum(head.surface.fragments.face, 0)]].all(axis=-1) & (
        head.surface.fragments.face >= 0
    )
    shade = hair_texture._shading(head.surface, shown, head.points[on], head.normals[on], DOWN)
    normals = head.normals[on]
    under, sheen = (normals[:, 2] < -0.3) & (normals[:, 1] < -0.3), (normals[:, 2] < -0.3) & (normals[:, 1] > 0.5)
    assert shade[under].mean() < 0.95 < 1.03 < shade[sheen].mean()
    assert np.abs(shade[normals[:, 2] > 0.5] - 1).max() < 0.05
