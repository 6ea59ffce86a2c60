"""A surface that is drawn to both sides of a notch has no hole there."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from enrollment.instant.torn import mended
from models.types import Array

SPACING, LEAN = 0.005, 3.0


def leaning_sheet() -> Array:
    """Points (N, 3) of a flat sheet that is the further away the higher, metres."""
    x, y = np.meshgrid(np.arange(-8, 8) + 0.5, np.arange(0, 9, 1 / LEAN), indexing="ij")
    return (SPACING * np.stack([x.ravel(), y.ravel(), -LEAN * y.ravel()], axis=1)).astype(np.float32)


def onto_flanks(points: Array, _: Array) -> Array:
    """What lies over a notch, y > |x|, drawn to its nearer flank."""
    out, over = points.copy(), np.maximum(points[:, 1] - np.abs(points[:, 0]), 0) / 2
    out[:, 0] += np.where(points[:, 0] >= 0, over, -over)
    out[:, 1] -= over
    return out


def test_a_tear_at_a_notch_is_closed_by_copies_of_its_edges() -> None:
    points = leaning_sheet()
    spacing = np.full(len(points), SPACING, np.float32)
    moved = onto_flanks(points, spacing)
    index, places = mended(points, moved, spacing, onto_flanks)
    depth = np.linspace(0.03, 0.1, 30)
    corner = np.stack([0 * depth, 0 * depth, -depth], axis=1)
    torn, _ = cKDTree(moved).query(corner)
    closed, _ = cKDTree(np.concatenate([moved, places])).query(corner)
    assert torn.max() > 2.5 * SPACING and closed.max() < 1.5 * SPACING
    assert np.abs(places[:, 2] - points[index, 2]).max() < 4 * SPACING, "copies of what is near"


def test_a_sheet_that_stays_whole_gets_nothing() -> None:
    points = leaning_sheet()
    spacing = np.full(len(points), SPACING, np.float32)
    for moved in (points, points + np.float32([0.01, 0, 0])):
        index, places = mended(points, moved, spacing, onto_flanks)
        assert len(index) == 0 and places.shape == (0, 3)
