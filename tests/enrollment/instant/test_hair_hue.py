"""Hair that no photo shows varies in lightness, and hardly in hue."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from enrollment.instant import hair_hue
from enrollment.instant.assemble import _source_photo
from enrollment.instant.hair_hue import in_one_hue
from enrollment.instant.hair_texture import ShownHair
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.surface_labels import hair_share
from models.heads.base import HeadModel
from models.types import Array


def hue_beside_light(values: Array) -> float:
    """Standard deviation of the hue (N, 3) that does not go with the lightness, relative to the lightness's."""
    light = values.mean(axis=1)
    hue = values - light[:, None]
    left = hue - light[:, None] * (light @ hue) / (light @ light)
    return float(np.sqrt(left.var(axis=0).sum()) / light.std())


def test_coloured_noise_in_short_hair_does_not_go_around_the_head(enrolled: Enrollment, model: HeadModel) -> None:
    portrait = enrolled.portraits[0]
    photo = _source_photo(enrolled.avatar.person(model), enrolled.fit, enrolled.avatar.offset, 0, portrait)
    share = hair_share(photo.surface, portrait, enrolled.avatar.offset)
    noise = ndimage.gaussian_filter(np.random.default_rng(20).normal(size=(*portrait.matte.shape, 1)), (3, 3, 0))
    colored = np.clip(photo.colors + 0.05 * noise / noise.std() * (1, -0.2, -0.8), 0, 1).astype(np.float32)
    for colors in (photo.colors, colored):
        hair = ShownHair.of(photo.surface, portrait, colors, share)
        assert hair is not None and hair.strands is not None and hair.strands.covariance is not None
        lots = np.random.default_rng(7).normal(size=(4000, 3)).astype(np.float32)
        assert hue_beside_light(lots @ hair.strands.covariance) < 2 * hair_hue.MOST_HUE
        assert hue_beside_light(hair.strands.detail[hair.shown]) < 2 * hair_hue.MOST_HUE


def test_lightness_stays_and_a_hue_that_goes_with_it() -> None:
    lots = np.random.default_rng(3).normal(size=(64, 64, 3)).astype(np.float32)
    brown = 0.1 * lots[..., :1] * np.array([1.3, 1.0, 0.7], np.float32)
    everywhere = np.ones((64, 64), bool)
    assert np.allclose(in_one_hue(brown, everywhere, 1.0), brown, atol=1e-6)
    found = in_one_hue(brown + 0.1 * lots * (1, 0, -1), everywhere, 1.0)
    assert np.allclose(found.mean(axis=2), (brown + 0.1 * lots * (1, 0, -1)).mean(axis=2), atol=1e-6)
    assert hue_beside_light(found.reshape(-1, 3)) < 2 * hair_hue.MOST_HUE
    assert np.array_equal(in_one_hue(0 * brown, everywhere, 1.0), 0 * brown)
    scarf = brown + 0.1 * lots * (1, 0, -1)
    assert np.allclose(in_one_hue(scarf, everywhere, 0.0), scarf, atol=1e-6), "cloth keeps its hues"
