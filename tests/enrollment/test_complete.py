"""Rules for what no photo shows: here, the mouth's."""

from __future__ import annotations

import numpy as np
import pytest

from enrollment import complete

SKIN = np.array([0.7, 0.52, 0.44], np.float32)


@pytest.mark.parametrize("row", ["upper_teeth", "lower_teeth"])
def test_teeth_have_gaps_where_teeth_have_them(row: str) -> None:
    x = np.linspace(-0.02, 0.02, 2001)
    arch = np.stack([x, np.zeros_like(x), -0.027 * (x / 0.024) ** 2], axis=1).astype(np.float32)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(arch, axis=0), axis=1))])
    along = np.abs(along - along[1000])
    widths = np.array(complete.TOOTH_WIDTHS[row])
    gap = complete.between_teeth(arch, widths)
    np.testing.assert_allclose(gap, gap[::-1], atol=1e-3)
    for place in (0.0, widths[0], widths[:2].sum()):
        assert gap[np.abs(along - place).argmin()] > 0.9
    for middle in (widths[0] / 2, widths[0] + widths[1] / 2):
        assert gap[np.abs(along - middle).argmin()] < 0.1
    assert len(complete.between_teeth(arch[:0], widths)) == 0


def test_the_teeth_of_a_smile_tell_how_white_they_are() -> None:
    rng = np.random.default_rng(0)
    tooth, dark, lip = np.array([0.86, 0.8, 0.7]), np.array([0.2, 0.1, 0.1]), np.array([0.68, 0.4, 0.38])
    shown = np.concatenate([np.tile(c, (n, 1)) for c, n in ((tooth, 400), (dark, 900), (lip, 300))])
    tone = complete.teeth_tone(np.clip(shown + rng.normal(0, 0.02, shown.shape), 0, 1).astype(np.float32), SKIN)
    assert tone is not None
    np.testing.assert_allclose(tone, tooth, atol=0.03)
    for few in (shown[400:], shown[:50], shown[:0]):
        assert complete.teeth_tone(few.astype(np.float32), SKIN) is None
    grey = np.full((500, 3), 0.9, np.float32)
    assert complete.teeth_tone(grey, np.full(3, 0.6, np.float32)) is not None, "a photo in black and white"
