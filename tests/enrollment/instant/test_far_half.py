"""The hidden half of a turned face looks like the half that the photo shows; a face from the front is its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enrollment.instant.assemble import _face_area
from enrollment.instant.far_half import SPACING, FarHalf, _features
from enrollment.instant.surface import VisibleSurface, sample
from enrollment.instant.texture_completion import eyelid_vertices, twins
from enrollment.portrait.portrait import Portrait
from models.heads.base import HeadModel, PersonHead, rotation_vector
from models.types import Array, Camera
from tests.enrollment.heads import known, portrait_of

SIDE = 256


@pytest.fixture(scope="module")
def person(model: HeadModel) -> PersonHead:
    return model.person(np.zeros(model.identity_count))


@pytest.fixture(scope="module")
def portrait(model: HeadModel) -> Portrait:
    return portrait_of(model, known(model))


def photographed(person: PersonHead, portrait: Portrait, yaw: float) -> tuple[VisibleSurface, Portrait]:
    """The average head, turned by `yaw` degrees, in a small photo that shows rings around its mouth."""
    model = person.model
    turn = rotation_vector(np.array([0.0, np.deg2rad(yaw), 0.0]))
    camera = Camera(SIDE, SIDE, 2.5 * SIDE, 2.5 * SIDE, SIDE / 2, SIDE / 2, np.diag([1.0, -1.0, -1.0, 1.0]))
    surface = VisibleSurface.of(model, (person.rest @ turn.T + (0, 0, -0.8)).astype(np.float32), camera)
    on = surface.fragments.face >= 0
    image = np.where(on[..., None], surface.fragments.interpolate(model.faces, rings(model)), 1.0)
    small, everywhere = np.round(255 * image).astype(np.uint8), np.ones_like(on)
    return surface, replace(portrait, image=small, matte=on.astype(np.float32), inside=everywhere, parsing=None)


def rings(model: HeadModel) -> Array:
    """(V, 3) colours."""
    mouth = model.template[model.landmark_corners[13, 0]] * (0, 1, 1)
    light = 0.5 + 0.25 * np.sin(np.linalg.norm(model.template - mouth, axis=1) / 0.004)
    return np.repeat(light[:, None], 3, axis=1).astype(np.float32)


@pytest.mark.parametrize("yaw", [50, -50])
def test_the_hidden_half_is_the_shown_one_mirrored(person: PersonHead, portrait: Portrait, yaw: float) -> None:
    model = person.model
    surface, portrait = photographed(person, portrait, yaw)
    face = _face_area(model, person)
    far = FarHalf.of(surface, portrait, np.zeros(model.vertex_count, np.float32), face)
    hidden = np.sign(yaw) * model.template[:, 0] > -0.01
    assert far.fine().sum() > 300 and far.weight[~hidden].mean() < 0.05
    bare = ~eyelid_vertices(model)[model.faces].any(axis=1)
    samples = sample(person, np.where(far.fine() & bare & model.region_faces("skin"), SPACING, 0.0))
    out = np.full((len(samples.face), 3), 0.5, np.float32)
    truth = samples.at(model.faces, rings(model))
    before = np.abs(out - truth).mean()
    far.paint(portrait, samples, out, portrait.colors)
    assert np.abs(out - truth).mean() < 0.5 * before


def test_a_face_from_the_front_is_its_own(person: PersonHead, portrait: Portrait) -> None:
    model, face = person.model, _face_area(person.model, person)
    far = FarHalf.of(*photographed(person, portrait, 0.0), np.zeros(model.vertex_count, np.float32), face)
    assert far.fine()[face].mean() < 0.01
    hair = FarHalf.of(*photographed(person, portrait, 50.0), np.ones(model.vertex_count, np.float32), face)
    assert hair.weight.max() == 0.0, "hair falls to one side"


@pytest.mark.parametrize("yaw", [20, 42])
def test_a_feature_is_mirrored_as_a_whole_or_not_at_all(person: PersonHead, portrait: Portrait, yaw: float) -> None:
    model = person.model
    surface, portrait = photographed(person, portrait, yaw)
    far = FarHalf.of(surface, portrait, np.zeros(model.vertex_count, np.float32), _face_area(model, person))
    skin = np.zeros(model.vertex_count, bool)
    skin[model.region_vertices("skin")] = True
    for right, left in _features(model):
        assert not far.weight[right & skin].any(), "the nearer side is its own"
        assert np.ptp(far.weight[left & skin]) == 0
    assert far.eyes() == (("left_eye",) if yaw == 42 else ())


def test_the_far_half_is_mirrored_in_its_own_light(person: PersonHead, portrait: Portrait) -> None:
    model = person.model
    surface, portrait = photographed(person, portrait, 40.0)
    dim = np.where(surface.fragments.interpolate(model.faces, model.template)[..., :1] > 0, 0.8, 1.0)
    portrait = replace(portrait, image=np.round(portrait.image * dim).astype(np.uint8))
    far = FarHalf.of(surface, portrait, np.zeros(model.vertex_count, np.float32), _face_area(model, person))
    cheek = model.landmark_corners[280, 0]
    assert 0.75 < far.gains[cheek].mean() < 0.9
    bright = np.ones((model.vertex_count, 3), np.float32)
    assert far.colors(bright)[far.weight > 0.9].mean() < 0.95 and np.all(far.colors(bright)[far.weight == 0] == 1)


def test_what_another_photo_shows_is_not_copied(person: PersonHead, portrait: Portrait) -> None:
    model, none = person.model, np.zeros(person.model.vertex_count, np.float32)
    surface, portrait = photographed(person, portrait, 50.0)
    other, _ = photographed(person, portrait, -50.0)
    alone = FarHalf.of(surface, portrait, none, _face_area(model, person))
    both = FarHalf.of(surface, portrait, none, _face_area(model, person), [other])
    assert both.copied().sum() < 0.3 * alone.copied().sum() and (both.wholly() == alone.wholly()).all()


def test_vertices_have_twins(model: HeadModel) -> None:
    twin, alike = twins(model)
    assert alike.mean() > 0.95
    np.testing.assert_allclose(model.template[twin][alike] * (-1, 1, 1), model.template[alike], atol=0.0041)
