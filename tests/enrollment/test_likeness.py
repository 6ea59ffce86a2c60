"""An avatar that is the photo's is called like it; one that is blurred, recoloured or shifted is less so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enrollment import EnrollmentResult
from enrollment.instant.pipeline import Enrollment
from enrollment.likeness import Likeness, as_photographed, fine_detail, likeness, outline_error
from models.types import Array


def like(enrolled: Enrollment, **changed: Array) -> Likeness:
    """Of the avatar with other Gaussians."""
    avatar = replace(enrolled.avatar, gaussians=replace(enrolled.avatar.gaussians, **changed))
    return likeness(EnrollmentResult(avatar, "instant", enrolled, None, None, ()))


@pytest.fixture(scope="module")
def good(enrolled: Enrollment) -> Likeness:
    return like(enrolled)


def test_an_avatar_is_like_its_photo(good: Likeness) -> None:
    assert good.outline < 0.7 and good.colors < 0.05 and 0.6 < good.detail < 1.2


def test_a_blurred_avatar_has_less_detail_and_another_outline(good: Likeness, enrolled: Enrollment) -> None:
    blurred = like(enrolled, scales=2 * enrolled.avatar.gaussians.scales)
    assert blurred.detail < 0.7 * good.detail and blurred.outline > 2 * good.outline


def test_a_recoloured_avatar_has_other_colours(good: Likeness, enrolled: Enrollment) -> None:
    pale = like(enrolled, colors=(0.6 * enrolled.avatar.gaussians.colors + 0.4).astype(np.float32))
    assert pale.colors > 3 * good.colors and pale.outline == pytest.approx(good.outline, abs=0.01)


def test_equal_outlines_have_no_error_and_shifted_ones_have_their_shift(enrolled: Enrollment) -> None:
    portrait = replace(enrolled.portraits[0], inside=np.ones_like(enrolled.portraits[0].inside))
    y, x = np.mgrid[:768, :768]
    disc = (np.hypot(x - 384, y - 384) < 200).astype(np.float32)
    portrait = replace(portrait, matte=disc)
    assert outline_error(portrait, disc) == 0
    assert 1.0 < outline_error(portrait, np.roll(disc, 6, axis=0)) < 4.5


def test_an_even_picture_has_no_detail(enrolled: Enrollment) -> None:
    portrait = enrolled.portraits[0]
    assert fine_detail(portrait, np.full_like(portrait.image, 90)) == 0 < fine_detail(portrait, portrait.image)


def test_it_is_drawn_where_the_photo_shows_it(enrolled: Enrollment) -> None:
    drawn = as_photographed(EnrollmentResult(enrolled.avatar, "instant", enrolled, None, None, ()))
    portrait = enrolled.portraits[0]
    assert drawn.alpha.shape == portrait.matte.shape
    known = portrait.inside & (portrait.matte > 0.99)
    assert np.median(np.abs(drawn.color - portrait.image / 255)[known]) < 0.03
