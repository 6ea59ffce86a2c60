"""Rules for what no photo shows: here, the mouth's and the hair's."""

from __future__ import annotations

import numpy as np
import pytest

from enrollment.instant import texture_completion
from enrollment.instant.surface import VisibleSurface, sample
from models.heads.base import REGIONS, HeadModel
from models.types import Camera
from tests.enrollment.heads import FOCAL, known, portrait_of

SKIN = np.array([0.7, 0.52, 0.44], np.float32)


@pytest.mark.parametrize("row", ["upper_teeth", "lower_teeth"])
def test_teeth_have_gaps_where_teeth_have_them(row: str) -> None:
    x = np.linspace(-0.02, 0.02, 2001)
    arch = np.stack([x, np.zeros_like(x), -0.027 * (x / 0.024) ** 2], axis=1).astype(np.float32)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(arch, axis=0), axis=1))])
    along = np.abs(along - along[1000])
    widths = np.array(texture_completion.TOOTH_WIDTHS[row])
    gap = texture_completion.between_teeth(arch, widths)
    np.testing.assert_allclose(gap, gap[::-1], atol=1e-3)
    for place in (0.0, widths[0], widths[:2].sum()):
        assert gap[np.abs(along - place).argmin()] > 0.9
    for middle in (widths[0] / 2, widths[0] + widths[1] / 2):
        assert gap[np.abs(along - middle).argmin()] < 0.1
    assert len(texture_completion.between_teeth(arch[:0], widths)) == 0


def test_the_teeth_of_a_smile_tell_how_white_they_are() -> None:
    rng = np.random.default_rng(0)
    tooth, dark, lip = np.array([0.86, 0.8, 0.7]), np.array([0.2, 0.1, 0.1]), np.array([0.68, 0.4, 0.38])
    shown = np.concatenate([np.tile(c, (n, 1)) for c, n in ((tooth, 400), (dark, 900), (lip, 300))])
    tone = texture_completion.teeth_tone(np.clip(shown + rng.normal(0, 0.02, shown.shape), 0, 1).astype(np.float32), SKIN)
    assert tone is not None
    np.testing.assert_allclose(tone, tooth, atol=0.03)
    for few in (shown[400:], shown[:50], shown[:0]):
        assert texture_completion.teeth_tone(few.astype(np.float32), SKIN) is None
    grey = np.full((500, 3), 0.9, np.float32)
    assert texture_completion.teeth_tone(grey, np.full(3, 0.6, np.float32)) is not None, "a photo in black and white"


def test_teeth_under_a_bright_light_are_white_and_no_whiter(model: HeadModel) -> None:
    """A pale mask, an overexposed photo, a painting: skin brighter than skin makes teeth brighter than white."""
    person = model.person(np.zeros(model.identity_count))
    spacing = np.array([0.002 if r in ("upper_teeth", "tongue") else 0.0 for r in REGIONS], np.float32)[model.region]
    samples = sample(person, spacing)
    for skin in (np.full(3, 0.99), np.array([1.0, 0.9, 0.7]), np.full(3, 0.02)):
        out = texture_completion.mouth_colors(model, person, samples, skin.astype(np.float32))
        assert np.isfinite(out).all() and out.min() >= 0 and out.max() <= 1
        if skin[0] > 0.9:
            assert out.max() > 0.9


def test_hair_is_carried_behind_the_head_without_ears_and_without_a_seam(model: HeadModel) -> None:
    """One half of the hair is black, the other brown, and skin shows through it beside the ears."""
    black, brown = np.array([0.05, 0.05, 0.05], np.float32), np.array([0.30, 0.18, 0.08], np.float32)
    truth = known(model, identity=np.zeros(model.identity_count))
    portrait = portrait_of(model, truth)
    person = model.person(truth.identity)
    vertices = (person.rest @ truth.rotation.T + truth.translation).astype(np.float32)
    side = portrait.image.shape[0]
    camera = Camera(side, side, FOCAL, FOCAL, side / 2, side / 2, np.diag([1.0, -1.0, -1.0, 1.0]))
    view = VisibleSurface.of(model, vertices, camera)
    hair = texture_completion.scalp(model)
    xy = camera.project(vertices)
    x, y = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
    middle = xy[hair].mean(axis=0)
    colors = np.where((x < middle[0])[..., None], black, brown).astype(np.float32)
    corner = model.faces[np.maximum(view.fragments.face, 0)]
    colors[(hair[corner].sum(axis=-1) < 2) | (view.fragments.face < 0)] = SKIN
    low = xy[hair][:, 1].max()
    colors[(y > middle[1] + 0.3 * (low - middle[1])) & (((x // 6) % 2) == 0)] = SKIN  # strands beside the ears
    shown = np.abs(colors - SKIN).max(axis=2) > 1e-3
    wrap = texture_completion.HairWrap(view, shown, colors, hair, 0.5 * (black + brown))
    assert wrap.known
    behind = hair & (model.template[:, 2] < -0.04)
    found = wrap.at(vertices[behind])
    assert np.linalg.norm(found - SKIN, axis=1).min() > 0.35
    at = xy[behind]
    left, right = at[:, 0] < middle[0] - 40, at[:, 0] > middle[0] + 40
    assert found[left, 0].mean() < found[right, 0].mean() - 0.03, "each side keeps its own"
    lower = np.flatnonzero(at[:, 1] > middle[1])
    near = np.linalg.norm(at[lower, None] - at[None, lower], axis=2) < 12
    step = np.abs(found[lower, None] - found[None, lower]).max(axis=2)
    assert step[near].max() < 0.05
