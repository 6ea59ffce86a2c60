"""The baselines: the photo copied, and the photo warped between landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from server.evaluation import baselines


def gradient(width: int = 96, height: int = 80) -> NDArray[np.uint8]:
    """Red grows to the right, green downwards, 2 levels a pixel."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([2 * x, 2 * y, np.full_like(x, 100)], axis=2).astype(np.uint8)


def grid() -> NDArray[np.float64]:
    """Landmarks over the middle of a gradient."""
    return np.array([(x, y) for x in np.linspace(30, 66, 7) for y in np.linspace(25, 55, 7)], float)


def test_copy() -> None:
    photo = gradient()
    assert [p is photo for p in baselines.copy(photo, 3)] == [True] * 3


def test_warp_to_the_same_place_changes_nothing() -> None:
    photo = gradient()
    np.testing.assert_allclose(baselines.warp(photo, grid(), grid()), photo, atol=1)


def test_warp_moves_what_lies_between_the_landmarks() -> None:
    photo, shift = gradient(), np.array([6.0, -4.0])
    warped = baselines.warp(photo, grid(), grid() + shift).astype(int)
    inside = np.s_[30:45, 42:66]
    np.testing.assert_allclose(warped[inside][..., 0], photo[inside][..., 0] - 12, atol=1.5)
    np.testing.assert_allclose(warped[inside][..., 1], photo[inside][..., 1] + 8, atol=1.5)
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        np.testing.assert_allclose(warped[row, column], photo[row, column], atol=2)


def test_warp_with_landmarks_beyond_the_picture() -> None:
    warped = baselines.warp(gradient(), grid(), grid() + np.array([60.0, 0.0]))
    assert warped.shape == (80, 96, 3)
