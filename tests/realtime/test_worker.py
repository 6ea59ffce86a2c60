from __future__ import annotations

import asyncio
import os
import signal

import pytest

from models.errors import VisavisError
from realtime.view import ViewRequest
from tests.realtime.workers import Screen, running, until, webcam

pytestmark = pytest.mark.timeout(60)


async def test_a_view_has_a_picture_before_any_webcam_frame() -> None:
    async with running() as worker:
        screen = Screen()
        worker.open_view(screen)
        await until(lambda: screen.shows(0))
        assert screen.frame.format.name == "yuv420p" and (screen.frame.width, screen.frame.height) == (64, 64)


async def test_pictures_follow_the_webcam_and_the_camera() -> None:
    async with running() as worker:
        left, right = Screen(), Screen()
        worker.open_view(left)
        moved = worker.open_view(right)
        moved.look(ViewRequest(yaw=1.5))
        await until(lambda: worker.ready)
        for brightness in (200, 90):
            worker.submit(webcam(brightness), 1.0)
            await until(lambda b=brightness: left.shows(b) and right.shows(b, 1.5))
        moved.look(ViewRequest(yaw=-1.5))
        await until(lambda: right.shows(90, -1.5))
        assert set(worker.times.medians()) == {"decode", "track", "splat", "total"}
        assert worker.face


async def test_webcams_of_any_size_are_taken() -> None:
    async with running() as worker:
        screen = Screen()
        worker.open_view(screen)
        await until(lambda: worker.ready)
        for index, size in enumerate([(16, 16), (1280, 720), (720, 1280), (2000, 100), (333, 217)]):
            brightness = 60 + 40 * index
            worker.submit(webcam(brightness, *size), 1.0)
            await until(lambda wanted=brightness: screen.shows(wanted))


async def test_frames_that_come_too_fast_are_skipped_not_queued() -> None:
    async with running(track_seconds=0.05) as worker:
        screen = Screen()
        worker.open_view(screen)
        await until(lambda: worker.ready)
        for brightness in range(50, 250, 2):
            worker.submit(webcam(brightness), 1.0)
        await until(lambda: screen.shows(248))
        assert screen.count < 50


async def test_a_killed_process_comes_back_and_the_views_go_on() -> None:
    async with running() as worker:
        screen = Screen()
        worker.open_view(screen).look(ViewRequest(yaw=1.0))
        await until(lambda: worker.ready)
        worker.submit(webcam(220), 1.0)
        await until(lambda: screen.shows(220, 1.0))
        first = worker.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: not worker.ready)
        await until(lambda: worker.ready)
        assert worker.pid != first and worker.starts == 2
        worker.submit(webcam(120), 1.0)
        await until(lambda: screen.shows(120, 1.0))


async def test_a_frame_that_kills_the_process_does_not_stop_the_next_ones() -> None:
    async with running(crash_on_black=True) as worker:
        screen = Screen()
        worker.open_view(screen)
        await until(lambda: worker.ready)
        worker.submit(webcam(0), 1.0)
        await until(lambda: worker.starts == 2 and worker.ready)
        worker.submit(webcam(160), 1.0)
        await until(lambda: screen.shows(160))


async def test_a_sentence_from_the_factory_is_final() -> None:
    async with running(fail="an avatar file was expected, this is none; make one first") as worker:
        await until(lambda: worker.failure != "")
        assert worker.failure == "an avatar file was expected, this is none; make one first"
        assert not worker.ready and worker.starts == 1


async def test_views_are_limited_and_free_again_when_closed() -> None:
    async with running(views=1) as worker:
        first, second = Screen(), Screen()
        view = worker.open_view(first)
        with pytest.raises(VisavisError, match="at most 1 views"):
            worker.open_view(second)
        await until(lambda: first.count > 0)
        view.close()
        view.close()
        view.look(ViewRequest(yaw=1.0))
        count = first.count
        worker.open_view(second)
        await until(lambda: second.count > 0)
        assert first.count == count and second.shows(0, 0.0)


async def test_the_avatar_rests_when_the_webcam_stops_and_moves_again_when_it_comes_back() -> None:
    async with running() as worker:
        screen = Screen()
        worker.open_view(screen)
        await until(lambda: worker.ready)
        for brightness in (230, 90):
            while not screen.shows(brightness):
                worker.submit(webcam(brightness), 1.0)
                await asyncio.sleep(0.02)
            assert worker.face
            if brightness == 230:
                await until(lambda: screen.shows(0) and not worker.face)


async def test_stopping_before_it_is_ready_and_words_after_it_are_harmless() -> None:
    async with running() as worker:
        view = worker.open_view(Screen())
    worker.submit(webcam(10), 1.0)
    worker.recalibrate()
    view.look(ViewRequest())
    view.close()
