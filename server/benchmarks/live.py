"""How fast a room is on this machine: clips as webcams, through the real server and real WebRTC, back as avatars.

The pages run in a process of their own, on the same machine: their encoding and decoding take part of the cores, which browsers
elsewhere would not. Latency is the server's: from a decoded webcam frame to the rendered picture, ready to encode.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import av
import numpy as np

from models.errors import VisavisError
from realtime.timing import StageTimes
from server.benchmarks.call_client import BenchPage, CameraTrack
from server.benchmarks.webcam_clip import Clip, load_clip, own_clip
from server.call.addresses import Addresses
from server.call.app import serve
from server.call.config import ServerConfig
from server.call.peer import STAGES
from server.call.protocol import Join, ViewerCamera
from server.call.rooms import Rooms

WARM_UP = 2.0
"""Seconds of the call that are not measured."""
READY_TIMEOUT = 180.0
JOIN_TIMEOUT = 120.0


def bench_live(
    avatar_path: str | Path,
    clip: Clip | None = None,
    seconds: float = 10.0,
    *,
    size: tuple[int, int] = (640, 480),
    people: int = 1,
    viewers: int = 0,
    same_view: bool = False,
    config: ServerConfig | None = None,
    busy: int = 0,
) -> dict[str, Any]:
    """Measure a room of `people` with the same avatar, and `viewers` more, each looking from elsewhere, or all from the front
    with `same_view`.

    clip: a video file, or frames (H, W, 3) uint8 RGB; played forwards and backwards at 30 frames/s, scaled to `size` (width,
    height); the avatar itself making faces when `None`. config: settings other than avatars, host and port. Returns
    latency_p50_ms, latency_p95_ms; rendered_fps: pictures rendered a second, mean over the pages; received_fps: pictures a
    second that each person's page decoded, and viewer_fps for each viewer's; join_p95_ms: from a page's first message to the
    answer to its offer; first_picture_p95_ms: to its first picture; the median of each stage, such as track_ms; seconds, size,
    people, viewers. busy: processes that each burn a core meanwhile, as on a machine that is slower or has other work.
    """
    values = {
        "avatars": (Path(avatar_path),), "host": "127.0.0.1", "port": 0, "max_people": max(people, 1), "max_viewers": viewers,
        "least_rate": 0.0,
    }  # fmt: skip
    chosen = (config or ServerConfig()).with_values(**values)
    if clip is not None and not isinstance(clip, str | Path):
        clip = [np.ascontiguousarray(frame) for frame in clip]
    with _burning(busy):
        result = asyncio.run(_measure(chosen, clip, seconds, size, (people, viewers, same_view)))
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


async def _measure(
    config: ServerConfig, clip: Clip | None, seconds: float, size: tuple[int, int], pages: tuple[int, int, bool]
) -> dict[str, Any]:
    async with serving(config) as (rooms, addresses):
        return await _run_pages(rooms, addresses, config, clip, seconds, size, pages)


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


async def _run_pages(
    rooms: Rooms,
    addresses: Addresses,
    config: ServerConfig,
    clip: Clip | None,
    seconds: float,
    size: tuple[int, int],
    count: tuple[int, int, bool],
) -> dict[str, Any]:
    people, viewers, _ = count
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    base, _, key = addresses.host.partition("/room/")
    url, keys = base.replace("http", "ws", 1) + "/ws", (key, addresses.viewer.rpartition("/")[2])
    shown = ("own", str(config.avatars[0])) if clip is None else ("clip", clip)
    pages = context.Process(target=_pages, args=(theirs, url, keys, shown, size, seconds, count), daemon=True)
    pages.start()
    theirs.close()
    room = rooms.open[0]
    try:
        await receive(ours, JOIN_TIMEOUT + WARM_UP)
        times = room.worker.times = StageTimes(window=2 * seconds, most=1_000_000)
        received = await receive(ours, seconds + JOIN_TIMEOUT)
    finally:
        pages.kill()
        await asyncio.to_thread(pages.join)
        ours.close()
    totals = times.values("total")
    if not totals:
        raise VisavisError("pictures of the room were expected, none came; look at the log")
    p50, p95 = (round(float(value), 1) for value in np.percentile(totals, [50, 95]))
    rates = received["rates"]
    return {
        "latency_p50_ms": p50,
        "latency_p95_ms": p95,
        "rendered_fps": round(len(totals) / seconds / (people + viewers), 1),
        "received_fps": rates[0] if people == 1 else rates[:people],
        **({"viewer_fps": rates[people:]} if viewers else {}),
        "join_p95_ms": round(float(np.percentile(received["joins"], 95)), 1),
        "first_picture_p95_ms": round(float(np.percentile(received["first_pictures"], 95)), 1),
        **{f"{stage}_ms": times.medians()[stage] for stage in STAGES if times.values(stage) and stage != "total"},
        "seconds": seconds,
        "size": f"{size[0]}x{size[1]}",
        "people": people,
        "viewers": viewers,
    }


async def receive(pipe: Connection, timeout: float) -> Any:
    """The next message of the pages' process."""
    if not await asyncio.to_thread(pipe.poll, timeout):
        raise VisavisError("the measuring pages were expected to be in the room by now; look at the log")
    try:
        return pipe.recv()
    except EOFError:
        raise VisavisError("the measuring pages ended early; look at the log") from None


# In the pages' process


def _pages(
    pipe: Connection,
    url: str,
    keys: tuple[str, str],
    shown: tuple[str, Any],
    size: tuple[int, int],
    seconds: float,
    count: tuple[int, int, bool],
) -> None:
    people, viewers, same_view = count
    frames = load_clip(own_clip(shown[1], size) if shown[0] == "own" else shown[1], size)
    there_and_back = len(frames) * 2 - 2 or 1

    def webcam(person: int) -> CameraTrack:
        def frame(index: int) -> av.VideoFrame:
            place = (index + 11 * person) % there_and_back
            return frames[place if place < len(frames) else there_and_back - place]

        return CameraTrack(frame)

    joins: list[float] = []
    first_pictures: list[float] = []

    async def join(page: BenchPage) -> BenchPage:
        start = time.monotonic()
        await page.enter()
        await page.offer()
        joins.append(1000 * (time.monotonic() - start))
        await page.until_open()
        while not page.pictures:
            await asyncio.sleep(0.005)
        first_pictures.append(1000 * (time.monotonic() - start))
        return page

    async def run() -> None:
        pages: list[BenchPage] = []
        try:
            for person in range(people):
                pages.append(BenchPage(url, keys[0], Join(f"Person {person + 1}"), webcam=webcam(person)))
                await join(pages[-1])
            for index in range(viewers):
                pages.append(BenchPage(url, keys[1], Join(f"Viewer {index + 1}")))
                await join(pages[-1])
                if not same_view:
                    pages[-1].say(ViewerCamera(orbit=True, yaw=0.2 * (index + 1)))
            await asyncio.sleep(WARM_UP)
            pipe.send("measuring")
            before = [page.pictures for page in pages]
            await asyncio.sleep(seconds)
            after = [page.pictures for page in pages]
            rates = [round((b - a) / seconds, 1) for a, b in zip(before, after, strict=True)]
            pipe.send({"rates": rates, "joins": joins, "first_pictures": first_pictures})
        finally:
            for page in pages:
                await page.leave()

    asyncio.run(run())
