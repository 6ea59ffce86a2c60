"""Hair that the photo does not show: no ear under it, thick behind, and long hair falls on the back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enrollment.instant.hair_shape import FRONT, MOST_THICK, covered_ears, hair_behind
from enrollment.instant.nonrigid_registration import _without_brim, graph, landmark_offset, outline_offset, posed
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.surface import VisibleSurface
from enrollment.instant.surface_labels import ears, hair_share, hanging_hair
from enrollment.portrait.portrait import Portrait
from models.heads.base import HeadModel
from models.heads.raster import rasterize
from models.tracking.parsing import CLASSES, Parsing
from models.types import Array

HAIR, SKIN = CLASSES.index("hair"), CLASSES.index("face_skin")


@pytest.fixture(scope="module")
def by_landmarks(enrolled: Enrollment, model: HeadModel) -> Array:
    return landmark_offset(model, enrolled.avatar.identity, enrolled.fit.photos[0], enrolled.portraits[0])


@pytest.fixture(scope="module")
def outline(enrolled: Enrollment, model: HeadModel, by_landmarks: Array) -> Array:
    """The head at the photo's outline, with ears: offsets (V, 3) on top of the landmarks'."""
    everywhere = np.ones(model.vertex_count, bool)
    photo, portrait = enrolled.fit.photos[0], enrolled.portraits[0]
    return outline_offset(model, enrolled.avatar.identity, by_landmarks, photo, portrait, everywhere)


def shaved(portrait: Portrait) -> Portrait:
    """The portrait, parsed as skin where there is hair."""
    assert portrait.parsing is not None
    shares = portrait.parsing.shares.copy()
    shares[..., SKIN] += shares[..., HAIR]
    shares[..., HAIR] = 0.0
    return replace(portrait, parsing=Parsing(shares))


def long_haired(portrait: Portrait) -> Portrait:
    """The portrait, parsed as hair beside the face and the neck down to the photo's edge."""
    assert portrait.parsing is not None
    shares = portrait.parsing.shares.copy()
    x = portrait.landmarks.points[:, 0]
    face = np.zeros(shares.shape[:2], bool)
    face[:, int(x.min()) + 25 : int(x.max()) - 25] = True
    curtain = ~face & (portrait.matte > 0.5)
    shares[curtain] = np.eye(len(CLASSES))[HAIR]
    return replace(portrait, parsing=Parsing(shares))


def test_there_is_an_ear_where_there_is_no_hair(enrolled: Enrollment, model: HeadModel, by_landmarks: Array) -> None:
    identity, photo, portrait = enrolled.avatar.identity, enrolled.fit.photos[0], enrolled.portraits[0]
    right, left = ears(model)
    assert right.sum() == left.sum() > 100
    assert (model.template[right, 0] < 0).all() and (model.template[left, 0] > 0).all()
    assert np.array_equal(covered_ears(model, identity, by_landmarks, photo, portrait), right | left)
    for bare in (shaved(portrait), replace(portrait, parsing=None)):
        assert not covered_ears(model, identity, by_landmarks, photo, bare).any()
    _, average = graph(model)

    def folds(rest: Array) -> float:
        return float(np.linalg.norm(rest - average @ rest, axis=1)[right | left].mean())

    assert folds(enrolled.avatar.person(model).rest) < 0.6 * folds(model.template), "the hair has no ear's shape"


def test_hair_is_thick_behind_and_the_photo_stays(
    enrolled: Enrollment, model: HeadModel, by_landmarks: Array, outline: Array
) -> None:
    identity, photo, portrait = enrolled.avatar.identity, enrolled.fit.photos[0], enrolled.portraits[0]
    offset = by_landmarks + outline
    back = (model.template[:, 2] < -0.08) & (model.template[:, 1] > 0.0)
    grown = hair_behind(model, identity, offset, outline, photo, portrait)
    amount = np.linalg.norm(grown, axis=1)
    assert grown.dtype == np.float32 and np.median(amount[back]) > 0.005 and amount.max() < 1.2 * MOST_THICK
    assert amount[model.landmark_corners[:468].ravel()].max() < 1e-6
    before, after = (
        rasterize(posed(model.person(identity, o), photo), model.faces, photo.camera(portrait), cull=False).face >= 0
        for o in (offset, offset + grown)
    )
    assert (before != after).sum() < 0.01 * before.sum()
    bald = hair_behind(model, identity, offset, outline, photo, shaved(portrait))
    assert np.linalg.norm(bald, axis=1).max() < 0.003, "bald in front, bald behind"


def test_long_hair_falls_on_the_back(enrolled: Enrollment, model: HeadModel, by_landmarks: Array, outline: Array) -> None:
    identity, photo, portrait = enrolled.avatar.identity, enrolled.fit.photos[0], enrolled.portraits[0]
    offset = by_landmarks + outline
    surface = VisibleSurface.of(model, posed(model.person(identity, offset), photo), photo.camera(portrait))
    assert hanging_hair(surface, portrait, offset) is None
    curtain = long_haired(portrait)
    hanging = hanging_hair(surface, curtain, offset)
    assert hanging is not None and hanging.low < -0.15
    right, left = hanging.width(np.linspace(hanging.low, 0.0, 9))
    assert (right < 0).all() and (left > 0).all()
    v = model.template
    share = hair_share(surface, curtain, offset)
    nape = (np.abs(v[:, 0]) < 0.03) & (v[:, 2] < FRONT) & (v[:, 1] < -0.06) & (v[:, 1] > hanging.low + 0.02)
    assert share[nape].min() > 0.9
    assert share[(v[:, 1] < hanging.low - 0.01)].max() == 0.0
    moved = hair_behind(model, identity, offset, outline, photo, curtain)
    hollow = nape & (v[:, 1] > -0.12)
    assert np.median(moved[hollow, 2]) < -0.01, "it bridges the hollow of the neck"
    assert not moved[(v[:, 2] > 0) & (v[:, 1] < -0.1)].any(), "nothing in front moves"


def test_a_skull_that_the_outline_drew_in_stays_so(enrolled: Enrollment, model: HeadModel, by_landmarks: Array) -> None:
    identity, photo, portrait = enrolled.avatar.identity, enrolled.fit.photos[0], enrolled.portraits[0]
    drawn_in = np.where(model.template[:, 1:2] > 0.05, -0.1, 0.0).astype(np.float32) * model.template
    grown = hair_behind(model, identity, by_landmarks + drawn_in, drawn_in, photo, shaved(portrait))
    assert np.abs(grown[model.template[:, 1] > 0.05]).max() < 1e-3


def test_a_brim_gives_the_mesh_no_horns(enrolled: Enrollment) -> None:
    portrait = enrolled.portraits[0]
    assert portrait.parsing is not None
    brow, side = int(portrait.landmarks.points[10, 1]), len(portrait.matte)
    brim = np.zeros(portrait.matte.shape, bool)
    brim[brow - 15 : brow, side // 8 : -side // 8] = True
    brim &= portrait.matte < 0.1
    shares = portrait.parsing.shares.copy()
    shares[: brow + 10] = np.eye(len(CLASSES), dtype=np.float32)[CLASSES.index("others")]
    worn = replace(portrait, matte=np.where(brim, 1.0, portrait.matte).astype(np.float32), parsing=Parsing(shares))
    assert brim.any() and _without_brim(worn)[brim].mean() < 0.2
    assert _without_brim(replace(worn, parsing=portrait.parsing))[brim].all(), "without a hat it is the matte"
