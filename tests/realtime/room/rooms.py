"""A room's worker with the fake pipeline, and what looks at its pictures."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np

from realtime.room.layout import ViewRequest
from realtime.room.process import RoomSetup
from realtime.room.supervision import RoomEvents, SupervisorTimeouts
from realtime.room.view import OpenView
from realtime.room.worker import RoomWorker

RED, GREEN, BLUE, WHITE = b"\xff\x00\x00", b"\x00\xff\x00", b"\x00\x00\xff", b"\xff\xff\xff"
FAKE = "tests.realtime.room.fake:FakeRoomPipeline"
SOON = SupervisorTimeouts(silent=1.5, loading=3.0, backoff=0.1)


class Screen:
    """The pictures of one view."""

    def __init__(self) -> None:
        self.frame: av.VideoFrame | None = None
        self.count = 0

    def __call__(self, frame: av.VideoFrame) -> None:
        self.frame, self.count = frame, self.count + 1

    @property
    def color(self) -> tuple[int, int, int]:
        """The newest picture's middle, RGB; negative while there is none."""
        if self.frame is None:
            return (-99, -99, -99)
        pixels = self.frame.to_ndarray(format="rgb24")
        return tuple(int(v) for v in pixels[pixels.shape[0] // 2, pixels.shape[1] // 2])  # type: ignore[return-value]

    def shows(self, red: float, green: float, blue: float) -> bool:
        """Whether the newest picture has that colour."""
        return bool(np.abs(np.subtract(self.color, (red, green, blue))).max() <= 8)


class Room:
    """A worker, and what it has told."""

    def __init__(self, worker: RoomWorker) -> None:
        self.worker = worker
        self.joined: list[int] = []
        self.refused: dict[int, str] = {}
        self.replaced: list[tuple[int, str]] = []
        self.events = RoomEvents(
            joined=self.joined.append, refused=self.refused.__setitem__, replaced=lambda *told: self.replaced.append(told)
        )

    def watch(self, request: ViewRequest | None = None) -> tuple[Screen, OpenView]:
        screen = Screen()
        return screen, self.worker.open_view(screen, request)

    async def seat(self, participant: int, avatar: bytes = WHITE) -> None:
        """Somebody sits down; returns when the avatar is loaded."""
        self.worker.join(participant, avatar, participant)
        await until(lambda: participant in self.joined)

    def webcam(self, participant: int, brightness: int = 200, width: int = 64, height: int = 48) -> None:
        self.worker.submit(participant, webcam(brightness, width, height), time.monotonic())

    async def until_shown(self, screen: Screen, brightness: int, participant: int = 1) -> None:
        """Film that brightness until the screen shows it; everybody is white, and lit."""
        while not screen.shows(brightness, brightness, brightness):
            self.webcam(participant, brightness)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def room(
    timeouts: SupervisorTimeouts | None = None, factory: str = FAKE, people: int = 3, views: int = 4, **options: Any
) -> AsyncIterator[Room]:
    """A worker that has started; it has stopped when the block has ended."""
    setup = RoomSetup(factory, options, width=64, height=48)
    worker = RoomWorker(setup, people=people, views=views, timeouts=timeouts or SupervisorTimeouts(backoff=0.2))
    made = Room(worker)
    worker.start(made.events)
    try:
        yield made
    finally:
        await worker.stop()


def webcam(brightness: int, width: int = 64, height: int = 48) -> av.VideoFrame:
    """A flat webcam picture."""
    return av.VideoFrame.from_ndarray(np.full((height, width, 3), brightness, np.uint8), format="rgb24")


async def stop_process(pid: int) -> None:
    """Send SIGSTOP and wait until no thread of the process runs any more."""
    os.kill(pid, signal.SIGSTOP)
    tasks = Path(f"/proc/{pid}/task")
    await until(lambda: all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T" for task in tasks.iterdir()))


async def rests(value: Callable[[], int], seconds: float = 0.4) -> None:
    """Wait until a count has stayed the same for so long; the test's own timeout is the limit."""
    before, since = value(), time.monotonic()
    while time.monotonic() - since < seconds:
        await asyncio.sleep(0.01)
        if value() != before:
            before, since = value(), time.monotonic()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it; the test's own timeout is the limit."""
    while not condition():
        await asyncio.sleep(0.01)
