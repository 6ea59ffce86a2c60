"""What the photo does not show stays within the person's outline, as far as the Gaussians that it becomes reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enrollment.instant.outline import CUT, CUT_BODY, CUT_HEAD, FAR_REACH, MOST_REACH, REACH, Outline, drawn_in_from
from enrollment.portrait.portrait import Portrait
from models.binding import BoundGaussians, Frames
from models.heads.base import HeadModel
from models.types import Array, Camera
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


def test_what_comes_from_far_outside_goes_further_in(half: Portrait) -> None:
    """Its surface is only there to close the body; the rest goes no further than the Gaussians reach, and large ones hardly."""
    side, at = len(half.matte), np.array([0.01, 2.5 * CUT])
    camera = Camera(side, side, FOCAL, FOCAL, side / 2, side / 2, np.diag([1.0, -1.0, -1.0, 1.0]))
    points = np.stack([at * side / FOCAL, 0 * at, np.full(2, -1.0)], axis=1).astype(np.float32)

    def depth(spacing: float) -> Array:
        moved, _ = Outline.of(half).drawn_in(points, np.full(2, spacing, np.float32), camera, np.full(2, CUT_BODY, np.float32))
        return Outline.of(half).within(camera.project(moved)) / FOCAL

    near, far = depth(0.004)
    assert near == pytest.approx(REACH * 0.004, abs=2.5 / FOCAL) and far == pytest.approx(FAR_REACH * 0.004, abs=2.5 / FOCAL)
    assert depth(0.1)[0] == pytest.approx(MOST_REACH * side / FOCAL, abs=2.5 / FOCAL)


def test_shoulders_go_on_beyond_the_photo_unless_the_person_ends_above_its_edge(model: HeadModel) -> None:
    """A bust on a pedestal ends where it does."""
    portrait = portrait_of(model, known(model))
    side = len(portrait.matte)
    portrait.matte[:, side // 2 :] = 0
    portrait.inside[3 * side // 4 :] = False
    camera = Camera(side, side, FOCAL, FOCAL, side / 2, side / 2, np.diag([1.0, -1.0, -1.0, 1.0]))
    point = np.array([[0.15 * side / FOCAL, -0.4 * side / FOCAL, -1.0]], np.float32)
    spacing, furthest = np.full(1, 0.006, np.float32), np.full(1, CUT_HEAD, np.float32)
    goes_on = Outline.of(portrait)
    portrait.matte[side // 2 :] = 0
    ends = Outline.of(portrait)
    assert ends.ends and not goes_on.ends
    assert not goes_on.drawn_in(point, spacing, camera, furthest)[1][0] and ends.drawn_in(point, spacing, camera, furthest)[1][0]
    grown = replace(ends, ends=False, depth=goes_on.depth)
    assert not grown.drawn_in(point, spacing, camera, furthest)[1][0], "as wide as a shoulder would be there"
    assert replace(goes_on, ends=True).drawn_in(point, spacing, camera, furthest)[1][0]


def test_a_gaussian_is_held_that_lies_within_with_all_of_it(half: Portrait) -> None:
    side = len(half.matte)
    camera = Camera(side, side, FOCAL, FOCAL, side / 2, side / 2, np.diag([1.0, -1.0, -1.0, 1.0]))
    x = np.array([-20, -20, 3, -20], np.float32) / FOCAL
    sizes = np.array([3, 15, 3, 3], np.float32) / FOCAL
    still, one = np.tile(np.array([1, 0, 0, 0], np.float32), (4, 1)), np.ones(4, np.float32)
    means = np.stack([x, 0 * x, -one], axis=1)
    scales = np.stack([0.1 * sizes, sizes, 0.1 * sizes], axis=1)
    gaussians = BoundGaussians(np.zeros(4, np.int32), means, still, scales, one, np.stack([one] * 3, axis=1))
    at = Frames(np.zeros((1, 3), np.float32), still[:1], one[:1])
    assert Outline.of(half).holds(gaussians, at, camera).tolist() == [True, False, False, True]


def test_a_head_is_not_open_behind_the_jaw_where_hair_is_blown_aside(half: Portrait, model: HeadModel) -> None:
    """There the photo shows background, and one would look into the mouth from behind."""
    side, face = len(half.matte), np.flatnonzero(model.region_faces("skin"))[:3].astype(np.int32)
    camera = Camera(side, side, FOCAL, FOCAL, side / 2, side / 2, np.diag([1.0, -1.0, -1.0, 1.0]))
    points = np.array([[x * side / FOCAL, 0.0, -1.0] for x in (0.02, 2.5 * CUT, 0.2)], np.float32)
    spacing = np.full(3, 0.004, np.float32)
    moved, outside = Outline.of(half).drawn_in(points, spacing, camera, drawn_in_from(model, face))
    assert list(outside) == [False, False, True]
    body = np.flatnonzero(model.region_faces("body"))[:3].astype(np.int32)
    assert list(Outline.of(half).drawn_in(points, spacing, camera, drawn_in_from(model, body))[1]) == [False] * 3, "nor is a body"
    assert (Outline.of(half).within(camera.project(moved))[:2] > 0).all()
