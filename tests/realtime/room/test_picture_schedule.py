"""Which picture is next: only what has changed, the longest wait first, and no view more often than others need."""

from __future__ import annotations

import math

import pytest

from realtime.rest import STEP
from realtime.room.picture_schedule import LONGEST_STEP, REST_SHARE, SEVERAL, SINGLE, Job, PictureSchedule, RestPace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def job(name: str, state: int = 0, people: int = 1, *slots: int) -> Job:
    return Job(name, state, people, tuple((slot, 1) for slot in slots or (0,)))


def test_a_new_view_does_not_wait_and_a_still_one_is_not_drawn_again() -> None:
    schedule = PictureSchedule(Clock())
    only = job("a")
    assert schedule.due([only]) == ([only], 0.0)
    schedule.done(only)
    assert schedule.due([only]) == ([], math.inf)


def test_what_changes_is_drawn_when_its_interval_is_over() -> None:
    clock = Clock()
    schedule = PictureSchedule(clock)
    for people, interval in ((1, SINGLE), (3, SEVERAL)):
        schedule.done(job("a", 0, people))
        found, wait = schedule.due([job("a", 1, people)])
        assert not found and math.isclose(wait, interval, rel_tol=1e-6)
        clock.now += interval + 1e-6
        assert schedule.due([job("a", 1, people)])[0]


def test_a_slow_machine_serves_all_views_in_turn() -> None:
    clock = Clock()
    schedule = PictureSchedule(clock)
    count = dict.fromkeys("abc", 0)
    for turn in range(30):
        (found,), _ = schedule.due([job(name, turn) for name in "abc"])
        count[str(found.key)] += 1
        clock.now += 0.1
        schedule.done(found)
    assert set(count.values()) == {10}


def test_a_page_that_joins_a_shared_picture_gets_it_at_once() -> None:
    clock = Clock()
    schedule = PictureSchedule(clock)
    schedule.done(job("a", 0, 1, 0))
    clock.now += 1
    joined = job("a", 0, 1, 0, 1)
    assert schedule.due([joined])[0] == [joined]
    schedule.done(joined)
    assert not schedule.due([job("a", 0, 1, 1)])[0], "one has left; nothing has changed for the other"


def test_what_draws_several_at_once_gets_all_that_are_due_those_first_that_wait_longest() -> None:
    clock = Clock()
    schedule = PictureSchedule(clock)
    for name in "cab":
        schedule.done(job(name))
        clock.now += 0.01
    clock.now += 1
    jobs = [job(name, 1) for name in "ab"] + [job("c", 0)]
    assert schedule.due(jobs, 8)[0] == jobs[:2], "what has not changed is not drawn along"
    jobs = [job(name, 1) for name in "abc"]
    assert [str(found.key) for found in schedule.due(jobs, 2)[0]] == ["c", "a"]


@pytest.mark.parametrize(
    ("drawing", "pictures", "driven", "step"),
    [
        (0.005, 1, False, STEP),
        (0.020, 1, False, 0.020 / REST_SHARE),
        (0.010, 2, False, 0.020 / REST_SHARE),
        (0.5, 2, False, LONGEST_STEP),
        (0.5, 2, True, STEP),
    ],
)
def test_people_at_rest_leave_a_busy_machine_to_others(drawing: float, pictures: int, driven: bool, step: float) -> None:
    pace = RestPace()
    for _ in range(30):
        pace.drew(drawing)
    for look in range(600):  # at looks 60 times a second
        pace.advance(look / 60, pictures, driven=driven)
    assert math.isclose(pace.step, step, rel_tol=1e-3) and abs(pace.steps - 10 / step) <= 2
