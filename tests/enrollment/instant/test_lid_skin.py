"""A shut lid has the colour of the skin around the eye."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enrollment.instant import texture_completion
from enrollment.instant.blink import BLINKS
from enrollment.instant.fit import PhotoFit
from enrollment.instant.lid_skin import LidSkin
from enrollment.instant.lift import OPENINGS, polygon_of
from enrollment.instant.nonrigid_registration import posed
from enrollment.instant.surface import Samples, VisibleSurface
from enrollment.portrait.portrait import Portrait
from models import arkit
from models.heads.base import HeadModel
from models.types import Array
from tests.enrollment.heads import FOCAL, known, portrait_of


def photo_of(model: HeadModel) -> tuple[PhotoFit, Portrait, Array]:
    """Somebody from the front, in light that falls off to one side, with dark eyes and shadow around them."""
    truth = known(model, identity=np.zeros(model.identity_count))
    portrait = portrait_of(model, truth)
    side = portrait.image.shape[0]
    colors = np.ones((side, side, 3), np.float32) * np.linspace(0.5, 0.9, side, dtype=np.float32)[None, :, None]
    points = portrait.landmarks.points[:, :2]
    for marks, _ in OPENINGS[1:]:
        middle = points[list(marks)].mean(axis=0)
        grown = points.copy()
        grown[list(marks)] = middle + 1.3 * (points[list(marks)] - middle)
        colors[polygon_of(marks, grown, (side, side))] = 0.1
    still = np.zeros(arkit.COUNT, np.float32)
    return PhotoFit(truth.rotation, truth.translation, FOCAL, still, np.zeros((2, 2), np.float32), 0.0), portrait, colors


def painted(model: HeadModel, photo: PhotoFit, portrait: Portrait, colors: Array, trust: float = 1.0) -> tuple[Array, Array]:
    """Colours (N, 3) of the middles of the lids' faces, which were blue, and their columns in the picture."""
    person = model.person(np.zeros(model.identity_count))
    surface = VisibleSurface.of(model, posed(person, photo), photo.camera(portrait))
    lids = texture_completion.eyelid_vertices(model)[model.faces].all(axis=1) & model.region_faces("skin")
    face = np.flatnonzero(lids).astype(np.int32)
    samples = Samples(face, np.full((len(face), 3), 1 / 3, np.float32), np.full(len(face), 1e-3, np.float32))
    out = np.tile(np.array([0, 0, 1], np.float32), (len(face), 1))
    LidSkin.of(person, photo, surface, portrait, colors).paint(samples, out, np.full(len(face), trust, np.float32))
    return out, surface.camera.project(samples.at(model.faces, surface.vertices))[:, 0].astype(np.float32)


def test_lids_have_the_light_of_the_skin_beside_them(model: HeadModel) -> None:
    photo, portrait, colors = photo_of(model)
    out, column = painted(model, photo, portrait, colors)
    expected = np.interp(column, np.arange(len(colors)), colors[0, :, 0])
    np.testing.assert_allclose(out.mean(axis=1) / expected, 1.0, atol=0.2)
    assert np.ptp(out, axis=1).max() < 0.01, "no colour of its own"
    left = column > column.mean()
    assert out[left].mean() > out[~left].mean() + 0.02


@pytest.mark.parametrize("case", ["shut", "no trust", "no skin"])
def test_lids_stay_as_they_came(model: HeadModel, case: str) -> None:
    photo, portrait, colors = photo_of(model)
    if case == "shut":
        shut = photo.coefficients.copy()
        shut[BLINKS] = 0.8
        photo = replace(photo, coefficients=shut)
    if case == "no skin":
        portrait = replace(portrait, matte=np.zeros_like(portrait.matte))
    out, _ = painted(model, photo, portrait, colors, 0.0 if case == "no trust" else 1.0)
    assert (out == np.array([0, 0, 1])).all()
