"""The inside of a mouth that a photo does not show."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from enrollment.instant import mouth
from enrollment.instant.lift import MOUTH, opening, polygon_of
from enrollment.instant.surface import Samples, sample
from models.heads.base import REGION, REGIONS, HeadModel
from models.types import Array
from tests.enrollment.heads import known, portrait_of

SKIN = np.array([0.7, 0.52, 0.44], np.float32)
RED = np.array([0.75, 0.25, 0.3], np.float32)


def inside(model: HeadModel, *names: str, spacing: float = 0.002) -> Samples:
    of = np.array([spacing if r in names else 0.0 for r in REGIONS], np.float32)
    return sample(model.person(np.zeros(model.identity_count)), of[model.region])


def colored(model: HeadModel, samples: Samples, skin_color: Array, light: float = 0.6, saturation: float = 1.0) -> Array:
    person = model.person(np.zeros(model.identity_count))
    return mouth.mouth_colors(person, samples, skin_color, np.full(3, light, np.float32), saturation)


def test_lips_go_on_inwards_and_the_cavity_is_dark(model: HeadModel) -> None:
    samples = inside(model, "mouth_inside")
    rest = samples.at(model.faces, model.template)
    edge = model.template[np.intersect1d(model.region_vertices("skin"), model.region_vertices("mouth_inside"))]
    away = np.linalg.norm(rest[:, None] - edge[None], axis=2).min(axis=1)
    out = colored(model, samples, np.tile(RED, (model.vertex_count, 1)))
    np.testing.assert_allclose(out[away < 0.001].mean(axis=0), mouth.WET * RED, atol=0.04)
    assert out[rest[:, 2] < edge[:, 2].min() - 0.03].max() < 0.12
    assert (np.diff([out[(away > a) & (away < a + 0.002)].mean() for a in (0.0, 0.003, 0.006, 0.009)]) < 0).all()


def test_there_are_enough_gaussians_where_the_lips_part(model: HeadModel) -> None:
    near = mouth.inner_lips(model)
    assert 20 < near.sum() < 0.7 * model.region_faces("mouth_inside").sum()
    assert (model.region[near] == REGION["mouth_inside"]).all()


def test_lower_teeth_end_in_gum_and_lie_in_the_shade(model: HeadModel) -> None:
    samples = inside(model, "lower_teeth", spacing=0.001)
    y = samples.at(model.faces, model.template)[:, 1]
    out = colored(model, samples, np.tile(SKIN, (model.vertex_count, 1)))
    redness = out[:, 0] / out[:, 1]
    assert redness[y > y.max() - 0.006].mean() < 1.3 < 1.5 < redness[y < y.max() - 0.0095].mean()
    upper = colored(model, inside(model, "upper_teeth", spacing=0.001), np.tile(SKIN, (model.vertex_count, 1)))
    assert out[:, 1].max() < 0.85 * upper[:, 1].max()


@pytest.mark.parametrize("row", ["upper_teeth", "lower_teeth"])
def test_light_falls_off_into_the_mouth_and_gets_warmer(model: HeadModel, row: str) -> None:
    samples = inside(model, row, spacing=0.001)
    out = colored(model, samples, np.tile(SKIN, (model.vertex_count, 1)))
    rest = samples.at(model.faces, model.template)
    crown = rest[:, 1] > rest[:, 1].max() - 0.005
    back = rest[:, 2].max() - rest[:, 2]
    front, side = out[crown & (back < 0.004)].mean(axis=0), out[crown & (back > 0.014)].mean(axis=0)
    assert side.mean() < 0.7 * front.mean() and side[0] / side[2] > 1.05 * front[0] / front[2]


def test_the_mouth_of_a_black_and_white_photo_is_grey(model: HeadModel) -> None:
    names = mouth.INNER
    grey = np.tile(np.full(3, 0.5, np.float32), (model.vertex_count, 1))
    assert np.ptp(colored(model, inside(model, *names), grey, saturation=0.0), axis=1).max() < 0.01


def test_teeth_are_as_bright_as_the_lit_side_of_the_face(model: HeadModel) -> None:
    """Half of the face lies in the shade, as in a portrait by a window."""
    trust = np.ones(model.vertex_count, np.float32)
    color = np.where(model.template[:, :1] > 0, 0.7, 0.2) * np.ones((1, 3), np.float32)
    assert mouth.light_on_face(model, color, trust, 0.5) == pytest.approx(0.7, abs=0.01)
    assert mouth.light_on_face(model, color, 0 * trust, 0.5) == 0.5


def test_the_line_between_shut_lips_is_no_opening(model: HeadModel) -> None:
    identity = np.zeros(model.identity_count)
    shut, ajar = (portrait_of(model, known(model, identity=identity, jawOpen=value)) for value in (0.0, 0.25))
    lips = shut.landmarks.points[list(MOUTH)]
    lips[:, 1] = lips[:, 1].mean() + 0.4 * (lips[:, 1] - lips[:, 1].mean())
    shut.landmarks.points[list(MOUTH)] = lips
    line = polygon_of(MOUTH, shut.landmarks.points[:, :2], shut.matte.shape)
    assert line.any() and not opening(MOUTH, shut).any()
    whole = polygon_of(MOUTH, ajar.landmarks.points[:, :2], ajar.matte.shape)
    assert opening(MOUTH, ajar).sum() > 0.9 * whole.sum()


@pytest.mark.parametrize("row", ["upper_teeth", "lower_teeth"])
def test_teeth_have_gaps_where_teeth_have_them(row: str) -> None:
    x = np.linspace(-0.02, 0.02, 2001)
    arch = np.stack([x, np.zeros_like(x), -0.027 * (x / 0.024) ** 2], axis=1).astype(np.float32)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(arch, axis=0), axis=1))])
    along = np.abs(along - along[1000])
    widths = np.array(mouth.TOOTH_WIDTHS[row])
    gap = mouth.between_teeth(arch, widths)
    np.testing.assert_allclose(gap, gap[::-1], atol=1e-3)
    for place in (0.0, widths[0], widths[:2].sum()):
        assert gap[np.abs(along - place).argmin()] > 0.9
    for middle in (widths[0] / 2, widths[0] + widths[1] / 2):
        assert gap[np.abs(along - middle).argmin()] < 0.1
    assert len(mouth.between_teeth(arch[:0], widths)) == 0


def test_the_teeth_of_a_smile_tell_how_white_they_are() -> None:
    rng = np.random.default_rng(0)
    tooth, dark, lip = np.array([0.86, 0.8, 0.7]), np.array([0.2, 0.1, 0.1]), np.array([0.68, 0.4, 0.38])
    shown = np.concatenate([np.tile(c, (n, 1)) for c, n in ((tooth, 400), (dark, 900), (lip, 300))])
    tone = mouth.teeth_tone(np.clip(shown + rng.normal(0, 0.02, shown.shape), 0, 1).astype(np.float32), SKIN)
    assert tone is not None
    np.testing.assert_allclose(tone, tooth, atol=0.03)
    for few in (shown[400:], shown[:50], shown[:0]):
        assert mouth.teeth_tone(few.astype(np.float32), SKIN) is None
    grey = np.full((500, 3), 0.9, np.float32)
    assert mouth.teeth_tone(grey, np.full(3, 0.6, np.float32)) is not None, "a photo in black and white"


def test_teeth_under_a_bright_light_are_white_and_no_whiter(model: HeadModel) -> None:
    """A pale mask, an overexposed photo, a painting: skin brighter than skin makes teeth brighter than white."""
    person = model.person(np.zeros(model.identity_count))
    spacing = np.array([0.002 if r in ("upper_teeth", "tongue") else 0.0 for r in REGIONS], np.float32)[model.region]
    samples = sample(person, spacing)
    for skin in (np.full(3, 0.99), np.array([1.0, 0.9, 0.7]), np.full(3, 0.02)):
        lips = np.tile(skin.astype(np.float32), (model.vertex_count, 1))
        out = mouth.mouth_colors(person, samples, lips, skin.astype(np.float32), 1.0)
        assert np.isfinite(out).all() and out.min() >= 0 and out.max() <= 1
        if skin[0] > 0.9:
            assert out.max() > 0.9


def test_teeth_share_the_photos_cast_but_not_the_skins_colour() -> None:
    for skin in (SKIN, np.array([0.42, 0.28, 0.2]), np.array([0.9, 0.76, 0.66])):
        np.testing.assert_allclose(mouth.cast(skin, 1.0), 1.0, atol=0.02)
    yellow = mouth.cast(np.array([0.75, 0.6, 0.25]), 1.0)
    assert yellow[2] < 0.9 and yellow[:2].min() >= 1.0
    np.testing.assert_array_equal(mouth.cast(np.full(3, 0.5), 0.0), 1.0)  # nor is a black-and-white mouth blue


def test_nothing_in_the_mouth_reaches_through_the_face(model: HeadModel) -> None:
    person = model.person(np.zeros(model.identity_count))
    samples = inside(model, "mouth_inside", "tongue", "upper_teeth")
    room = mouth.room(person, samples)
    of = model.region[samples.face]
    assert np.isinf(room[of == REGION["upper_teeth"]]).all()
    bound = np.isfinite(room)
    skin = np.setdiff1d(model.region_vertices("skin"), model.region_vertices("mouth_inside"))
    away = cKDTree(model.template[skin]).query(samples.select(bound).at(model.faces, model.template))[0]
    assert (2 * room[bound] <= np.maximum(away, 1.3e-3)).all()
    assert bound[of == REGION["tongue"]].all() and np.median(room[bound]) > 2e-3, "but most of it is not needles"


def test_the_dark_line_is_not_on_the_lips_that_part(model: HeadModel) -> None:
    samples = inside(model, "skin")
    points = samples.at(model.faces, model.template)
    edge = model.template[np.intersect1d(model.region_vertices("skin"), model.region_vertices("mouth_inside"))]
    away = cKDTree(edge).query(points)[0]
    line, lips = away < mouth.LIPS[0], (away > mouth.LIPS[0]) & (away < mouth.LIPS[1])
    colors = np.tile(SKIN, (len(points), 1))
    colors[lips], colors[line] = RED, 0.1
    found = mouth.without_lip_line(model, samples, colors)
    np.testing.assert_allclose(found[line], np.tile(RED, (int(line.sum()), 1)), atol=1e-5)
    np.testing.assert_array_equal(found[~line], colors[~line])
