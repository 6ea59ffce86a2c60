"""Who is stuck in one piece of work is told from who has much to do, and from a machine that stood still."""

from __future__ import annotations

import math

import pytest

from realtime.room.hang import LOOK, HangWatch, HungError

LIMIT = 2.0


def looks(watch: HangWatch, start: float, seconds: float, step: float = 0.1) -> float:
    """Look every `step` seconds for so long; returns the time then."""
    for count in range(1, round(seconds / step) + 1):
        watch.check(start + count * step)
    return start + seconds


def test_one_piece_of_work_that_takes_longer_than_its_limit_has_hung() -> None:
    watch = HangWatch([math.inf, LIMIT], 0.0)
    with watch.working(1):
        now = looks(watch, 0.0, LIMIT)
        with pytest.raises(HungError):
            looks(watch, now, 0.5)


def test_many_short_pieces_are_no_hang_however_busy() -> None:
    watch, now = HangWatch([LIMIT], 0.0), 0.0
    for _ in range(20):
        with watch.working(0):
            now = looks(watch, now, 0.9 * LIMIT)


def test_the_time_between_two_pieces_counts_nothing_nor_does_another_workers() -> None:
    watch = HangWatch([LIMIT, 5 * LIMIT], 0.0)
    now = looks(watch, 0.0, 10 * LIMIT)
    with watch.working(1):
        now = looks(watch, now, 3 * LIMIT)
        with watch.working(0):
            looks(watch, now, 0.5 * LIMIT)


def test_work_that_ends_with_an_error_is_over() -> None:
    watch = HangWatch([LIMIT], 0.0)
    with pytest.raises(ZeroDivisionError), watch.working(0):
        raise ZeroDivisionError
    looks(watch, 0.0, 5 * LIMIT)


def test_a_machine_that_stood_still_counts_little() -> None:
    watch, now = HangWatch([LIMIT], 0.0), 0.0
    with watch.working(0):
        watch.check(0.1)
        now = 1000.0  # suspended: nobody looked
        watch.check(now)
        now = looks(watch, now, LIMIT - LOOK - 0.2)
        with pytest.raises(HungError):
            looks(watch, now, LIMIT)
