"""Nobody comes in who would drag the others under the least rate."""

from __future__ import annotations

import pytest

from realtime.room.admission import Load


def test_a_room_fills_until_the_machine_is_full() -> None:
    people = 0
    while Load(people, people, 14.0, 16.0, cores=2).admits(person=True, least=15.0):
        people += 1
    assert people == 3
    assert Load(people, people, 14.0, 16.0, cores=2).rate >= 15.0 > Load(4, 4, 14.0, 16.0, cores=2).rate


def test_watching_costs_less_than_a_seat() -> None:
    load = Load(3, 3, 20.0, 10.0, cores=2)
    assert not load.admits(person=True, least=15.0) and load.admits(person=False, least=15.0)


@pytest.mark.parametrize(("more", "less"), [({"cores": 8}, {"cores": 2}), ({"busy": 0.0}, {"busy": 0.6})])
def test_a_larger_or_idler_machine_takes_more(more: dict[str, float], less: dict[str, float]) -> None:
    assert Load(6, 6, **more).rate > Load(6, 6, **less).rate  # type: ignore[arg-type]


def test_a_least_rate_of_none_takes_everybody() -> None:
    assert Load(99, 99, cores=1, busy=0.95).admits(person=True, least=0.0)


def test_an_empty_room_is_fast() -> None:
    assert Load(0, 0).rate == 30.0


def test_who_sends_landmarks_costs_what_landmarks_cost() -> None:
    seen = Load(6, 6, 14.0, 4.0, cores=2)
    private = Load(6, 6, 14.0, 4.0, cores=2, private=6, private_ms=3.0)
    assert not seen.admits(person=True, least=20.0) and private.admits(person=True, least=20.0)
    assert private.rate == Load(6, 6, 3.0, 4.0, cores=2).rate
    assert Load(1, 0, private=3).rate == Load(1, 0, private=1).rate, "one who has just left is not counted twice"
