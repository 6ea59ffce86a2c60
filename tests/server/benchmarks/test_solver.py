from __future__ import annotations

import numpy as np

from models.heads.anny import AnnyHead
from models.tracking.synthetic_landmarks import random_person
from server.benchmarks.solver import bench_solver


def test_a_drawn_head_is_recovered_through_the_tracker() -> None:
    result = bench_solver(random_person(AnnyHead(), np.random.default_rng(8)), combined=4, quiet=True)
    assert result["missed"] == 0
    assert result["mae"] < 0.12
    assert result["mae.jawOpen"] < 0.12 and result["mae.eyeBlinkLeft"] < 0.15
    assert result["rotation"] < 3.5
