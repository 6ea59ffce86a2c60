"""Cloth by example: a pattern goes on as it is, without seams, and without what is no cloth."""

from __future__ import annotations

import numpy as np
import pytest

from enrollment.instant.cloth_pattern import BLOCK, TEXEL, ClothPattern, quilt
from models.types import Array

SIDE, PERIOD = 160, 6


def striped(side: int = SIDE) -> Array:
    wave = 0.2 * np.sin(2 * np.pi * np.arange(side) / PERIOD)
    return np.broadcast_to(wave[None, :, None], (side, side, 3)).astype(np.float32)


def windows(picture: Array, count: int = 60) -> Array:
    corners = np.random.default_rng(1).integers(0, len(picture) - BLOCK, (count, 2))
    return np.stack([picture[r : r + BLOCK, c : c + BLOCK] for r, c in corners])


def test_stripes_stay_stripes() -> None:
    made = quilt(windows(striped()), (90, 90), np.random.default_rng(0))
    assert made.shape == (90, 90, 3)
    assert np.abs(np.diff(made, axis=0)).max() < 0.02, "along a stripe nothing changes"
    spectrum = np.abs(np.fft.rfft(made[45, :, 0]))
    assert abs(int(spectrum[1:].argmax()) + 1 - 90 / PERIOD) <= 1, "the same width"
    assert np.abs(made).max() == pytest.approx(0.2, abs=0.03), "the same contrast"


def test_seams_are_no_stronger_than_the_cloth_itself() -> None:
    noise = np.random.default_rng(3).normal(0, 0.1, (SIDE, SIDE, 1)).astype(np.float32).repeat(3, axis=2)
    made = quilt(windows(noise), (90, 90), np.random.default_rng(0))
    assert np.square(np.diff(made, axis=1)).mean() < 1.1 * np.square(np.diff(noise, axis=1)).mean()
    assert made.std() == pytest.approx(0.1, abs=0.02)


def pattern(colors: Array, cloth: np.ndarray) -> ClothPattern:
    slow = np.full_like(colors, 0.5)
    return ClothPattern.of(colors, slow, cloth, np.full(3, 0.5, np.float32), TEXEL)


def test_only_cloth_gives_the_pattern() -> None:
    colors, cloth = 0.5 + striped(), np.ones((SIDE, SIDE), bool)
    colors[:, :60] = (1.0, 0.0, 0.0)
    cloth[:, :62] = False
    found = pattern(colors, cloth).texels
    assert 0.1 < np.abs(found).max() < 0.3 and np.allclose(found[..., 0], found[..., 1], atol=0.02)
    points = np.random.default_rng(0).uniform(-0.2, 0.2, (50, 3)) - (0, 0.15, 0)
    at = pattern(colors, cloth).at(points)
    assert at.shape == (50, 3) and np.abs(at).max() < 0.3


def test_a_photo_of_hardly_any_cloth_gives_a_plain_one() -> None:
    cloth = np.zeros((SIDE, SIDE), bool)
    cloth[: BLOCK - 3] = True
    assert not pattern(0.5 + striped(), cloth).texels.any()
