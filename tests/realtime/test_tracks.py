from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import av
import pytest
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from realtime import tracks
from realtime.tracks import AvatarTrack, feed_webcam


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


class Source(MediaStreamTrack):
    """A remote track: gives frames as they are put, and ends at `None`."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.queue: asyncio.Queue[av.VideoFrame | None] = asyncio.Queue()

    async def recv(self) -> av.VideoFrame:
        frame = await self.queue.get()
        if frame is None:
            raise MediaStreamError
        return frame


def picture(width: int = 16) -> av.VideoFrame:
    return av.VideoFrame(width, 16, "yuv420p")


async def test_the_newest_picture_is_sent() -> None:
    track = AvatarTrack()
    old, new = picture(), picture()
    track.deliver(old)
    track.deliver(new)
    assert await track.recv() is new


async def test_time_stamps_follow_a_90_khz_clock_and_always_grow() -> None:
    clock = Clock()
    track = AvatarTrack(clock)
    stamps = []
    for step in (0.0, 0.5, 0.0, 0.1):
        clock.now += step
        track.deliver(picture())
        stamps.append((await track.recv()).pts)
    assert stamps == [0, 45_000, 45_001, 54_000]


async def test_the_last_picture_is_repeated_while_none_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks, "REPEAT_AFTER", 0.01)
    track = AvatarTrack()
    only = picture()
    track.deliver(only)
    assert await track.recv() is only
    assert await track.recv() is only


async def test_a_stopped_track_ends() -> None:
    track = AvatarTrack()
    track.stop()
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_frames_that_come_while_one_is_submitted_are_skipped_but_the_last() -> None:
    source = Source()
    submitted: list[int] = []
    started, gate = threading.Event(), threading.Event()

    def submit(frame: av.VideoFrame, arrival: float) -> None:
        submitted.append(frame.width)
        started.set()
        gate.wait(10)

    with ThreadPoolExecutor(1) as executor:
        feeding = asyncio.create_task(feed_webcam(source, submit, executor))
        source.queue.put_nowait(picture(16))
        await asyncio.to_thread(started.wait, 10)
        for width in (32, 48, 64):
            source.queue.put_nowait(picture(width))
        while not source.queue.empty():
            await asyncio.sleep(0)
        gate.set()
        while len(submitted) < 2:
            await asyncio.sleep(0.001)
        source.queue.put_nowait(None)
        await feeding
    assert submitted == [16, 64]


async def test_an_error_in_submit_is_not_swallowed() -> None:
    source = Source()

    def submit(frame: av.VideoFrame, arrival: float) -> None:
        raise RuntimeError("submit failed")

    with ThreadPoolExecutor(1) as executor:
        feeding = asyncio.create_task(feed_webcam(source, submit, executor))
        while not feeding.done():
            source.queue.put_nowait(picture())
            await asyncio.sleep(0.001)
    with pytest.raises(RuntimeError, match="submit failed"):
        feeding.result()


async def test_nothing_is_sent_again_while_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks, "REPEAT_AFTER", 0.02)
    track = AvatarTrack()
    track.deliver(picture())
    last = await track.recv()
    assert await track.recv() is last
    track.paused = True
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0.1)
    assert not waiting.done()
    track.paused = False
    assert await waiting is last
