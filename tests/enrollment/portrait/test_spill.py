"""What the background adds to the rim of hair is taken off; the strands' own contrast stays."""

from __future__ import annotations

import numpy as np

from enrollment.portrait.spill import without_spill

SIDE, TOP = 256, 80
HAIR, BLUE = np.array([0.35, 0.25, 0.15], np.float32), np.array([0.1, 0.3, 0.9], np.float32)


def test_blue_in_the_rim_of_brown_hair_is_taken_off_and_strands_stay() -> None:
    hair = np.zeros((SIDE, SIDE), bool)
    hair[TOP:] = True
    matte = hair.astype(np.float32)
    stripes = np.random.default_rng(0).normal(size=SIDE).astype(np.float32)[None, :, None]
    strands = HAIR * (1 + 0.15 * np.broadcast_to(stripes, (SIDE, SIDE, 1)))
    image = np.where(hair[..., None], strands, BLUE).astype(np.float32)
    spilt = image.copy()
    spilt[TOP : TOP + 2] += 0.3 * (BLUE - spilt[TOP : TOP + 2])
    everywhere = np.ones_like(hair)
    found = without_spill(spilt, spilt, matte, hair, everywhere)
    before, after = (np.abs(c[TOP : TOP + 2] - image[TOP : TOP + 2]).mean() for c in (spilt, found))
    assert after < 0.6 * before
    assert found[TOP : TOP + 2].mean(axis=(0, 1))[2] < HAIR[2] + 0.12, "no blue line"
    assert found[TOP].mean(axis=1).std() > 0.5 * strands[TOP].mean(axis=1).std()
    deep = TOP + SIDE // 8
    assert np.array_equal(found[deep:], spilt[deep:]) and np.array_equal(found[: TOP - 5], spilt[: TOP - 5])


def test_without_a_background_or_hair_nothing_changes() -> None:
    picture = np.random.default_rng(1).random((64, 64, 3)).astype(np.float32)
    full, none = np.ones((64, 64), bool), np.zeros((64, 64), bool)
    assert np.array_equal(without_spill(picture, picture, np.ones((64, 64), np.float32), full, full), picture)
    assert np.array_equal(without_spill(picture, picture, np.zeros((64, 64), np.float32), none, full), picture)
