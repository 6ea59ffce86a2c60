"""The server's end of drive frames, with a render process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest

from models import arkit
from models.exchange.drive_frames import SentFrame, pack_record, unpack_record
from models.types import DriveFrame
from realtime.room.layout import ViewRequest
from tests.realtime.room.rooms import Room, rests, room, until

pytestmark = pytest.mark.timeout(240)


def frame(participant: int, value: float) -> bytes:
    coefficients = np.zeros(arkit.COUNT, np.float32)
    coefficients[0] = value
    return pack_record(SentFrame(DriveFrame(coefficients=coefficients), participant))


def value_of(here: Room, participant: int) -> float:
    record = here.worker.drives.shown().get(participant)
    return -1.0 if record is None else float(unpack_record(record.data).drive.coefficients[0])


async def drive(here: Room, participant: int, value: float) -> None:
    """Send until that is shown."""
    while value_of(here, participant) != pytest.approx(value, abs=0.01):
        here.worker.drives.send(participant, frame(participant, value), time.monotonic())
        await asyncio.sleep(0.02)


async def test_what_is_sent_is_shown_and_whoever_draws_is_told() -> None:
    told: list[float] = []
    async with room(lit=True) as here:
        here.worker._events = replace(here.events, moved=lambda: told.append(time.monotonic()))
        await here.seat(1)
        await here.seat(2)
        screen, view = here.watch(ViewRequest(-1))
        await until(lambda: screen.count > 0)
        await drive(here, 1, 0.8)
        assert not told and value_of(here, 2) == 0.0
        view.look(view.request, drawn=False)
        await rests(lambda: screen.count)
        count = screen.count
        await drive(here, 2, 0.4)
        assert told and screen.count == count
        view.look(view.request)
        await until(lambda: screen.count > count)


async def test_it_goes_on_after_the_process_was_killed_and_ends_with_whoever_leaves() -> None:
    async with room(lit=True) as here:
        here.worker.drives.send(1, frame(1, 0.5), 0.0)
        assert here.worker.drives.shown() == {}, "nobody is there"
        await here.seat(1)
        _, view = here.watch()
        view.look(view.request, drawn=False)
        await drive(here, 1, 0.8)
        first = here.worker.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: len(here.joined) == 2)
        await drive(here, 1, 0.6)
        here.worker.leave(1)
        assert here.worker.drives.shown() == {}
        await here.seat(2)
        assert value_of(here, 2) <= 0.0, "the slot of somebody who has left"
        here.worker._memory.shown.write(0, frame(1, 0.5), 0.0)
        assert 2 not in here.worker.drives.shown()
        here.worker._memory.shown.write(0, bytes(86), 0.0)
        assert 2 not in here.worker.drives.shown()
    assert here.worker.drives.shown() == {}
