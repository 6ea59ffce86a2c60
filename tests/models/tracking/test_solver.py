from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models import arkit
from models.errors import HeadModelError
from models.heads.anny import AnnyHead
from models.heads.base import LANDMARKS, PersonHead, rotation_log, rotation_matrix, rotation_vector
from models.tracking import tracker_bias as response_module
from models.tracking.calibration import NeutralCalibration
from models.tracking.face_basis import face_basis
from models.tracking.gauss_newton import POSE, bounded_step, eliminate, jacobian, project, weighted_products
from models.tracking.landmarks import Landmarks
from models.tracking.solver import Solver
from models.tracking.synthetic_landmarks import gaze_coefficients, head_pose, random_person
from models.tracking.tracker_bias import exact_response, tracker_response
from models.types import Array64
from server.benchmarks.solver import bench_solver

FOCAL, SIZE = 700.0, 640
RNG = np.random.default_rng(4)


@pytest.fixture(scope="module")
def person() -> PersonHead:
    return random_person(AnnyHead(), np.random.default_rng(3))


def exact_solver(person: PersonHead) -> Solver:
    return Solver(person, focal=FOCAL, response=exact_response(person.model.gaze_range.astype(np.float64)))


def seen(
    person: PersonHead, named: dict[str, float], head: Array64, *, noise: float = 0.0, shift: Array64 | None = None
) -> Landmarks:
    """The landmarks that `exact_response` says. noise: pixels. shift: (470, 2) metres in head space."""
    basis = face_basis(person, exact_response(person.model.gaze_range.astype(np.float64)))
    coefficients = np.array(arkit.vector(**named))
    points = basis.points + np.tensordot(coefficients, basis.every, 1).T
    if shift is not None:
        points[:, :2] += shift
    there = project(points, head[:3, :3], head[:3, 3], FOCAL)
    out = np.zeros((LANDMARKS, 3))
    out[:, :2] = SIZE / 2
    out[basis.response.landmarks, :2] = there.pixels + SIZE / 2 + np.random.default_rng(1).normal(0, noise, there.pixels.shape)
    out[basis.response.landmarks, 2] = -(there.points[:, 2] - there.points[:, 2].mean()) * FOCAL / -head[2, 3]
    return Landmarks(out.astype(np.float32), 1.0, SIZE, SIZE)


def turned(rotation: Array64, head: Array64) -> float:
    """Degrees between a solved quaternion and the truth."""
    return float(np.rad2deg(np.linalg.norm(rotation_log(rotation_matrix(rotation).T @ head[:3, :3]))))


# The least-squares problem


def test_the_jacobian_is_the_derivative() -> None:
    points, directions = RNG.normal(0, 0.08, (12, 3)), RNG.normal(0, 0.01, (4, 3, 12))
    rotation, translation = rotation_vector(np.array([0.3, -0.5, 0.2])), np.array([0.05, -0.1, -0.7])
    slopes = jacobian(project(points, rotation, translation, FOCAL), rotation, FOCAL, directions)

    def pixels(unknowns: Array64) -> Array64:
        moved = points + np.einsum("k,kcn->nc", unknowns[POSE:], directions)
        return project(moved, rotation_vector(unknowns[:3]) @ rotation, translation + unknowns[3:POSE], FOCAL).pixels

    for i in range(POSE + 4):
        step = np.zeros(POSE + 4)
        step[i] = 1e-6
        np.testing.assert_allclose(slopes[i].T, (pixels(step) - pixels(-step)) / 2e-6, rtol=1e-5, atol=1e-4)


def test_products_and_elimination_are_what_linear_algebra_says() -> None:
    columns, weight = RNG.normal(size=(9, 40)), RNG.uniform(0.1, 2, 40)
    products = weighted_products(columns, weight)
    np.testing.assert_allclose(products, columns @ np.diag(weight) @ columns.T, rtol=1e-10)
    a, b, c = products[:6, :6], products[:6, 6:], products[6:, 6:]
    np.testing.assert_allclose(eliminate(products, 6, 9), a - b @ np.linalg.inv(c) @ b.T, rtol=1e-8, atol=1e-10)


def test_the_bounded_step_is_the_best_within_its_bounds() -> None:
    size = POSE + 8
    half = RNG.normal(size=(size, size))
    hessian, gradient = half @ half.T + 0.5 * np.eye(size), RNG.normal(size=size)
    free = bounded_step(hessian, gradient, np.full(8, -100.0), np.full(8, 100.0), sweeps=2000)
    np.testing.assert_allclose(free, -np.linalg.solve(hessian, gradient), atol=1e-3)
    low, high = np.full(8, -0.05), np.full(8, 0.02)
    step = bounded_step(hessian, gradient, low, high, sweeps=2000)
    assert (step[POSE:] >= low).all() and (step[POSE:] <= high).all()
    slope = gradient + hessian @ step
    np.testing.assert_allclose(slope[:POSE], 0, atol=1e-6)
    inside = (step[POSE:] > low) & (step[POSE:] < high)
    np.testing.assert_allclose(slope[POSE:][inside], 0, atol=1e-3)
    assert (slope[POSE:][step[POSE:] == low] >= 0).all() and (slope[POSE:][step[POSE:] == high] <= 0).all()


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


