from __future__ import annotations

import numpy as np
import pytest

from models.heads import teeth
from models.heads.base import rotation_vector
from models.heads.raster import vertex_normals

UPPER = teeth.Arch((0.0, -0.05, 0.09))
LOWER = teeth.Arch((0.0, -0.055, 0.088), height=-0.01)


@pytest.mark.parametrize("arch", [UPPER, LOWER], ids=["upper", "lower"])
def test_a_row_of_teeth(arch: teeth.Arch) -> None:
    v, f, uv = teeth.row(arch)
    assert (v.shape, f.shape, uv.shape) == ((60, 3), (84, 3), (60, 2))
    assert (v.dtype, f.dtype) == (np.float32, np.int32)
    np.testing.assert_allclose(v[:, 0].max(), arch.half_width, atol=1e-6)
    np.testing.assert_allclose(np.sort(v[:, 0]), np.sort(-v[:, 0]), atol=1e-6)
    edge, gum = arch.front[1], arch.front[1] + arch.height
    np.testing.assert_allclose([v[:, 1].min(), v[:, 1].max()], sorted([edge, gum]), atol=1e-6)
    assert uv.min() == 0
    assert uv.max() == 1


@pytest.mark.parametrize("arch", [UPPER, LOWER], ids=["upper", "lower"])
def test_the_outer_side_faces_out(arch: teeth.Arch) -> None:
    v, f, _ = teeth.row(arch)
    outer = v.reshape(teeth.COLUMNS, teeth.ROWS, 3)[teeth.COLUMNS // 2, 0]
    at = np.argmin(np.linalg.norm(v - outer, axis=1))
    assert vertex_normals(v, f)[at, 2] > 0.9


def test_following_a_surface_that_moves_as_one() -> None:
    rng = np.random.default_rng(0)
    near, points = rng.normal(size=(50, 3)), rng.normal(size=(5, 3))
    step = np.array([0.1, -0.2, 0.3])
    moved = teeth.follow(points, near, np.broadcast_to(step, (2, 50, 3)))
    np.testing.assert_allclose(moved, np.broadcast_to(step, (2, 5, 3)), atol=1e-6)


def test_following_bone() -> None:
    rng = np.random.default_rng(0)
    near, points = rng.normal(size=(50, 3)), rng.normal(size=(5, 3))
    r, t = rotation_vector(np.array([0.2, 0.1, -0.3])), np.array([0.1, 0.2, 0.3])
    moved = teeth.follow_rigidly(points, near, (near @ r.T + t - near)[None])
    np.testing.assert_allclose(points + moved[0], points @ r.T + t, atol=1e-6)


def test_the_incisors_stand_nearly_in_a_line() -> None:
    v, _, _ = teeth.row(UPPER)
    outer = v.reshape(teeth.COLUMNS, teeth.ROWS, 3)[:, 0]
    near = np.abs(outer[:, 0]) < 0.4 * UPPER.half_width
    assert np.ptp(outer[near, 2]) < 0.1 * UPPER.depth, "a parabola: 0.16"
