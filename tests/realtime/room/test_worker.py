"""A room's render process, supervised: everybody's pictures come, whoever breaks it is put out, and the room goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import av
import numpy as np
import pytest

from models.errors import VisavisError
from realtime.room.layout import ViewRequest
from realtime.room.process import RoomSetup
from realtime.room.supervision import RoomEvents
from realtime.room.worker import DEATHS, RoomWorker
from realtime.room.supervision import SupervisorTimeouts

RED, GREEN, BLUE = b"\xff\x00\x00", b"\x00\xff\x00", b"\x00\x00\xff"
FAKE = RoomSetup("tests.realtime.room.fake:FakeRoomPipeline", width=64, height=48)


class Room:
    """A worker and what it has told."""

    def __init__(self, worker: RoomWorker) -> None:
        self.worker = worker
        self.joined: list[int] = []
        self.refused: dict[int, str] = {}
        self.events = RoomEvents(joined=self.joined.append, refused=self.refused.__setitem__)
        self.pictures: dict[str, list[tuple[int, int, int]]] = {}

    def watch(self, name: str, request: ViewRequest) -> object:
        def deliver(frame: av.VideoFrame) -> None:
            color = frame.to_ndarray(format="rgb24").reshape(-1, 3).mean(0)
            self.pictures.setdefault(name, []).append(tuple(round(float(c) / 32) for c in color))  # type: ignore[arg-type]

        return self.worker.open_view(deliver, request)

    def webcam(self, participant: int, brightness: int = 200) -> None:
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), brightness, np.uint8), format="rgb24")
        self.worker.submit(participant, frame, time.monotonic())

    async def until(self, what: Callable[[], bool], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)


@asynccontextmanager
async def room(timeouts: SupervisorTimeouts | None = None) -> AsyncIterator[Room]:
    worker = RoomWorker(FAKE, people=3, views=4, timeouts=timeouts or SupervisorTimeouts(backoff=0.2))
    made = Room(worker)
    worker.start(made.events)
    try:
        yield made
    finally:
        await worker.stop()


async def test_each_sees_the_others_and_who_leaves_is_gone() -> None:
    async with room() as here:
        here.worker.join(1, RED)
        here.worker.join(2, GREEN)
        await here.until(lambda: sorted(here.joined) == [1, 2])
        here.watch("one", ViewRequest(1))
        here.watch("two", ViewRequest(2))
        all_of_them = here.watch("all", ViewRequest())
        await here.until(lambda: len(here.pictures) == 3)
        assert here.pictures["one"][-1] == (0, 8, 0) and here.pictures["two"][-1] == (8, 0, 0)
        assert here.pictures["all"][-1] == (4, 4, 0)
        here.worker.leave(2)
        await here.until(lambda: here.pictures["all"][-1] == (8, 0, 0))
        await here.until(lambda: here.pictures["one"][-1] == (8, 0, 0))  # alone, one sees oneself
        all_of_them.close()  # type: ignore[attr-defined]


async def test_pictures_follow_the_webcams_and_rest_when_none_comes() -> None:
    async with room() as here:
        here.worker.join(1, RED)
        await here.until(lambda: here.joined == [1])
        here.watch("all", ViewRequest())
        await here.until(lambda: bool(here.pictures))
        for _ in range(20):
            here.webcam(1)
            await asyncio.sleep(0.04)
        moving = len(here.pictures["all"])
        assert moving > 8
        await here.until(lambda: 1 in here.worker.driven or not here.worker.ready)
        assert here.worker.times.values("total")
        await asyncio.sleep(2.0)
        rested = len(here.pictures["all"])
        await asyncio.sleep(0.5)
        assert len(here.pictures["all"]) <= rested + 1 and not here.worker.driven


async def test_recalibrating_reaches_the_participant_alone() -> None:
    async with room() as here:
        here.worker.join(1, RED)
        here.worker.join(2, GREEN)
        await here.until(lambda: len(here.joined) == 2)
        here.watch("all", ViewRequest())
        here.worker.recalibrate(2)
        here.webcam(2)
        await here.until(lambda: here.pictures.get("all", [()])[-1] == (4, 0, 0))


async def test_a_killed_process_is_started_again_with_all_that_was_there() -> None:
    async with room() as here:
        here.worker.join(1, RED)
        here.worker.join(2, GREEN)
        await here.until(lambda: len(here.joined) == 2)
        here.watch("one", ViewRequest(1))
        await here.until(lambda: bool(here.pictures))
        assert here.worker.pid is not None
        os.kill(here.worker.pid, signal.SIGKILL)
        await here.until(lambda: len(here.joined) == 4)
        count = len(here.pictures["one"])
        await here.until(lambda: len(here.pictures["one"]) > count and here.pictures["one"][-1] == (0, 8, 0))
        assert not here.refused


@pytest.mark.parametrize("kind", [b"crash", b"step"])
async def test_an_avatar_that_ends_the_process_twice_is_put_out_and_the_room_goes_on(kind: bytes) -> None:
    async with room() as here:
        here.worker.join(1, RED)
        await here.until(lambda: here.joined == [1])
        here.watch("all", ViewRequest())
        here.worker.join(2, GREEN + kind)
        deadline = time.monotonic() + 30
        while 2 not in here.refused:
            here.webcam(2)
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        assert "twice" in here.refused[2] and 1 not in here.refused
        here.worker.leave(2)
        await here.until(lambda: here.joined.count(1) == DEATHS + 1)
        await here.until(lambda: here.pictures["all"][-1] == (8, 0, 0))


async def test_an_avatar_that_is_none_is_refused_in_one_sentence() -> None:
    async with room() as here:
        here.worker.join(1, RED + b"refuse")
        await here.until(lambda: bool(here.refused))
        assert here.refused == {1: "an avatar was expected, this is none; take another one"} and here.worker.starts == 1


async def test_there_are_only_so_many_seats_and_views() -> None:
    async with room() as here:
        for participant in range(3):
            here.worker.join(participant, RED)
        with pytest.raises(VisavisError, match="at most 3 people"):
            here.worker.join(9, RED)
        here.worker.leave(0)
        here.worker.join(9, RED)
        views = [here.watch(str(n), ViewRequest()) for n in range(4)]
        with pytest.raises(VisavisError, match="at most 4 views"):
            here.watch("more", ViewRequest())
        views[0].close()  # type: ignore[attr-defined]
        here.watch("more", ViewRequest())


async def test_a_process_that_never_starts_is_given_up_with_a_sentence() -> None:
    worker = RoomWorker(RoomSetup("nowhere:Nothing", width=64, height=48), people=1, views=1)
    changed = asyncio.Event()
    worker.start(RoomEvents(changed=changed.set))
    await asyncio.wait_for(changed.wait(), 20)
    assert "nowhere:Nothing" in worker.failure
    await worker.stop()
