"""Where a known head looks is read back from its irises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enrollment.instant.fit import PhotoFit
from enrollment.instant.gaze import LIDS, LIMIT, blinks, estimate_gaze
from enrollment.portrait.portrait import Portrait
from models import arkit
from models.heads.base import HeadModel, PersonHead, Pose
from models.types import Array
from tests.enrollment.heads import FOCAL, Known, known, portrait_of


def looking(model: HeadModel, truth: Known, look: tuple[float, float]) -> tuple[PersonHead, PhotoFit, Portrait]:
    """A head with its exact fit, and a portrait whose landmarks are those of eyes turned by `look` (yaw, pitch) radians."""
    person = model.person(truth.identity)
    still, both = np.zeros(arkit.COUNT, np.float32), np.tile(np.array(look, np.float32), (2, 1))
    photo = PhotoFit(truth.rotation, truth.translation, FOCAL, still, np.zeros((2, 2), np.float32), 0.0)
    portrait = portrait_of(model, truth)
    vertices = person.vertices(still, Pose(head=photo.head_pose(), gaze=both))
    points = portrait.landmarks.points.copy()
    points[:, :2] = photo.camera(portrait).project(person.landmarks(vertices))
    return person, photo, replace(portrait, landmarks=replace(portrait.landmarks, points=points))


def found(model: HeadModel, look: tuple[float, float], turn: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Array:
    return estimate_gaze(*looking(model, known(model, 1, turn=turn), look))


@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (5.0, 25.0, 0.0)])
@pytest.mark.parametrize("look", [(0.0, 0.0), (0.25, 0.0), (-0.25, 0.0), (0.0, 0.2), (0.0, -0.2), (0.15, -0.15)])
def test_a_gaze_is_found(model: HeadModel, look: tuple[float, float], turn: tuple[float, float, float]) -> None:
    assert np.abs(found(model, look, turn) - look).max() < 0.06


def test_straight_ahead_is_straight_and_both_eyes_agree(model: HeadModel) -> None:
    straight = found(model, (0.0, 0.0))
    assert np.abs(straight).max() < 1e-3
    assert np.array_equal(straight[0], straight[1]) and straight.shape == (2, 2) and straight.dtype == np.float32


def test_irises_beyond_the_eye_stay_within_the_limit(model: HeadModel) -> None:
    person, photo, portrait = looking(model, known(model, 1), (0.0, 0.0))
    portrait.landmarks.points[468:, 0] += 500
    assert np.isfinite(estimate_gaze(person, photo, portrait)).all()
    assert np.abs(estimate_gaze(person, photo, portrait)).max() <= LIMIT + 1e-6


def test_shut_eyes_look_straight_ahead_and_are_shut(model: HeadModel) -> None:
    person, photo, portrait = looking(model, known(model, 1), (0.2, -0.1))
    assert not blinks(portrait).any()
    points = portrait.landmarks.points
    points[386, :2] = points[374, :2] - (0.0, 1.0)
    closing = blinks(portrait)
    assert closing[0] > 0.7 and closing[1] == 0
    assert np.abs(estimate_gaze(person, photo, portrait) - (0.2, -0.1)).max() < 0.06, "the other eye knows"
    points[159, :2] = points[145, :2] - (0.0, 1.0)
    assert (blinks(portrait) > 0.7).all() and not estimate_gaze(person, photo, portrait).any()


def test_an_eye_that_is_turned_away_says_nothing(model: HeadModel) -> None:
    person, photo, portrait = looking(model, known(model, 1, turn=(0.0, 50.0, 0.0)), (0.1, 0.0))
    points = portrait.landmarks.points
    width = [np.linalg.norm(points[a, :2] - points[b, :2]) for _, (a, b) in LIDS]
    assert min(width) < 0.65 * max(width)
    before = estimate_gaze(person, photo, portrait)
    points[(473, 468)[int(np.argmin(width))], 0] += 3
    assert np.array_equal(estimate_gaze(person, photo, portrait), before)
