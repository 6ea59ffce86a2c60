from __future__ import annotations

import numpy as np
import pytest

from models import arkit
from models.heads.base import PersonHead
from models.tracking.synthetic_landmarks import gaze_coefficients, head_pose
from tests.models.tracking.faces import exact_solver, seen


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
