"""How fast a room is on this machine: clips as webcams, through the real server and real WebRTC, back as avatars.

The pages run in a process of their own, on the same machine, and take little of it: their webcams were encoded before, and they
count pictures without decoding them (`Pages.decode` has them decoded). Latency is the server's: from a decoded webcam frame to
the rendered picture, ready to encode.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil

from models.errors import VisavisError
from realtime.timing import StageTimes
from server.benchmarks.enrolling import Enrollments
from server.benchmarks.pages import Pages, Seen, run_pages
from server.benchmarks.webcam_clip import Clip
from server.call.addresses import Addresses
from server.call.app import serve
from server.call.config import ServerConfig
from server.call.peer import STAGES
from server.call.room import Room
from server.call.rooms import Rooms

WARM_UP = 2.0
"""Seconds of the call that are not measured."""
SHARING = 10.0
"""The same where viewers see the same: until rates have grown and all share an encoder, see `realtime.shared_encoding`."""
READY_TIMEOUT = 180.0
JOIN_TIMEOUT = 120.0


def bench_live(
    avatar_path: str | Path,
    clip: Clip | None = None,
    seconds: float = 10.0,
    pages: Pages | None = None,
    *,
    config: ServerConfig | None = None,
    busy: int = 0,
    enrolling: bool = False,
) -> dict[str, Any]:
    """Measure a room with `pages`, one person without a viewer when left out; all people have the same avatar.

    clip: a video file, or frames (H, W, 3) uint8 RGB; played forwards and backwards at 30 frames/s, scaled to the pages' size;
    the avatar itself making faces when `None`. config: settings other than avatars, host and port. busy: processes that each
    burn a core meanwhile, as on a machine that is slower or has other work. enrolling: measure twice, and the second time while
    the server's runner makes one avatar after the other.

    Returns latency_p50_ms, latency_p95_ms; rendered_fps: pictures rendered a second, mean over the pages; received_fps: pictures
    a second that each person's page has received whole, and viewer_fps for each viewer's; join_p95_ms: from a page's first
    message to the answer to its offer; first_picture_p95_ms: to its first picture; server_cores, render_cores, pages_cores: CPU
    seconds a second of the server's process, the room's and the pages'; the median of each stage, such as track_ms; seconds,
    size, people, viewers; with `enrolling` also enrolling_p50_ms, enrolling_p95_ms, enrolling_fps, enrolling_cores, how many were
    enrolled, and times_slower: the second p95 over the first.
    """
    who = pages or Pages()
    values: dict[str, Any] = {
        "avatars": (Path(avatar_path),), "host": "127.0.0.1", "port": 0, "max_people": max(who.people, 1),
        "max_viewers": who.viewers, "least_rate": 0.0,
    }  # fmt: skip
    if clip is not None and not isinstance(clip, str | Path):
        clip = [np.ascontiguousarray(frame) for frame in clip]
    with TemporaryDirectory() as state, _burning(busy):
        if enrolling:
            values |= {"state": Path(state), "enrollments": 1, "database": "", "storage": ""}
        chosen = (config or ServerConfig()).with_values(**values)
        result = asyncio.run(_measure(chosen, clip, seconds, who, enrolling=enrolling))
    return result | ({"busy": busy} if busy else {})


@contextmanager
def _burning(count: int) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    burners = [context.Process(target=_burn, daemon=True) for _ in range(count)]
    for burner in burners:
        burner.start()
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.join()


def _burn() -> None:
    while True:
        sum(range(100_000))


@asynccontextmanager
async def serving(config: ServerConfig) -> AsyncIterator[tuple[Rooms, Addresses]]:
    """A server on this event loop whose first room is ready. Raises `VisavisError` when it cannot be."""
    parts: list[Any] = []
    opened = asyncio.Event()

    def on_rooms(rooms: Rooms, stop: Any) -> None:
        parts.extend([rooms, stop])

    def announce(addresses: Addresses) -> None:
        parts.append(addresses)
        opened.set()

    server = asyncio.create_task(serve(config, announce, on_rooms))
    opening = asyncio.create_task(opened.wait())
    await asyncio.wait({server, opening}, return_when=asyncio.FIRST_COMPLETED)
    if server.done():
        opening.cancel()
        await server
    rooms, stop, addresses = parts
    try:
        await _ready(rooms)
        yield rooms, addresses
    finally:
        stop()
        await server


async def _ready(rooms: Rooms) -> None:
    for _ in range(int(READY_TIMEOUT / 0.05)):
        if rooms.ready:
            return
        if rooms.failure:
            raise VisavisError(rooms.failure)
        await asyncio.sleep(0.05)
    raise VisavisError(f"the render process was expected to be ready within {READY_TIMEOUT:.0f} s; look at the log")


async def _measure(config: ServerConfig, clip: Clip | None, seconds: float, pages: Pages, *, enrolling: bool) -> dict[str, Any]:
    async with serving(config) as (rooms, addresses), _running(addresses, config, clip, pages) as pipe:
        joined = await receive(pipe, JOIN_TIMEOUT)
        await asyncio.sleep(SHARING if pages.same_view else WARM_UP)
        room = rooms.open[0]
        alone = await _window(room, pipe, seconds)
        result = _summary(alone, pages) | {
            "join_p95_ms": round(float(np.percentile(joined.joins, 95)), 1),
            "first_picture_p95_ms": round(float(np.percentile(joined.first_pictures, 95)), 1),
            "seconds": seconds,
            "size": f"{pages.size[0]}x{pages.size[1]}",
            "people": pages.people,
            "viewers": pages.viewers,
        }
        if enrolling:
            result |= await _beside(alone, room, pipe, config)
        pipe.send(None)
    return result


async def _beside(alone: _Window, room: Room, pipe: Connection, config: ServerConfig) -> dict[str, Any]:
    """The same while avatars are made."""
    import skimage.data

    enrollments = await asyncio.to_thread(Enrollments, config, skimage.data.astronaut())
    async with enrollments:
        taken = _runners_cpu()
        window = await _window(room, pipe, alone.seconds)
        taken = _runners_cpu() - taken
        done = await enrollments.done()
    return {
        "enrolling_p50_ms": window.latency(50),
        "enrolling_p95_ms": window.latency(95),
        "enrolling_fps": window.rates,
        "enrolling_cores": round(taken / alone.seconds, 2),
        "enrolled": done,
        "times_slower": round(window.latency(95) / alone.latency(95), 2),
    }


@dataclass(frozen=True)
class _Window:
    """What was measured in one piece of time. server, render: CPU seconds."""

    times: StageTimes
    seconds: float
    seen: Seen
    server: float
    render: float

    def latency(self, percent: float) -> float:
        totals = self.times.values("total")
        if not totals:
            raise VisavisError("pictures of the room were expected, none came; look at the log")
        return round(float(np.percentile(totals, percent)), 1)

    @property
    def rates(self) -> list[float]:
        return [round(pictures / self.seconds, 1) for pictures in self.seen.pictures]


async def _window(room: Room, pipe: Connection, seconds: float) -> _Window:
    render = psutil.Process(room.worker.pid)
    times = room.worker.times
    times.restart(window=2 * seconds, most=1_000_000)
    server_before, render_before = time.process_time(), _cpu(render)
    pipe.send(seconds)
    seen = await receive(pipe, seconds + JOIN_TIMEOUT)
    return _Window(times, seconds, seen, time.process_time() - server_before, _cpu(render) - render_before)


def _runners_cpu() -> float:
    """Of all processes that enroll."""
    taken = 0.0
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # it has ended
            taken += _cpu(child) if "server.jobs.runner" in child.cmdline() else 0.0
    return taken


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _summary(window: _Window, pages: Pages) -> dict[str, Any]:
    times, rates = window.times, window.rates
    medians = times.medians()
    return {
        "latency_p50_ms": window.latency(50),
        "latency_p95_ms": window.latency(95),
        "rendered_fps": round(len(times.values("total")) / window.seconds / pages.count, 1),
        "received_fps": rates[0] if pages.people == 1 else rates[: pages.people],
        **({"viewer_fps": rates[pages.people :]} if pages.viewers else {}),
        "server_cores": round(window.server / window.seconds, 2),
        "render_cores": round(window.render / window.seconds, 2),
        "pages_cores": round(window.seen.cpu / window.seconds, 2),
        **{f"{stage}_ms": medians[stage] for stage in STAGES if stage in medians and stage != "total"},
    }


@asynccontextmanager
async def _running(addresses: Addresses, config: ServerConfig, clip: Clip | None, pages: Pages) -> AsyncIterator[Connection]:
    """The pages' process; gives our end of its line."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    base, _, key = addresses.host.partition("/room/")
    url, keys = base.replace("http", "ws", 1) + "/ws", (key, addresses.viewer.rpartition("/")[2])
    process = context.Process(target=run_pages, args=(theirs, url, keys, clip, config.avatars[0], pages), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        process.kill()
        await asyncio.to_thread(process.join)
        ours.close()


async def receive(pipe: Connection, timeout: float) -> Any:
    """The next message of the pages' process."""
    if not await asyncio.to_thread(pipe.poll, timeout):
        raise VisavisError("the measuring pages were expected to be in the room by now; look at the log")
    try:
        return pipe.recv()
    except EOFError:
        raise VisavisError("the measuring pages ended early; look at the log") from None
