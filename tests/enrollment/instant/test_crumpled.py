"""What is bound to a triangle that the photo's pose crumples is not enlarged at rest."""

from __future__ import annotations

import numpy as np

from enrollment.instant.crumpled import MOST_GROWTH, unfolded
from models import binding
from models.types import Array, Gaussians

FACES = np.array([[0, 1, 2], [3, 4, 5]], np.int32)


def triangles(first: float) -> Array:
    """Two triangles, the first of them so large."""
    corners = np.array([[0, 0, 0], [0.01, 0, 0], [0, 0.01, 0]], np.float32)
    return np.concatenate([first * corners, corners + np.array([1, 0, 0])]).astype(np.float32)


def test_gaussians_of_a_crumpled_triangle_keep_their_size_and_their_place_on_it() -> None:
    at, rest = (binding.frames(triangles(size), FACES) for size in (0.2, 1.0))
    means = np.array([[0.001, 0.001, 0.004], [1.001, 0.001, 0.004]], np.float32)
    still, one = np.tile(np.array([1, 0, 0, 0], np.float32), (2, 1)), np.ones((2, 3), np.float32)
    made = binding.bind(Gaussians(means, still, 0.003 * one, one[:, 0], one), np.array([0, 1], np.int32), at)
    grown, mended = (binding.to_world(g, rest) for g in (made, unfolded(made, at, rest)))
    assert grown.scales[0].max() > 0.014
    assert np.allclose(mended.scales[0], 0.003 * MOST_GROWTH, rtol=1e-3) and mended.means[0, 2] < 0.006
    assert np.allclose(mended.scales[1], grown.scales[1]) and np.allclose(mended.means[1], grown.means[1])
