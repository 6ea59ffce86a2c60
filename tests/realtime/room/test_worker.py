"""A room's render process, supervised: everybody's pictures come, whoever breaks it is put out, and the room goes on."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from typing import Any

import numpy as np
import pytest

from models.errors import VisavisError
from realtime.room.framing import BACKGROUNDS, NAMES, Framing
from realtime.room.layout import ViewRequest
from realtime.room.messages import Join
from realtime.room.process import RoomSetup
from realtime.room.roster import DEATHS
from realtime.room.supervision import RoomEvents, SupervisorTimeouts
from realtime.room.view import OpenView, ViewPicture
from realtime.room.worker import RoomWorker
from tests.realtime.room.rooms import BLUE, GREEN, RED, WHITE, rests, room, stop_process, until

pytestmark = pytest.mark.timeout(240)


async def test_each_sees_the_others_and_who_leaves_is_gone() -> None:
    async with room() as here:
        await here.seat(1, RED)
        await here.seat(2, GREEN)
        (one, _), (two, _), (everybody, view) = (here.watch(r) for r in (ViewRequest(1), ViewRequest(2), ViewRequest()))
        await until(lambda: one.shows(0, 255, 0) and two.shows(255, 0, 0) and everybody.shows(127, 127, 0))
        assert everybody.frame is not None and everybody.frame.format.name == "yuv420p"
        here.worker.leave(2)
        await until(lambda: everybody.shows(255, 0, 0))
        await until(lambda: one.shows(255, 0, 0))  # alone, one sees oneself
        view.close()


async def test_pictures_follow_the_webcams_and_rest_when_none_comes() -> None:
    async with room(lit=True) as here:
        await here.seat(1)
        screen, _ = here.watch()
        await until(lambda: screen.shows(0, 0, 0))  # a picture, before any webcam's
        for brightness in (200, 90):
            await here.until_shown(screen, brightness)
        assert set(here.worker.times.medians()) == {"decode", "track", "solve", "pose", "splat", "total"}
        await until(lambda: 1 in here.worker.driven)
        await until(lambda: screen.shows(0, 0, 0) and not here.worker.driven)
        await rests(lambda: screen.count, 0.5)
        await here.until_shown(screen, 230)


async def test_a_picture_that_several_see_is_converted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    offered: list[ViewPicture] = []
    offer = OpenView.offer
    monkeypatch.setattr(OpenView, "offer", lambda view, picture: offered.append(picture) or offer(view, picture))
    async with room(lit=True) as here:
        await here.seat(1)
        screens = [here.watch()[0] for _ in range(4)]
        await until(lambda: all(screen.count for screen in screens))
        del offered[:]
        for brightness in itertools.cycle((200, 90)):
            await here.until_shown(screens[0], brightness)
            if len(offered) > 20:
                break
    assert len(offered) > 2 * len(set(map(id, offered)))  # 4, less what a view missed while its slot was written


async def test_webcams_of_any_size_are_taken() -> None:
    async with room(lit=True) as here:
        await here.seat(1)
        screen, _ = here.watch()
        for index, size in enumerate([(16, 16), (1280, 720), (720, 1280), (2000, 100), (333, 217)]):
            brightness = 60 + 40 * index
            here.webcam(1, brightness, *size)
            await until(lambda wanted=brightness: screen.shows(wanted, wanted, wanted))  # type: ignore[misc]


async def test_webcam_pictures_that_come_too_fast_are_skipped_not_queued() -> None:
    async with room(SupervisorTimeouts(silent=60.0), lit=True) as here:
        await here.seat(1)
        screen, _ = here.watch()
        await until(lambda: screen.count > 0)
        process, seen = here.worker.pid, list[int]()
        assert process is not None
        await stop_process(process)  # or a quick one takes each
        for brightness in range(50, 250, 2):
            here.webcam(1, brightness)
        os.kill(process, signal.SIGCONT)
        await until(lambda: seen.append(screen.count) or screen.shows(248, 248, 248))
        assert seen[-1] - seen[0] < 50


async def test_recalibrating_reaches_the_participant_alone() -> None:
    async with room() as here:
        await here.seat(1, RED)
        await here.seat(2, GREEN)
        screen, _ = here.watch()
        here.worker.recalibrate(2)
        here.webcam(2)
        await until(lambda: screen.shows(127, 0, 0))
        await until(lambda: here.worker.calibrating == {2})


async def test_a_killed_process_is_started_again_with_all_that_was_there() -> None:
    async with room() as here:
        await here.seat(1, RED)
        await here.seat(2, GREEN)
        screen, _ = here.watch(ViewRequest(1))
        await until(lambda: screen.shows(0, 255, 0))
        first = here.worker.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: len(here.joined) == 4)
        count = screen.count
        await until(lambda: screen.count > count and screen.shows(0, 255, 0))
        assert not here.refused and here.worker.pid != first and here.worker.starts == 2


class Starts:
    """A context of processes that keeps whether each was told to be careful."""

    def __init__(self, context: Any) -> None:
        self._context, self.careful = context, list[bool]()

    def Process(self, *, args: tuple[Any, ...], **more: Any) -> Any:  # noqa: N802 (multiprocessing's name)
        self.careful.append(args[-1])
        return self._context.Process(args=args, **more)


@pytest.mark.parametrize("kind", [b"crash", b"step"])
async def test_an_avatar_that_ends_the_process_twice_is_put_out_and_the_room_goes_on(kind: bytes) -> None:
    async with room() as here:
        await here.seat(1, RED)
        screen, _ = here.watch()
        starts = here.worker._context = Starts(here.worker._context)  # type: ignore[assignment]
        here.worker.join(2, GREEN + kind)
        while 2 not in here.refused:
            here.webcam(2)
            here.webcam(1)  # is tracked and drawn all the time, and may be so when the process dies
            await asyncio.sleep(0.005)
        assert "twice" in here.refused[2] and 1 not in here.refused
        await until(lambda: len(starts.careful) == DEATHS)
        assert all(starts.careful)
        here.worker.leave(2)
        await until(lambda: here.joined.count(1) == DEATHS + 1)
        await until(lambda: screen.shows(255, 0, 0))


async def test_who_comes_and_goes_leaves_no_avatars_waiting_in_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    async with room(SupervisorTimeouts(silent=60.0)) as here:
        await here.seat(1, RED)
        line, told = here.worker._line, []
        send = line.send
        monkeypatch.setattr(line, "send", lambda message, *more: told.append(message) or send(message, *more))
        assert here.worker.pid is not None
        await stop_process(here.worker.pid)  # or a quick one answers in between, and is told of the next
        for participant in range(2, 100):
            here.worker.join(participant, GREEN)
            here.worker.leave(participant)
        os.kill(here.worker.pid, signal.SIGCONT)
        assert sum(isinstance(message, Join) for message in told) <= 1
        await here.seat(200, GREEN)
        screen, _ = here.watch(ViewRequest(1))
        await until(lambda: screen.shows(0, 255, 0))


async def test_an_avatar_that_is_none_is_refused_in_one_sentence() -> None:
    async with room() as here:
        here.worker.join(1, RED + b"refuse")
        await until(lambda: bool(here.refused))
        assert here.refused == {1: "an avatar was expected, this is none; take another one"} and here.worker.starts == 1


async def test_there_are_only_so_many_seats_and_views() -> None:
    async with room() as here:
        for participant in range(3):
            here.worker.join(participant, RED)
        with pytest.raises(VisavisError, match="at most 3 people"):
            here.worker.join(9, RED)
        here.worker.leave(0)
        here.worker.join(9, RED)
        old, first = here.watch(ViewRequest(1))
        for _ in range(3):
            here.watch()
        with pytest.raises(VisavisError, match="at most 4 views"):
            here.watch()
        await until(lambda: old.count > 0)
        first.close()
        first.close()
        first.look(ViewRequest(2))
        count = old.count
        new, _ = here.watch()
        await until(lambda: new.count > 0)
        assert old.count == count


@pytest.mark.parametrize(
    ("factory", "options", "sentence"),
    [
        ("nowhere:Nothing", {}, "nowhere:Nothing"),
        ("tests.realtime.room.fake:FakeRoomPipeline", {"fail": "a file was expected, there is none"}, "a file was expected"),
    ],
)
async def test_a_process_that_says_it_can_never_work_is_not_started_again(factory: str, options: dict, sentence: str) -> None:
    worker = RoomWorker(RoomSetup(factory, options, width=64, height=48), people=1, views=1)
    changed = asyncio.Event()
    worker.start(RoomEvents(changed=changed.set))
    await asyncio.wait_for(changed.wait(), 20)
    assert sentence in worker.failure and worker.starts == 1 and not worker.ready
    await worker.stop()


async def test_stopping_before_it_is_ready_and_what_is_said_after_it_are_harmless() -> None:
    async with room() as here:
        here.worker.join(1, WHITE)
        _, view = here.watch()
    here.webcam(1)
    here.worker.recalibrate(1)
    here.worker.leave(1)
    view.look(ViewRequest())
    view.close()
    with pytest.raises(VisavisError):
        here.worker.join(2, WHITE)
    with pytest.raises(VisavisError):
        here.watch()


@pytest.mark.parametrize("fault", [b"refuse", b"crash", b"stall"])
async def test_a_better_avatar_is_shown_without_a_rejoin_and_one_that_is_none_leaves_the_old_one(fault: bytes) -> None:
    async with room(SupervisorTimeouts(avatar=1.5, backoff=0.1)) as here:
        await here.seat(1, RED)
        await here.seat(2, RED)
        screen, _ = here.watch()
        await until(lambda: screen.shows(255, 0, 0))
        for participant in (1, 2, 3):
            here.worker.replace(participant, GREEN)  # of somebody at rest, too; nobody has seat 3
        await until(lambda: screen.shows(0, 255, 0))
        assert here.joined == [1, 2] and here.replaced == [(1, ""), (2, "")]
        here.worker.replace(1, BLUE + fault)
        await until(lambda: len(here.replaced) == 3)
        assert here.replaced[2][0] == 1 and here.replaced[2][1]
        here.worker.replace(2, WHITE)
        await until(lambda: screen.shows(127, 255, 127))
        assert not here.refused and here.worker.starts == (1 if fault == b"refuse" else 2)


async def test_the_newest_of_several_better_avatars_is_shown_also_after_a_death() -> None:
    async with room() as here:
        await here.seat(1, RED)
        screen, _ = here.watch()
        for color in (GREEN, BLUE, WHITE, GREEN, BLUE):
            here.worker.replace(1, color)
        await until(lambda: screen.shows(0, 0, 255))
        assert here.worker.pid is not None
        os.kill(here.worker.pid, signal.SIGKILL)
        count = screen.count
        await until(lambda: here.joined == [1, 1] and screen.count > count and screen.shows(0, 0, 255))


async def test_each_view_has_its_own_size_and_background_and_none_while_nobody_looks() -> None:
    async with room(lit=True) as here:
        (plain, _), (sand, view) = here.watch(), here.watch(ViewRequest(frame=Framing(600, 200, NAMES.index("sand"))))
        (masked, _) = here.watch(ViewRequest(frame=Framing(64, 64, NAMES.index("dark"), mask=True)))
        await until(lambda: min(plain.count, sand.count, masked.count) > 0)
        assert plain.shows(255, 255, 255) and (plain.frame.width, plain.frame.height) == (64, 48)
        assert sand.shows(*BACKGROUNDS["sand"]) and (sand.frame.width, sand.frame.height) == (48, 48)
        assert (masked.frame.width, masked.frame.height) == (32, 48 + 24)
        pixels = masked.frame.to_ndarray(format="rgb24").astype(int)
        assert np.abs(pixels[:40] - BACKGROUNDS["dark"]).max() < 8 and pixels[56:].max() < 8, "nobody is there"
        view.pause()
        await here.seat(1)
        await until(lambda: plain.shows(0, 0, 0))
        await until(lambda: bool(masked.frame.to_ndarray(format="rgb24")[56:].min() > 247))  # somebody is there
        before = sand.count
        await here.until_shown(plain, 200)
        assert sand.count <= before + 1
        view.look(view.request)
        await until(lambda: sand.shows(200, 200, 200))
