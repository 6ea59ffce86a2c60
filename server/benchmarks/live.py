"""How fast the live path is on this machine: a clip as webcam, through the real server and real WebRTC, back as avatar.

The page runs in a process of its own, on the same machine: its encoding and decoding take part of the cores, which a
browser elsewhere would not. Latency is the server's: from a decoded webcam frame to the rendered picture, ready to encode.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import av
import numpy as np

from models.errors import VisavisError
from realtime.timing import StageTimes
from server.benchmarks.call_client import BenchPage, CameraTrack
from server.benchmarks.webcam_clip import Clip, load_clip, own_clip
from server.call.app import Addresses, serve
from server.call.config import ServerConfig
from server.call.peer import STAGES
from server.call.protocol import Camera
from server.call.rooms import Room

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
    viewers: int = 0,
    config: ServerConfig | None = None,
    busy: int = 0,
) -> dict[str, Any]:
    """Measure a call of one person and `viewers` more, each looking from elsewhere.

    clip: a video file, or frames (H, W, 3) uint8 RGB; played forwards and backwards at 30 frames/s, scaled to `size` (width,
    height); the avatar itself making faces when `None`. config: settings other than avatar, host and port. Returns
    latency_p50_ms, latency_p95_ms; rendered_fps: pictures rendered a second, mean over the pages; received_fps: pictures a
    second that the person's page decoded, and viewer_fps for each viewer's; the median of each stage, such as track_ms;
    seconds, size, viewers. busy: processes that each burn a core meanwhile, as on a machine that is slower or has other work.
    """
    values = {"avatar": Path(avatar_path), "host": "127.0.0.1", "port": 0, "max_viewers": max(viewers, 1)}
    chosen = (config or ServerConfig()).with_values(**values)
    if clip is not None and not isinstance(clip, str | Path):
        clip = [np.ascontiguousarray(frame) for frame in clip]
    with _burning(busy):
        result = asyncio.run(_measure(chosen, clip, seconds, size, viewers))
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
    config: ServerConfig, clip: Clip | None, seconds: float, size: tuple[int, int], viewers: int
) -> dict[str, Any]:
    parts: list[Any] = []
    opened = asyncio.Event()

    def on_room(room: Room, stop: Any) -> None:
        parts.extend([room, stop])

    def announce(addresses: Addresses) -> None:
        parts.append(addresses)
        opened.set()

    serving = asyncio.create_task(serve(config, announce, on_room))
    opening = asyncio.create_task(opened.wait())
    await asyncio.wait({serving, opening}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        opening.cancel()
        await serving
    room, stop, addresses = parts
    try:
        await _ready(room)
        return await _run_pages(room, addresses, config, clip, seconds, size, viewers)
    finally:
        stop()
        await serving


async def _ready(room: Room) -> None:
    for _ in range(int(READY_TIMEOUT / 0.05)):
        if room.ready:
            return
        if room.worker.failure:
            raise VisavisError(room.worker.failure)
        await asyncio.sleep(0.05)
    raise VisavisError(f"the render process was expected to be ready within {READY_TIMEOUT:.0f} s; look at the log")


async def _run_pages(
    room: Room,
    addresses: Addresses,
    config: ServerConfig,
    clip: Clip | None,
    seconds: float,
    size: tuple[int, int],
    viewers: int,
) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    url = addresses.person.partition("/call/")[0].replace("http", "ws", 1) + "/ws"
    keys = (config.person_key, config.viewer_key)
    shown = ("own", str(config.avatar)) if clip is None else ("clip", clip)
    pages = context.Process(target=_pages, args=(theirs, url, keys, shown, size, seconds, viewers), daemon=True)
    pages.start()
    theirs.close()
    try:
        await _receive(ours, JOIN_TIMEOUT)
        times = room.worker.times = StageTimes(window=2 * seconds, most=1_000_000)
        received = await _receive(ours, seconds + JOIN_TIMEOUT)
    finally:
        pages.kill()
        await asyncio.to_thread(pages.join)
        ours.close()
    totals = times.values("total")
    if not totals:
        raise VisavisError("pictures of the avatar were expected, none came; look at the log")
    p50, p95 = (round(float(value), 1) for value in np.percentile(totals, [50, 95]))
    return {
        "latency_p50_ms": p50,
        "latency_p95_ms": p95,
        "rendered_fps": round(len(totals) / seconds / (1 + viewers), 1),
        "received_fps": received[0],
        **({"viewer_fps": received[1:]} if viewers else {}),
        **{f"{stage}_ms": times.medians()[stage] for stage in STAGES if times.values(stage) and stage != "total"},
        "seconds": seconds,
        "size": f"{size[0]}x{size[1]}",
        "viewers": viewers,
    }


async def _receive(pipe: Connection, timeout: float) -> Any:
    """The next word of the pages' process."""
    if not await asyncio.to_thread(pipe.poll, timeout):
        raise VisavisError("the measuring page was expected to be in the call by now; look at the log")
    try:
        return pipe.recv()
    except EOFError:
        raise VisavisError("the measuring page ended early; look at the log") from None


# In the pages' process


def _pages(
    pipe: Connection,
    url: str,
    keys: tuple[str, str],
    shown: tuple[str, Any],
    size: tuple[int, int],
    seconds: float,
    viewers: int,
) -> None:
    frames = load_clip(own_clip(shown[1], size) if shown[0] == "own" else shown[1], size)
    there_and_back = len(frames) * 2 - 2 or 1

    def frame(index: int) -> av.VideoFrame:
        place = index % there_and_back
        return frames[place if place < len(frames) else there_and_back - place]

    async def run() -> None:
        async with AsyncExitStack() as stack:
            person = BenchPage(url, "person", keys[0], webcam=CameraTrack(frame))
            pages = [await stack.enter_async_context(person)]
            for index in range(viewers):
                viewer = await stack.enter_async_context(BenchPage(url, "viewer", keys[1]))
                viewer.say(Camera(0.2 * (index + 1), 0.0, 0.9))
                pages.append(viewer)
            await asyncio.sleep(WARM_UP)
            pipe.send("measuring")
            before = [page.pictures for page in pages]
            await asyncio.sleep(seconds)
            after = [page.pictures for page in pages]
            pipe.send([round((b - a) / seconds, 1) for a, b in zip(before, after, strict=True)])

    asyncio.run(run())
