from __future__ import annotations

import numpy as np

from models.heads.base import rotation_vector
from models.similarity import similarity

TURN, SHIFT = rotation_vector(np.array([0.2, -0.3, 0.1])), np.array([0.1, 0.2, -0.3])


def test_scale_turn_and_shift_are_found() -> None:
    a = np.random.default_rng(0).normal(size=(30, 3))
    scale, rotation, shift = similarity(a, 1.07 * a @ TURN.T + SHIFT)
    np.testing.assert_allclose(scale, 1.07)
    np.testing.assert_allclose(rotation, TURN, atol=1e-9)
    np.testing.assert_allclose(shift, SHIFT, atol=1e-9)


def test_points_without_weight_do_not_count() -> None:
    a = np.random.default_rng(1).normal(size=(30, 3))
    b = a @ TURN.T
    b[:5] += 10
    weight = np.ones(30)
    weight[:5] = 0
    np.testing.assert_allclose(similarity(a, b, weight)[1], TURN, atol=1e-9)
    assert np.abs(similarity(a, b)[1] - TURN).max() > 0.01


def test_a_mirror_image_is_turned_not_mirrored() -> None:
    a = np.random.default_rng(2).normal(size=(30, 3))
    assert np.linalg.det(similarity(a, a * [-1, 1, 1])[1]) > 0.99
