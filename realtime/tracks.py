"""The media tracks of a call: the webcam's frames into the render process, the avatar's pictures out to a page.

Time stamps follow RFC 3550 (5.1): the avatar's clock runs at 90 kHz from the first picture (RFC 7741, 4.1), by the wall, so
that the sender reports that tie it to the sound's clock stay true when pictures are skipped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE, MediaStreamError

from realtime.mailbox import AsyncMailbox
from realtime.shared_encoding import PictureStream

REPEAT_AFTER = 0.5
"""Seconds without a new picture after which the last one is sent again, so that a lost one heals and a new decoder starts."""


class AvatarTrack(MediaStreamTrack):
    """Sends the newest picture that was delivered; pictures that come faster than the encoder takes them are skipped."""

    kind = "video"

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._pictures: AsyncMailbox[av.VideoFrame] = AsyncMailbox()
        self._last: av.VideoFrame | None = None
        self._start: float | None = None
        self._pts = -1
        self.paused = False
        """Whether nobody looks: the last picture is not sent again."""
        self.stream: PictureStream | None = None
        """What the newest picture is of; `None` when nobody else can have it."""

    def deliver(self, frame: av.VideoFrame) -> None:
        """The next picture to send: a yuv420p frame that is used nowhere else. `frame.opaque`: the `PictureStream` it is of."""
        self._pictures.put(frame)
        self.stream = frame.opaque if isinstance(frame.opaque, PictureStream) else None

    async def recv(self) -> av.VideoFrame:
        """The next picture with its time stamp (aiortc calls this). Raises `MediaStreamError` once stopped."""
        frame = await self.next()
        frame.pts, frame.time_base = self.stamp(self._clock()), VIDEO_TIME_BASE
        return frame

    async def next(self) -> av.VideoFrame:
        """The next picture, or the last one again when there has been none for `REPEAT_AFTER`. Raises `MediaStreamError` once
        stopped."""
        if self.readyState != "live":
            raise MediaStreamError
        self._last = await self._next()
        return self._last

    def stamp(self, when: float) -> int:
        """The 90 kHz time stamp of a picture that was taken up at `when`, later than the last one."""
        self._start = when if self._start is None else self._start
        self._pts = max(self._pts + 1, int((when - self._start) * VIDEO_CLOCK_RATE))
        return self._pts

    async def _next(self) -> av.VideoFrame:
        if self._last is None:
            return await self._pictures.get()
        while True:
            try:
                async with asyncio.timeout(REPEAT_AFTER):  # and not `wait_for`, which Python 3.11 may not be able to cancel
                    return await self._pictures.get()
            except TimeoutError:
                if not self.paused or self.readyState != "live":
                    return self._last


async def feed_webcam(track: MediaStreamTrack, submit: Callable[[av.VideoFrame, float], None], executor: Executor) -> None:
    """Take the frames of a remote webcam track as they come and `submit` the newest with its time of arrival, until it ends.

    The remote track queues without bound, so it is emptied all the time; while `submit` is busy in the `executor`, frames
    that are overtaken fall away.
    """
    newest: AsyncMailbox[tuple[av.VideoFrame, float]] = AsyncMailbox()

    async def hand_over() -> None:
        loop = asyncio.get_running_loop()
        while True:
            frame, arrival = await newest.get()
            await loop.run_in_executor(executor, submit, frame, arrival)

    handing = asyncio.create_task(hand_over())
    try:
        while not handing.done():
            frame = await track.recv()
            if isinstance(frame, av.VideoFrame):
                newest.put((frame, time.monotonic()))
        handing.result()
    except MediaStreamError:
        return  # the page has stopped its webcam, or left
    finally:
        handing.cancel()
