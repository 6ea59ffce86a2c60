"""The quality control against machines of known speed: milliseconds a drive frame at full size, less where it is smaller."""

from __future__ import annotations

from itertools import pairwise

import pytest

from realtime.quality import BUDGET, LONGEST, ROUND, SCALES, QualityControl


def run(control: QualityControl, full: float, rounds: int, fixed: float = 0.3) -> list[float]:
    """The scale after each round on a machine that takes `full` ms, a part `fixed` of it whatever the size."""
    scales = []
    for _ in range(rounds):
        for _ in range(ROUND):
            control.add(full * (fixed + (1 - fixed) * control.scale**2))
        scales.append(control.scale)
    return scales


def test_a_fast_machine_draws_in_full() -> None:
    assert set(run(QualityControl(), 0.9 * BUDGET, 50)) == {1.0}


@pytest.mark.parametrize("slow", [1.3, 1.8, 2.5])
def test_a_slow_machine_draws_smaller_until_it_keeps_the_budget(slow: float) -> None:
    scales = run(QualityControl(), slow * BUDGET, 10)
    cost = slow * (0.3 + 0.7 * scales[-1] ** 2)
    assert scales[-1] < 1.0 and (cost <= 1.0 or scales[-1] == SCALES[-1])
    assert scales == sorted(scales, reverse=True), "it goes straight there"


def test_a_few_late_pictures_change_nothing() -> None:
    control = QualityControl()
    for index in range(20 * ROUND):
        control.add(10 * BUDGET if index % 5 == 0 else 0.5 * BUDGET)
        assert control.scale == 1.0


def test_it_comes_back_when_the_machine_is_free_again() -> None:
    control = QualityControl()
    assert run(control, 2.5 * BUDGET, 5)[-1] == SCALES[-1]
    assert run(control, 0.3 * BUDGET, 20)[-1] == 1.0


def test_it_comes_back_as_far_as_there_is_time_to_spare() -> None:
    """Half the side is not a quarter of the work, so a step up costs less than its pixels."""
    control = QualityControl()
    assert run(control, 2.5 * BUDGET, 5)[-1] == SCALES[-1]
    assert run(control, 0.85 * BUDGET, 100, fixed=0.4)[-1] == SCALES[1]


def test_it_does_not_swing_between_two_sizes() -> None:
    """A machine on which the larger size looks affordable and is not: each try waits longer than the one before."""
    control, scales = QualityControl(), []
    for _ in range(400):
        for _ in range(ROUND):
            control.add(1.2 * BUDGET if control.scale == 1.0 else 0.3 * BUDGET)
        scales.append(control.scale)
    tries = [i for i in range(1, len(scales)) if scales[i] == 1.0 != scales[i - 1]]
    waits = [b - a for a, b in pairwise(tries)]
    assert len(tries) < 20 and waits[-1] >= LONGEST and waits == sorted(waits)
