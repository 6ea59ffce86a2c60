"""The hand-written derivatives are those of the projection: finite differences are the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from models.heads.base import rotation_vector
from models.tracking.pinhole import POSE, jacobian, pixel_motion, point_motion, project
from models.types import Array64, Camera

FOCAL, FOCAL_Y = 700.0, 500.0
RNG = np.random.default_rng(4)
POINTS, DIRECTIONS = RNG.normal(0, 0.08, (12, 3)), RNG.normal(0, 0.01, (4, 3, 12))
ROTATION, TRANSLATION = rotation_vector(np.array([0.3, -0.5, 0.2])), np.array([0.05, -0.1, -0.7])


def test_the_projection_is_that_of_the_camera() -> None:
    camera = Camera(640, 480, FOCAL, FOCAL_Y, 0.0, 0.0, np.diag([1.0, -1.0, -1.0, 1.0]))
    seen = project(POINTS, ROTATION, TRANSLATION, FOCAL, FOCAL_Y)
    np.testing.assert_allclose(seen.pixels, camera.project(POINTS @ ROTATION.T + TRANSLATION), rtol=1e-12)
    np.testing.assert_allclose(seen.points - seen.turned, np.tile(TRANSLATION, (12, 1)), rtol=1e-9)


@pytest.mark.parametrize("focal_y", [None, FOCAL_Y])
def test_the_jacobian_is_the_derivative(focal_y: float | None) -> None:
    seen = project(POINTS, ROTATION, TRANSLATION, FOCAL, focal_y)
    motion = point_motion(seen.turned, ROTATION, DIRECTIONS)
    slopes = pixel_motion(seen.points, motion, FOCAL, focal_y)

    def projected(unknowns: Array64) -> tuple[Array64, Array64]:
        deformed = POINTS + np.einsum("k,kcn->nc", unknowns[POSE:], DIRECTIONS)
        out = project(deformed, rotation_vector(unknowns[:3]) @ ROTATION, TRANSLATION + unknowns[3:POSE], FOCAL, focal_y)
        return out.points, out.pixels

    assert len(slopes) == POSE + len(DIRECTIONS)
    for i in range(len(slopes)):
        step = np.zeros(len(slopes))
        step[i] = 1e-6
        for exact, ahead, behind in zip((motion[i].T, slopes[i].T), projected(step), projected(-step), strict=True):
            np.testing.assert_allclose(exact, (ahead - behind) / 2e-6, rtol=1e-5, atol=1e-4)
    if focal_y is None:
        np.testing.assert_array_equal(jacobian(seen, ROTATION, FOCAL, DIRECTIONS), slopes)