@pytest.mark.parametrize(("yaw", "pitch"), [(0.25, 0.0), (-0.2, 0.0), (0.0, 0.12), (0.0, -0.2)])
def test_gaze_is_read_from_the_irises(person: PersonHead, yaw: float, pitch: float) -> None:
    gaze = np.tile(np.array([yaw, pitch]), (2, 1))
    named = gaze_coefficients(person.model, gaze)
    frame = exact_solver(person).solve(seen(person, named, head_pose(0.1, 0.0, 0.0, (0, 0, -0.6))), 0.0)
    np.testing.assert_allclose(frame.gaze, gaze, atol=0.08)
    assert np.sign(frame.gaze[0, int(yaw == 0)]) == np.sign(yaw or pitch)
    for name, value in named.items():
        assert frame.coefficients[arkit.INDEX[name]] == pytest.approx(value, abs=0.3)


def test_a_closed_eye_keeps_its_gaze(person: PersonHead) -> None:
    solver = exact_solver(person)
    head = head_pose(0.0, 0.0, 0.0, (0, 0, -0.6))
    gaze = np.tile(np.array([0.2, 0.0]), (2, 1))
    looking = solver.solve(seen(person, gaze_coefficients(person.model, gaze), head), 0.0)
    closed = solver.solve(seen(person, {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}, head), 1 / 30)
    np.testing.assert_allclose(closed.gaze, looking.gaze, atol=1e-6)
    assert closed.coefficients[arkit.INDEX["eyeBlinkLeft"]] > 0.9


def test_the_focal_length_is_taken_as_given(person: PersonHead) -> None:
    assert Solver(person, focal=900).focal(640, 480) == 900
    assert Solver(person, fov_y=np.pi / 2).focal(640, 480) == pytest.approx(240)
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


# The neutral face


def test_the_resting_face_becomes_neutral(person: PersonHead) -> None:
    rng = np.random.default_rng(2)
    shift = np.outer(np.ones(470), (0.0, 0.001)) + rng.normal(0, 0.0015, (470, 2))
    solver = exact_solver(person)
    calibration = NeutralCalibration(solver)
    head = head_pose(0.1, 0.15, 0.0, (0.03, -0.05, -0.6))
    for i in range(40):
        blinking = {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0} if 5 <= i < 10 else {}
        assert calibration.solve(seen(person, blinking, head, noise=0.2, shift=shift), i / 30).confidence > 0
    assert not calibration.running
    assert turned_matrix(calibration.pose, head) < 3.0
    rest = calibration.solve(seen(person, {}, head, shift=shift), 2.0)
    assert rest.coefficients.max() < 0.1
    np.testing.assert_allclose(rest.gaze, 0, atol=0.05)
    smile = calibration.solve(seen(person, {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8}, head, shift=shift), 3.0)
    assert smile.coefficients[arkit.INDEX["mouthSmileLeft"]] == pytest.approx(0.8, abs=0.2)


def turned_matrix(pose: Array64, head: Array64) -> float:
    return float(np.rad2deg(np.linalg.norm(rotation_log(pose[:3, :3].T @ head[:3, :3]))))


def test_the_calibration_can_be_repeated(person: PersonHead) -> None:
    calibration = NeutralCalibration(exact_solver(person))
    face = seen(person, {}, head_pose(0, 0, 0, (0, 0, -0.6)))
    for start in (0.0, 10.0):
        calibration.restart()
        assert calibration.running
        assert calibration.solve(None, start).confidence == 0.0
        for i in range(35):
            calibration.solve(face, start + i / 30)
        assert not calibration.running


# The tracker's response, and all of it together


def test_the_response_that_ships_fits_the_tracker() -> None:
    learned = tracker_response()
    assert (np.diff(learned.landmarks) > 0).all() and learned.landmarks.max() < LANDMARKS
    assert np.abs(learned.coefficients).max() < 0.03 and learned.noise.min() > 1e-4


def test_a_damaged_response_is_told_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "response.safetensors"
    broken.write_bytes(b"no tensors")
    monkeypatch.setattr(response_module, "PATH", broken)
    with pytest.raises(HeadModelError, match="install Visavis again"):
        tracker_response.__wrapped__()


def test_a_drawn_head_is_recovered_through_the_tracker() -> None:
    result = bench_solver(random_person(AnnyHead(), np.random.default_rng(8)), combined=4, quiet=True)
    assert result["missed"] == 0
    assert result["mae"] < 0.12
    assert result["mae.jawOpen"] < 0.12 and result["mae.eyeBlinkLeft"] < 0.15
    assert result["rotation"] < 3.5
