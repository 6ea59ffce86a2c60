"""The first second of a call becomes the resting face and the resting pose."""

from __future__ import annotations

import numpy as np
import pytest

from models import arkit
from models.heads.base import PersonHead, rotation_log, rotation_matrix
from models.tracking.calibration import Calibration
from models.tracking.synthetic_landmarks import head_pose
from models.types import Array64
from realtime.rest import relative
from tests.models.tracking.faces import exact_solver, seen


def test_the_resting_face_becomes_neutral(person: PersonHead) -> None:
    rng = np.random.default_rng(2)
    shift = np.outer(np.ones(470), (0.0, 0.001)) + rng.normal(0, 0.0015, (470, 2))
    solver = exact_solver(person)
    calibration = Calibration(solver)
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
    calibration = Calibration(exact_solver(person))
    face = seen(person, {}, head_pose(0, 0, 0, (0, 0, -0.6)))
    for start in (0.0, 10.0):
        calibration.restart()
        assert calibration.running
        assert calibration.solve(None, start).confidence == 0.0
        for i in range(35):
            calibration.solve(face, start + i / 30)
        assert not calibration.running


def test_an_earlier_calibration_and_a_known_offset_do_not_add_up(person: PersonHead) -> None:
    known = np.random.default_rng(2).normal(0, 1e-3, exact_solver(person).resting_offset.shape)
    solver = exact_solver(person, resting_offset=known)
    faces = [seen(person, {}, head_pose(0.1 * i, 0, 0, (0, 0, -0.6))) for i in range(3)]
    assert len(solver.calibrate(faces, rounds=2)) == 3
    once = solver.resting_offset
    assert np.abs(once).mean() < 3e-4, "the resting face is the head's own"
    solver.calibrate(faces, rounds=2)
    np.testing.assert_allclose(solver.resting_offset, once, atol=1e-9)
    assert solver.calibrate(faces, least=4) == []
    np.testing.assert_array_equal(solver.resting_offset, known)


def test_another_head_of_the_same_person_goes_on_at_rest(person: PersonHead) -> None:
    """As when a better avatar takes the place of one that is shown: nobody has to rest again, and nothing jumps."""
    shift = np.outer(np.ones(470), (0.0, 0.001)) + np.random.default_rng(3).normal(0, 0.0015, (470, 2))
    calibration = Calibration(exact_solver(person))
    head = head_pose(0.1, 0.15, 0.0, (0.03, -0.05, -0.6))
    face = seen(person, {}, head, shift=shift)
    assert calibration.continued(exact_solver(person)).running, "there was nothing to go on with"
    for i in range(40):
        calibration.solve(face, i / 30)
    other = person.model.person(np.full(person.model.identity_count, 0.3, np.float32))
    continued = calibration.continued(exact_solver(other))
    assert not continued.running and not calibration.running
    before, after = (relative(c.solve(face, 2.0), c.pose) for c in (calibration, continued))
    assert after.coefficients.max() < 0.15
    np.testing.assert_allclose(after.translation, before.translation, atol=0.005)
    assert rotation_matrix(after.rotation) == pytest.approx(rotation_matrix(before.rotation), abs=0.05)
    assert rotation_matrix(after.rotation) == pytest.approx(np.eye(3), abs=0.05)


@pytest.mark.parametrize(
    "expression", [("jawOpen",), ("mouthSmileLeft", "mouthSmileRight"), ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")]
)
@pytest.mark.parametrize("rests", [False, True])
def test_who_joins_with_an_expression_is_calibrated_again_once_it_ends(
    person: PersonHead, expression: tuple[str, ...], rests: bool
) -> None:
    head = head_pose(0.1, 0.15, 0.0, (0.03, -0.05, -0.6))
    calibration = Calibration(exact_solver(person))

    def solved(amount: float, timestamp: float) -> float:
        frame = calibration.solve(seen(person, dict.fromkeys(expression, amount), head, noise=0.1), timestamp)
        return float(frame.coefficients[arkit.INDEX[expression[0]]])

    for i in range(40):
        solved(0.6, i / 30)
    assert not calibration.running and solved(0.6, 1.4) < 0.1, "taken as neutral"
    pose = calibration.pose
    for i in range(60):
        solved(0.0 if rests else 0.55, 1.5 + i / 30)
    assert not calibration.running
    assert (solved(0.6, 4.0) > 0.45) is rests
    assert turned_matrix(calibration.pose, pose) < 6.0
    assert turned_matrix(calibration.pose, head) < (2.0 if rests else 12.0)


def test_an_open_mouth_then_a_smile_then_a_rest_end_at_the_rest(person: PersonHead) -> None:
    head, smiling = head_pose(0.0, 0.0, 0.0, (0.0, 0.0, -0.6)), {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8}
    calibration = Calibration(exact_solver(person))
    for i in range(160):
        named = {"jawOpen": 0.6} if i < 40 else smiling if i < 100 else {}
        calibration.solve(seen(person, named, head), i / 30)
    opened, smile = (
        calibration.solve(seen(person, named, head), 6.0 + i).coefficients for i, named in enumerate(({"jawOpen": 0.6}, smiling))
    )
    assert opened[arkit.INDEX["jawOpen"]] > 0.45
    assert smile[arkit.INDEX["mouthSmileLeft"]] > 0.6


def test_calmer_faces_that_are_turned_too_far_leave_the_calibration_as_it_is(person: PersonHead) -> None:
    head, aside = head_pose(0.0, 0.0, 0.0, (0.0, 0.0, -0.6)), head_pose(1.2, 0.0, 0.0, (0.0, 0.0, -0.6))
    solver = exact_solver(person)
    calibration = Calibration(solver)
    for i in range(40):
        calibration.solve(seen(person, {"jawOpen": 0.6}, head), i / 30)
    before, resting = solver.resting_offset, calibration._resting
    assert np.abs(before).max() > 0.005
    for i in range(80):
        calibration.solve(seen(person, {}, aside), 2.0 + i / 30)
    assert calibration._resting is resting and not calibration.running
    np.testing.assert_allclose(solver.resting_offset, before, atol=1e-9)


def test_closed_lips_count_as_calmer_than_a_smooth_brow(person: PersonHead) -> None:
    """Half of the second talks with a smooth face, half frowns with closed lips: the mouth must be able to open afterwards."""
    head = head_pose(0.0, 0.0, 0.0, (0.0, 0.0, -0.6))
    calibration = Calibration(exact_solver(person))
    for i in range(40):
        named = {"jawOpen": 0.4} if i % 2 else {"browDownLeft": 0.4, "browDownRight": 0.4}
        calibration.solve(seen(person, named, head), i / 30)
    opened = calibration.solve(seen(person, {"jawOpen": 0.4}, head), 2.0)
    assert opened.coefficients[arkit.INDEX["jawOpen"]] > 0.3
