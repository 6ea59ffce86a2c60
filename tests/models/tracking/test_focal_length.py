from __future__ import annotations

import numpy as np
import pytest

from models.heads.base import PersonHead
from models.tracking import focal_length
from models.tracking.focal_length import FOCALS, estimate_focal, lowest
from models.tracking.solver import Solver
from models.tracking.synthetic_landmarks import head_pose
from tests.models.tracking.faces import FOCAL, SIZE, exact_solver, seen


def test_the_focal_length_of_the_camera_is_found(person: PersonHead, monkeypatch: pytest.MonkeyPatch) -> None:
    """The landmarks are those of a tracker without bias, so the solvers are made for one."""
    exact = exact_solver(person)._basis
    monkeypatch.setattr(focal_length, "Solver", lambda *args, **options: Solver(*args, bias=exact.bias, **options))
    faces = [seen(person, {}, head_pose(yaw, 0.1, 0.0, (0, 0, -0.3)), noise=0.2) for yaw in (-0.4, 0.0, 0.4)]
    found = estimate_focal(person, np.zeros_like(exact.bias.noise), faces)
    nearest = min(FOCALS, key=lambda part: abs(part - FOCAL / SIZE))
    assert found.focal(SIZE, SIZE) == pytest.approx(nearest * SIZE)


def test_between_focal_lengths_that_are_nearly_as_good_lies_a_better_one() -> None:
    truth, focals = 2.5, np.array([1.9, 2.3, 2.8])
    errors = 3.0 + np.log(focals / truth) ** 2
    assert lowest(focals, errors) == pytest.approx(truth)
    assert 1.9 <= lowest(focals, np.ones(3)) <= 2.8, "nothing to choose by"
