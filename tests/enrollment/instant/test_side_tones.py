"""Values blurred over a surface: their mean where it is covered, fading out beyond."""

from __future__ import annotations

import numpy as np
import pytest

from enrollment.instant.side_tones import SurfaceBlur, areas
from models.types import Array, Gaussians

SPACING, WIDTH = 0.0015, 0.006


def plane(tilt: float) -> Array:
    """Points (N, 3) of a square of 9 cm, tilted by so many degrees about y."""
    x, y = (a.ravel() for a in np.meshgrid(np.arange(-0.045, 0.045, SPACING), np.arange(-0.045, 0.045, SPACING)))
    angle = np.deg2rad(tilt)
    return np.stack([x * np.cos(angle), y, x * np.sin(angle) - 0.6], axis=1).astype(np.float32)


@pytest.mark.parametrize("tilt", [0.0, 40.0])
def test_a_surface_is_covered_all_over_and_nothing_beyond_it(tilt: float) -> None:
    points = plane(tilt)
    values = np.where(points[:, 1:2] > 0, 1.0, -1.0).astype(np.float32)
    blur = SurfaceBlur.of(points, values, np.full(len(points), SPACING**2, np.float32), WIDTH)
    at = np.array([[0, y, -0.6] for y in (-0.03, 0.0, 0.03, 0.2)], np.float32)
    _, coverage = blur.at(at)
    assert coverage[:3] == pytest.approx(1, abs=0.12) and coverage[3] == 0
    mean = blur.mean(at, 1e-3)[:, 0]
    assert mean[:3] == pytest.approx([-1, 0, 1], abs=0.1) and mean[3] == 0


def test_what_is_hardly_covered_counts_little() -> None:
    points = plane(0)
    blur = SurfaceBlur.of(points, np.ones((len(points), 1), np.float32), np.full(len(points), SPACING**2, np.float32), WIDTH)
    away = np.array([[0, 0.045 + d, -0.6] for d in (-0.02, 0.0, WIDTH, 3 * WIDTH)], np.float32)
    means = blur.mean(away, 0.12)[:, 0]
    assert means[0] > 0.85 and (np.diff(means) < 0).all() and means[3] < 0.05


def test_a_lifted_gaussian_stands_for_its_mesh_of_the_grid() -> None:
    """Standard deviation 0.55 steps; one that is seen aslant is drawn out."""
    sigma, one = 0.55 * 0.002, np.ones(2, np.float32)
    scales = np.array([[sigma, sigma, 0.1 * sigma], [sigma, 2 * sigma, 0.1 * sigma]], np.float32)
    zero = np.zeros((2, 3), np.float32)
    found = areas(Gaussians(zero, np.zeros((2, 4), np.float32), scales, one, zero))
    assert found == pytest.approx([0.002**2, 2 * 0.002**2], rel=0.01)
