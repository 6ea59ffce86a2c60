"""Rare expressions weigh more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enrollment.reconstruction.capture import Frame
from enrollment.reconstruction.rarity import MOST, rarity, weighed
from models.heads.base import Pose
from models.types import Camera


def test_one_grimace_among_many_resting_faces_weighs_more() -> None:
    coefficients = np.zeros((20, 52))
    coefficients[7, :8] = 0.8
    weights = rarity(coefficients)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[7] == pytest.approx(MOST * weights[0])
    np.testing.assert_allclose(rarity(np.zeros((3, 52))), 1.0)


def test_the_frames_together_weigh_as_much_as_before() -> None:
    picture, matte, nothing = np.zeros((4, 4, 3), np.uint8), np.ones((4, 4), np.float32), np.zeros(52, np.float32)
    frame = Frame(picture, matte, Camera(4, 4, 4.0, 4.0, 2.0, 2.0), Pose(), nothing, weight=2.0)
    out = weighed([frame] * 5 + [replace(frame, coefficients=nothing + 0.5)])
    assert sum(f.weight for f in out) == pytest.approx(12.0)
    assert out[5].weight > 1.5 * out[0].weight
    assert weighed([]) == ()
