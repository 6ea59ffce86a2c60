from __future__ import annotations

from collections import Counter

from realtime.schedule import ViewSchedule
from realtime.shared import ViewRow
from realtime.view import ViewRequest

INTERVAL = 1 / 30


class World:
    """A clock that rendering moves, and drive frames that come every 33 ms whether or not anyone is ready."""

    def __init__(self, cost: float) -> None:
        self.now, self.cost = 100.0, cost
        self.schedule = ViewSchedule(lambda: self.now)
        self.rendered: Counter[int] = Counter()

    def run(self, rows: list[ViewRow], seconds: float) -> None:
        start, end = self.now, self.now + seconds
        number = 0
        while self.now < end:
            number = max(number + 1, int((self.now - start) / INTERVAL))  # the latest wins
            made = start + number * INTERVAL
            self.now = max(self.now, made)
            for job in self.schedule.round(rows, number, made):
                self.now += self.cost
                self.rendered.update(row.slot for row in job.rows)


def views(*yaws: float) -> list[ViewRow]:
    return [ViewRow(i, i + 1, float(i), ViewRequest(yaw)) for i, yaw in enumerate(yaws)]


def test_all_views_are_served_every_frame_when_there_is_time() -> None:
    world = World(cost=0.005)
    world.run(views(0.0, 1.0, 2.0), 10)
    assert all(world.rendered[slot] >= 295 for slot in range(3))


def test_the_first_view_keeps_its_rate_and_the_others_rotate() -> None:
    world = World(cost=0.020)
    world.run(views(0.0, 1.0, 2.0, 3.0), 10)
    assert world.rendered[0] >= 250
    others = [world.rendered[slot] for slot in (1, 2, 3)]
    assert min(others) >= 20 and max(others) - min(others) <= 2


def test_views_that_see_the_same_share_one_picture() -> None:
    world = World(cost=0.025)
    world.run(views(0.5, 0.5, 0.5001), 10)
    assert [world.rendered[slot] for slot in range(3)] == [world.rendered[0]] * 3
    assert world.rendered[0] >= 295


def test_a_view_that_moves_is_drawn_again_without_a_new_drive_frame() -> None:
    world = World(cost=0.0)
    still, moving = views(0.0, 1.0)
    assert len(list(world.schedule.moved([still, moving]))) == 2
    assert list(world.schedule.moved([still, moving])) == []
    moved = ViewRow(moving.slot, moving.generation, moving.priority, ViewRequest(1.1))
    assert [job.view.yaw for job in world.schedule.moved([still, moved])] == [1.1]


def test_a_page_that_takes_over_a_slot_gets_a_picture_at_once() -> None:
    world = World(cost=0.0)
    (row,) = views(0.0)
    assert list(world.schedule.moved([row]))
    successor = ViewRow(row.slot, row.generation + 1, row.priority, row.view)
    assert [job.rows for job in world.schedule.moved([successor])] == [(successor,)]


def test_no_views_no_work() -> None:
    assert list(World(0.0).schedule.round([], 1, 100.0)) == []
