"""Pose, expression, gaze and blinks of a known head are recovered; landmarks that cannot be a face do no harm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models import arkit
from models.heads.anny import AnnyHead
from models.heads.base import LANDMARKS, PersonHead
from models.tracking.landmarks import Landmarks
from models.tracking.solver import Solver
from models.tracking.synthetic_landmarks import head_pose, random_person
from tests.models.tracking.faces import SIZE, exact_solver, seen, turned

# Recovery from landmarks that are known


@pytest.mark.parametrize(
    "named",
    [
        {"jawOpen": 0.7}, {"eyeBlinkLeft": 1.0}, {"eyeBlinkRight": 0.6}, {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8},
        {"mouthPucker": 0.8}, {"browInnerUp": 0.9}, {"jawOpen": 0.4, "mouthSmileLeft": 0.6, "eyeBlinkRight": 1.0}, {},
    ],
)  # fmt: skip
def test_expressions_and_pose_are_recovered(person: PersonHead, named: dict[str, float]) -> None:
    head = head_pose(0.3, -0.15, 0.1, (0.05, -0.02, -0.65))
    frame = exact_solver(person).solve(seen(person, named, head, noise=0.4), 0.0)
    truth = np.array(arkit.vector(**named))
    assert turned(frame.rotation, head) < 2.0
    assert np.abs(frame.translation - head[:3, 3]).max() < 0.03
    for name in ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "mouthSmileRight", "mouthPucker", "browInnerUp"):
        assert frame.coefficients[arkit.INDEX[name]] == pytest.approx(truth[arkit.INDEX[name]], abs=0.2), name
    assert np.abs(frame.coefficients - truth).mean() < 0.05
    assert frame.confidence > 0.9


def test_the_next_frames_start_from_the_last(person: PersonHead) -> None:
    solver = exact_solver(person)
    for i in range(20):
        head = head_pose(0.02 * i, 0.0, 0.0, (0.0, 0.0, -0.6))
        frame = solver.solve(seen(person, {"jawOpen": i / 20}, head), i / 30)
    assert turned(frame.rotation, head) < 1.5
    assert frame.coefficients[arkit.INDEX["jawOpen"]] == pytest.approx(0.95, abs=0.12)


def test_the_focal_length_is_taken_as_given(person: PersonHead) -> None:
    assert Solver(person, focal=900).focal(640, 480) == 900
    assert Solver(person).focal(480, 640) == pytest.approx(704)


# What cannot be a face


def test_hold_repeats_the_last_frame_without_confidence(person: PersonHead) -> None:
    solver = exact_solver(person)
    head = head_pose(0.2, 0.0, 0.0, (0, 0, -0.6))
    frame = solver.solve(seen(person, {"jawOpen": 0.5}, head), 1.0)
    held = solver.hold(2.0)
    assert held.timestamp == 2.0 and held.confidence == 0.0
    np.testing.assert_array_equal(held.coefficients, frame.coefficients)
    np.testing.assert_array_equal(held.rotation, frame.rotation)
    assert Solver(person).hold(0.0).confidence == 0.0


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.float32, (LANDMARKS, 3), elements=st.floats(width=32), fill=st.floats(-2000, 2000, width=32)),
    st.floats(), st.integers(0, 2000), st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
def test_garbage_never_becomes_nan(points: np.ndarray, confidence: float, width: int, timestamp: float) -> None:
    someone = random_person(AnnyHead(), np.random.default_rng(3))
    solver, good = exact_solver(someone), seen(someone, {}, head_pose(0, 0, 0, (0, 0, -0.6)))
    solver.solve(good, 0.0)
    for moment in (timestamp, timestamp + 0.03):
        frame = solver.solve(Landmarks(points, confidence, width, width), moment)
        assert all(np.isfinite(a).all() for a in (frame.rotation, frame.translation, frame.coefficients, frame.gaze))
        assert 0.0 <= frame.confidence <= 1.0
        assert frame.coefficients.min() >= 0.0 and frame.coefficients.max() <= 1.0
        assert np.linalg.norm(frame.rotation) == pytest.approx(1.0)
    assert solver.solve(good, timestamp + 0.06).confidence > 0.9


def test_crushed_faces_and_wrong_points_never_become_nan(person: PersonHead) -> None:
    solver = exact_solver(person)
    good = seen(person, {}, head_pose(0, 0, 0, (0, 0, -0.6))).points
    solver.solve(Landmarks(good, 1.0, SIZE, SIZE), 0.0)
    line, mirrored, scattered = good.copy(), good.copy(), good.copy()
    line[:, 1] = line[:, 0]
    mirrored[:, 0] = SIZE - mirrored[:, 0]
    scattered[::7] += 3000
    wrong = (line, mirrored, scattered, good[::-1].copy(), good * 50, good * (1, -1, 1), np.tile(good[0], (478, 1)))
    for i, points in enumerate(wrong):
        frame = solver.solve(Landmarks(points.astype(np.float32), 1.0, SIZE, SIZE), 0.03 * (i + 1))
        assert all(np.isfinite(a).all() for a in (frame.rotation, frame.translation, frame.coefficients, frame.gaze))
    assert solver.solve(Landmarks(good, 1.0, SIZE, SIZE), 1.0).confidence > 0.9
