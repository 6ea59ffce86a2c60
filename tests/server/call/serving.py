"""A real server on a free port, with the fake pipeline, in the test's own event loop."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import HTTPError
from weakref import WeakSet

import av
import numpy as np
from aiortc import MediaStreamTrack

from server.call.app import Addresses, serve
from server.call.config import ServerConfig
from server.call.protocol import ANYWHERE, Failure, Join, Place, Role
from server.call.room import Room
from server.call.rooms import Rooms
from server.call_client import CallClient, CameraTrack
from tests.fakes import fake_avatar, flat_color
from tests.realtime.room.rooms import rests
from tests.server.store.rows import make_database

__all__ = ["rests"]

FAKE = ServerConfig(
    port=0,
    width=128,
    height=128,
    factory="tests.fakes:FakePipeline",
    least_rate=0.0,
    dead_after=30.0,  # pages and server share one event loop, and the machine with whatever else is run
    enrollments=0,
    better_enrollments=0,
)


@dataclass
class Reply:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


@dataclass
class Running:
    """A server that runs. `brightness` is what webcams show."""

    config: ServerConfig
    rooms: Rooms
    addresses: Addresses
    stop: Callable[[], None]
    brightness: int = 200

    @property
    def room(self) -> Room:
        """The first room."""
        return self.rooms.open[0]

    @property
    def base(self) -> str:
        """http://host:port"""
        return self.addresses.host.partition("/room/")[0]

    @property
    def socket(self) -> str:
        """The signalling socket's address."""
        return self.base.replace("http", "ws", 1) + "/ws"

    def key(self, role: Role) -> str:
        """The key of the first room."""
        return str(getattr(self.rooms.first, role))

    def page(
        self,
        role: Role,
        join: Join | None = None,
        *,
        microphone: MediaStreamTrack | None = None,
        resume: str = "",
        voices: int = 1,
        filmed: bool = True,
        place: Place = ANYWHERE,
    ) -> CallClient:
        """A page without a browser; those with an avatar have a webcam if `filmed`."""
        webcam = None
        if filmed and role != "viewer" and not (join and join.watch):
            webcam = CameraTrack(lambda _: av.VideoFrame.from_ndarray(np.full((120, 160, 3), self.brightness, np.uint8)))
        page = CallClient(self.socket, self.key(role), join, webcam=webcam, microphone=microphone, resume=resume, voices=voices)
        page.place = place
        _PAGES.add(page)
        return page

    async def request(self, path: str, method: str = "GET", **headers: str) -> Reply:
        """HTTP without following redirects; the path goes out as it is."""

        def fetch() -> Reply:
            request = urllib.request.Request(self.base + path, headers=headers, method=method)
            try:
                with urllib.request.build_opener(_NoRedirect).open(request, timeout=10) as answer:
                    return Reply(answer.status, dict(answer.headers), answer.read())
            except HTTPError as error:
                with error:
                    return Reply(error.code, dict(error.headers), error.read())

        return await asyncio.to_thread(fetch)

    async def get(self, path: str, **headers: str) -> Reply:
        """HTTP GET."""
        return await self.request(path, **headers)

    async def status(self, path: str) -> str:
        """The `status` of a health page."""
        return str(json.loads((await self.get(path)).body)["status"])


@asynccontextmanager
async def running(
    web_dir: Path | None = None, avatars: dict[str, bytes] | None = None, **settings: Any
) -> AsyncIterator[Running]:
    """A server until the block ends; it has stopped cleanly when the block has ended. avatars: files by name."""
    with TemporaryDirectory() as folder:
        for name, data in (avatars or {"me": fake_avatar()}).items():
            (Path(folder) / f"{name}.avatar").write_bytes(data)
        config = FAKE.with_values(**{"avatar_folder": Path(folder), **settings})
        config = config if web_dir is None else config.with_values(web_dir=web_dir)
        if config.state is not None and not config.database:
            make_database(config.state)
        parts: list[Any] = []
        announced = asyncio.Event()
        serving = asyncio.create_task(
            serve(config, lambda a: (parts.append(a), announced.set())[1], lambda rooms, stop: parts.extend([rooms, stop]))
        )
        waiting = asyncio.create_task(announced.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            waiting.cancel()
            serving.result()
        rooms, stop, addresses = parts
        try:
            yield Running(config, rooms, addresses, stop)
        finally:
            stop()
            await serving


@contextmanager
def in_thread(serving: AbstractAsyncContextManager[Running]) -> Iterator[Running]:
    """A server whose first room is ready, on an event loop of its own: for tests that wait for a browser."""
    parts: list[Any] = []
    started, stop = threading.Event(), asyncio.Event()

    async def live() -> None:
        async with serving as server:
            await until(lambda: server.rooms.ready)
            parts.extend([asyncio.get_running_loop(), server])
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(live()), name="server", daemon=True)
    thread.start()
    assert started.wait(60)
    loop, server = parts
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)


_PAGES: WeakSet[CallClient] = WeakSet()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it; the test's own timeout is the limit. Fails at once when a page is given up that keeps its heartbeat."""
    while not condition():
        for page in _PAGES:
            told = page.said.get(Failure)
            is_here = page.beating and page.pc.signalingState != "closed"
            assert not is_here or told is None or told.code != "lost", f"a page was dropped: {told.message}"
        await asyncio.sleep(0.01)


def shows(page: CallClient, brightness: float, yaw: float = 0.0) -> bool:
    """Whether the page's newest picture is what the fake pipeline draws for that webcam and view."""
    frame: av.VideoFrame | None = page.last_picture
    if frame is None:
        return False
    middle = frame.to_ndarray(format="rgb24")[frame.height // 2, frame.width // 2].astype(int)
    return bool(np.abs(middle - flat_color(brightness, yaw)).max() <= 12)
