"""Time in which the process stood still does not count, and nobody is given up for it."""

from __future__ import annotations

import time

import pytest

from server.call.protocol import Failure
from server.call.running_time import RunningTime
from tests.server.call.serving import rests, running, until


def test_a_long_pause_counts_no_more_than_the_longest_usual_one() -> None:
    now = [100.0]
    clock = RunningTime(0.75, lambda: now[0])
    begin = clock()
    for passed, counted in ((0.25, 0.25), (0.5, 0.75), (3600.0, 1.5), (0.25, 1.75)):
        now[0] += passed
        assert clock() - begin == pytest.approx(counted)


async def test_whoever_is_in_a_call_is_still_there_after_the_server_stood_still() -> None:
    async with running() as server, server.page("host") as page:
        await until(lambda: page.pictures > 0)
        server.room._time._clock = lambda: time.monotonic() + 3600.0  # as after a laptop's sleep
        await rests(lambda: len(server.room._peers), 1.0)  # some ticks
        assert server.room.people == 1 and Failure not in page.said
