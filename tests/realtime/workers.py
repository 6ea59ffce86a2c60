"""A render worker with the fake pipeline, and what looks at its pictures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import av
import numpy as np

from realtime.render_process import Setup
from realtime.worker import RenderWorker, SupervisorTimeouts
from tests.fakes import flat_color


@asynccontextmanager
async def running(
    views: int = 2,
    timeouts: SupervisorTimeouts | None = None,
    factory: str = "tests.fakes:FakePipeline",
    avatar: bytes = b"",
    **options: Any,
) -> AsyncIterator[RenderWorker]:
    """A worker that has started; it has stopped when the block has ended."""
    worker = RenderWorker(Setup(factory, options, 64, 64), views=views, avatar=avatar, timeouts=timeouts)
    worker.start()
    try:
        yield worker
    finally:
        await worker.stop()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it; the test's own timeout is the limit."""
    while not condition():
        await asyncio.sleep(0.01)


def webcam(brightness: int, width: int = 64, height: int = 48) -> av.VideoFrame:
    """A flat webcam frame."""
    return av.VideoFrame.from_ndarray(np.full((height, width, 3), brightness, np.uint8)).reformat(format="yuv420p")


class Screen:
    """Keeps the newest picture of a view."""

    def __init__(self) -> None:
        self.frame: av.VideoFrame | None = None
        self.count = 0

    def __call__(self, frame: av.VideoFrame) -> None:
        self.frame, self.count = frame, self.count + 1

    def shows(self, brightness: float, yaw: float = 0.0, blue: float = 40) -> bool:
        """Whether it is what the fake pipeline draws for that webcam, view and avatar."""
        if self.frame is None:
            return False
        middle = self.frame.to_ndarray(format="rgb24")[32, 32].astype(int)
        return bool(np.abs(middle - flat_color(brightness, yaw, blue)).max() <= 8)
