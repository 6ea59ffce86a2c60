"""The layer under what a photo shows rises to the surface beside it."""

from __future__ import annotations

import numpy as np

from enrollment.instant.underlay import RISES, sunk


def test_it_rises_towards_the_surface_that_no_photo_shows() -> None:
    x = np.array([-0.001, 0.0, 0.25 * RISES, 0.5 * RISES, 3 * RISES], np.float32)
    points = np.stack([x, 0 * x, 0 * x], axis=1)
    part = sunk(points, x > 0, x == 0)
    np.testing.assert_allclose(part, [1, 1, 0.25, 0.5, 1], atol=1e-5)
    none = np.zeros(len(x), bool)
    assert (sunk(points, x > 0, none) == 1).all() and (sunk(points, none, x == 0) == 1).all()
