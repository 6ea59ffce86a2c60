"""The shared memory of a room: both sides see it, and the process's work can be read when it is gone."""

from __future__ import annotations

import errno
import mmap
import os

import numpy as np
import pytest

from models.errors import VisavisError
from realtime.room import memory
from realtime.room.framing import Framing
from realtime.room.layout import ViewRequest
from realtime.room.memory import Flags, MemoryLayout, RoomMemory
from realtime.room.record_table import Record

LAYOUT = MemoryLayout(people=2, views=3, width=16, height=8, input_bytes=300)


def test_both_sides_see_requests_pictures_and_flags() -> None:
    ours = RoomMemory(LAYOUT)
    theirs = RoomMemory(LAYOUT, os.dup(ours._handle))
    request = ViewRequest(4, True, 5, 0.5, -0.25, 1.5, Framing(640, 360, 2, mask=True))
    ours.requests.set(1, 7, request)
    assert theirs.requests.open_views() == [(1, 7, request, True)]
    ours.requests.set(1, 7, request, drawn=False)
    assert theirs.requests.open_views() == [(1, 7, request, False)]
    ours.requests.free(1)
    assert theirs.requests.open_views() == []
    ours.webcams[1].write(10, 10, 2.5, lambda out: out.fill(9))
    seen = theirs.webcams[1].copy()
    assert seen is not None and seen.stamp == 2.5 and (seen.pixels == 9).all() and theirs.webcams[0].copy() is None
    theirs.pictures[2].write(8, 16, 1.0, lambda out: out.fill(3))
    drawn = ours.pictures[2].copy()
    assert drawn is not None and drawn.pixels.shape == (8, 16, 3)
    ours.sent.write(1, b"up", 0.5)
    theirs.shown.write(0, b"down", 1.5)
    assert theirs.sent.read(1) == Record(1, 0.5, b"up") and ours.shown.read(0) == Record(1, 1.5, b"down")
    assert theirs.sent.read(0) is None and ours.shown.read(1) is None
    ours.flags.recalibrate(1)
    assert not theirs.flags.take_recalibrate(0) and theirs.flags.take_recalibrate(1) and not theirs.flags.take_recalibrate(1)
    theirs.flags.work_on(0, 12)
    theirs.flags.work_on(Flags.WORKERS - 1, 0)
    assert ours.flags.worked_on() == {0, 12} and not theirs.flags.stopping
    ours.flags.stop()
    assert theirs.flags.stopping
    ours.clear()
    assert not theirs.flags.stopping and ours.flags.worked_on() == set()
    assert theirs.sent.read(1) is None and ours.shown.read(0) is None
    for block in (theirs, ours, ours):
        block.close()


def test_what_a_wild_process_writes_is_drawn_within_limits() -> None:
    block = RoomMemory(LAYOUT)
    block.requests._rows[0] = np.array([1, 0, 0, 0, 1e9, 1e9, 1e9, -5, 1e9, 1e9, 1e9, 1e9])
    (_, _, request, _), *_ = block.requests.open_views()
    assert request == request.within_limits()
    block.close()


def test_memory_that_is_not_to_be_had_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> int:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    block, handles = RoomMemory(LAYOUT), len(os.listdir("/proc/self/fd"))
    for name in ("take", "reserve"):
        monkeypatch.setattr(memory, name, refuse)
        with pytest.raises(VisavisError, match=r"1 MB of memory were expected.*Cannot allocate memory"):
            RoomMemory(LAYOUT)
    assert len(os.listdir("/proc/self/fd")) == handles
    with pytest.raises(VisavisError, match="memory were expected"):
        block.take_picture(1)
    block.close()


def test_memory_for_pictures_is_there_while_it_is_used() -> None:
    block = RoomMemory(MemoryLayout(people=2, views=3, width=256, height=256, input_bytes=300_000))
    least, picture, webcam = block.taken, 3 * 256 * 256 * 3, 3 * 300_000
    assert least < 200_000
    block.take_picture(1)
    block.take_picture(1)
    block.take_webcam(0)
    assert 0 <= block.taken - least - picture - webcam < 2 * mmap.PAGESIZE
    block.pictures[1].write(256, 256, 0.0, lambda out: out.fill(7))
    block.give_picture(1)
    block.give_picture(1)
    block.give_picture(2)
    assert 0 <= block.taken - least - webcam < 2 * mmap.PAGESIZE
    block.take_picture(1)
    assert block.pictures[1].write(256, 256, 0.0, lambda out: out.fill(8)) == 2, "no sequence number comes twice"
    block.give_webcam(0)
    block.give_picture(1)
    assert block.taken == least
    block.close()
