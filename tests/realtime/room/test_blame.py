"""After a death a process works on one person at a time, so that the next death is nobody else's."""

from __future__ import annotations

import math
import mmap
import threading

import pytest

from models.errors import VisavisError
from realtime.room.blame import CAREFUL, Blame
from realtime.room.hang import HangWatch
from realtime.room.memory import Flags


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def blame(*, careful: bool, clock: Clock | None = None) -> tuple[Blame, Flags]:
    flags = Flags(mmap.mmap(-1, Flags.size(4)), 0, 4)
    return Blame(flags, HangWatch([math.inf] * 3, 0.0), careful=careful, clock=clock or Clock()), flags


def test_usually_all_work_at_once_and_all_are_on_record() -> None:
    shared, flags = blame(careful=False)
    with shared.working(0, 7), shared.working(1, 3, patience=0) as mine:
        assert mine and flags.worked_on() == {7, 3}
    assert flags.worked_on() == set()


def test_after_a_death_one_waits_for_the_other_for_a_while() -> None:
    clock = Clock()
    shared, flags = blame(careful=True, clock=clock)
    began = threading.Event()

    def second() -> None:
        with shared.working(1, 3) as mine:
            assert mine and flags.worked_on() == {3}
            began.set()

    thread = threading.Thread(target=second)
    with shared.working(0, 7):
        with shared.working(2, 5, patience=0.01) as mine:
            assert not mine and flags.worked_on() == {7}
        thread.start()
        assert not began.wait(0.05)
    thread.join(10)
    assert began.is_set() and flags.worked_on() == set()
    clock.now += CAREFUL
    with shared.working(0, 7), shared.working(2, 5, patience=0) as mine:
        assert mine


def test_who_it_was_stays_on_record_when_the_work_ends_the_process() -> None:
    shared, flags = blame(careful=True)
    with pytest.raises(VisavisError), shared.working(0, 7):
        raise VisavisError("this picture cannot be tracked")
    assert flags.worked_on() == {7}
