"""What the photo does not show stays within the person's outline, as far as the Gaussians that it becomes reach."""

from __future__ import annotations

import numpy as np
import pytest

from enrollment.instant.outline import CUT, CUT_BODY, Outline, drawn_in_from
from enrollment.portrait.portrait import Portrait
from models.heads.base import HeadModel
from models.types import Camera
from tests.enrollment.heads import FOCAL, known, portrait_of


@pytest.fixture(scope="module")
def half(model: HeadModel) -> Portrait:
    """A portrait of which the left half shows the person and the lowest quarter shows nothing at all."""
    portrait = portrait_of(model, known(model))
    side = len(portrait.matte)
    portrait.matte[:, side // 2 :] = 0
    portrait.inside[3 * side // 4 :] = False
    return portrait


def test_points_over_background_are_drawn_in_or_go(half: Portrait) -> None:
    side = len(half.matte)
    camera = Camera(side, side, FOCAL, FOCAL, side / 2, side / 2, np.diag([1.0, -1.0, -1.0, 1.0]))
    outline, columns = Outline.of(half), side / 2 + side * np.array([-0.2, 0.01, 0.1, 0.4])
    points = np.stack([(columns - side / 2) / FOCAL, np.zeros(4), np.full(4, -1.0)], axis=1).astype(np.float32)
    body = np.array([CUT_BODY] * 4, np.float32)
    moved, outside = outline.drawn_in(points, np.full(4, 0.006, np.float32), camera, body)
    assert np.array_equal(moved[0], points[0]) and list(outside) == [False, False, False, True]
    assert (outline.within(camera.project(moved))[:3] > 0).all() and np.array_equal(moved[:, 2], points[:, 2])
    assert list(outline.drawn_in(points, np.full(4, 0.006, np.float32), camera, 0 * body + CUT)[1]) == [False, False, True, True]
    below = np.array([[0.6 * side, 0.95 * side], [0.9 * side, 0.8 * side]])
    assert (outline.within(below) > 0).tolist() == [True, False], "beyond the photo's edge shoulders get wider"
    assert not outline.ends


def test_a_head_is_not_open_behind_the_jaw_where_hair_is_blown_aside(half: Portrait, model: HeadModel) -> None:
    """There the photo shows background, and one would look into the mouth from behind."""
    side, face = len(half.matte), np.flatnonzero(model.region_faces("skin"))[:3].astype(np.int32)
    camera = Camera(side, side, FOCAL, FOCAL, side / 2, side / 2, np.diag([1.0, -1.0, -1.0, 1.0]))
    points = np.array([[x * side / FOCAL, 0.0, -1.0] for x in (0.02, 2.5 * CUT, 0.2)], np.float32)
    spacing = np.full(3, 0.004, np.float32)
    moved, outside = Outline.of(half).drawn_in(points, spacing, camera, drawn_in_from(model, face))
    assert list(outside) == [False, False, True]
    assert (Outline.of(half).within(camera.project(moved))[:2] > 0).all()
