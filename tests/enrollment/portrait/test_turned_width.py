"""A face that is turned in its photo is not fitted too wide."""

from __future__ import annotations

from enrollment.portrait.turned_width import FIRST, too_wide
from models.heads.base import HeadModel


def test_a_turned_face_is_hardly_wider_than_it_is(model: HeadModel) -> None:
    wide = too_wide(model, FIRST + 1, -45.0)
    assert wide is not None
    raw, unbiased = wide
    assert raw > 0.08 and abs(unbiased) < 0.6 * raw
