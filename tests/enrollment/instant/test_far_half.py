"""The hidden half of a turned face looks like the half that the photo shows; a face from the front is its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enrollment.instant.assemble import _face_area
from enrollment.instant.far_half import SPACING, FarHalf
from enrollment.instant.nonrigid_registration import posed
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.surface import VisibleSurface, sample
from enrollment.instant.texture_completion import twins, vertex_colors
from enrollment.portrait.portrait import Portrait
from models.heads.base import HeadModel
from models.types import Array


def photographed(enrolled: Enrollment, model: HeadModel, yaw: float) -> tuple[VisibleSurface, Portrait]:
    """The astronaut's head, turned by `yaw` degrees, in a photo that shows rings around her mouth."""
    person, photo, portrait = enrolled.avatar.person(model), enrolled.fit.photos[0], enrolled.portraits[0]
    c, s = np.cos(np.deg2rad(yaw)), np.sin(np.deg2rad(yaw))
    turned = replace(photo, rotation=np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]), coefficients=0 * photo.coefficients)
    surface = VisibleSurface.of(model, posed(person, turned), turned.camera(portrait))
    on = surface.fragments.face >= 0
    image = np.where(on[..., None], surface.fragments.interpolate(model.faces, rings(model)), 1.0)
    matte = on.astype(np.float32)
    return surface, replace(
        portrait, image=np.round(255 * image).astype(np.uint8), matte=matte, inside=np.ones_like(on), parsing=None
    )


def rings(model: HeadModel) -> Array:
    """(V, 3) colours."""
    mouth = model.template[model.landmark_corners[13, 0]] * (0, 1, 1)
    light = 0.5 + 0.25 * np.sin(np.linalg.norm(model.template - mouth, axis=1) / 0.004)
    return np.repeat(light[:, None], 3, axis=1).astype(np.float32)


@pytest.mark.parametrize("yaw", [50, -50])
def test_the_hidden_half_is_the_shown_one_mirrored(enrolled: Enrollment, model: HeadModel, yaw: float) -> None:
    surface, portrait = photographed(enrolled, model, yaw)
    face = _face_area(model, enrolled.avatar.person(model))
    far = FarHalf.of(surface, portrait, np.zeros(model.vertex_count, np.float32), face)
    hidden = np.sign(yaw) * model.template[:, 0] > -0.01
    assert far.fine().sum() > 300 and far.weight[~hidden].mean() < 0.05
    samples = sample(enrolled.avatar.person(model), np.where(far.fine(), SPACING, 0.0))
    out = np.full((len(samples.face), 3), 0.5, np.float32)
    truth = samples.at(model.faces, rings(model))
    before = np.abs(out - truth).mean()
    far.paint(portrait, samples, out, portrait.colors, vertex_colors(surface, portrait, portrait.colors))
    assert np.abs(out - truth).mean() < 0.5 * before


def test_a_face_from_the_front_is_its_own(enrolled: Enrollment, model: HeadModel) -> None:
    surface, portrait = photographed(enrolled, model, 0.0)
    face = _face_area(model, enrolled.avatar.person(model))
    far = FarHalf.of(surface, portrait, np.zeros(model.vertex_count, np.float32), face)
    assert far.fine()[face].mean() < 0.01
    hair = FarHalf.of(*photographed(enrolled, model, 50.0), np.ones(model.vertex_count, np.float32), face)
    assert hair.weight.max() == 0.0, "hair falls to one side"


def test_vertices_have_twins(model: HeadModel) -> None:
    twin, alike = twins(model)
    assert alike.mean() > 0.95
    np.testing.assert_allclose(model.template[twin][alike] * (-1, 1, 1), model.template[alike], atol=0.0041)
