"""What many rooms with idle people cost: how long joining takes while rooms begin, and memory a room and a person.

The pages run in a process of their own and send no webcam; each joins as soon as the one before has its answer.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from server.benchmarks.live import JOIN_TIMEOUT, receive, serving
from server.benchmarks.measuring_page import MeasuringPage
from server.call.config import ServerConfig
from server.call.protocol import Join

MB = 1e6
SETTLE = 2.0
"""Seconds before memory is measured."""


def bench_rooms(avatar: Path, *, rooms: int = 10, people: int = 2, config: ServerConfig | None = None) -> dict[str, Any]:
    """Measure `rooms` with `people` each, all with the same avatar: first one person in each room, then a second, and so on.

    config: settings other than avatars, host, port and limits. Returns join_p50_ms, join_p95_ms: from a page's first message to
    the answer to its offer; first_picture_p50_ms, first_picture_p95_ms: to its first picture, for the first person of a room with
    the start of its process; room_mb: proportional memory of a render process with all its people, and shared_mb: what a room
    shares with the server for pictures; person_mb: what each further person added to both, 0 for one person; server_mb: of the
    server, the measuring program included; rooms, people. What is shared counts once, as shared_mb.
    """
    values = {
        "avatars": (avatar,), "host": "127.0.0.1", "port": 0, "max_rooms": rooms, "max_people": max(people, 2), "least_rate": 0.0,
    }  # fmt: skip
    return asyncio.run(_measure((config or ServerConfig()).with_values(**values), rooms, people))


async def _measure(config: ServerConfig, count: int, people: int) -> dict[str, Any]:
    async with serving(config) as (rooms, addresses):
        keys = [rooms.first.host, *[(await rooms.create()).keys.host for _ in range(count - 1)]]
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        url = addresses.host.partition("/room/")[0].replace("http", "ws", 1) + "/ws"
        pages = context.Process(target=_pages, args=(theirs, url, keys, people), daemon=True)
        pages.start()
        theirs.close()
        joins: list[float] = []
        pictures: list[float] = []
        own: list[float] = []
        shared: list[float] = []
        try:
            for _ in range(people):
                times = await receive(ours, JOIN_TIMEOUT + 20 * count)
                joins += times[0]
                pictures += times[1]
                await asyncio.sleep(SETTLE)
                own.append(float(np.mean([_megabytes(room.worker.pid) for room in rooms.open])))
                shared.append(float(np.mean([room.worker.memory_taken / MB for room in rooms.open])))
                ours.send("go on")
        finally:
            pages.kill()
            await asyncio.to_thread(pages.join)
            ours.close()
        server = _megabytes(None)
    join, picture = np.percentile(joins, [50, 95]), np.percentile(pictures, [50, 95])
    return {
        "join_p50_ms": round(float(join[0]), 1),
        "join_p95_ms": round(float(join[1]), 1),
        "first_picture_p50_ms": round(float(picture[0]), 1),
        "first_picture_p95_ms": round(float(picture[1]), 1),
        "room_mb": round(own[-1]),
        "shared_mb": round(shared[-1]),
        "person_mb": round((own[-1] + shared[-1] - own[0] - shared[0]) / max(people - 1, 1)),
        "server_mb": round(server),
        "rooms": count,
        "people": people,
    }


def _megabytes(process: int | None) -> float:
    """Proportional memory of a process, of this one for None, without what it shares with others by memory without a name."""
    looked_at = psutil.Process(process)
    shared = sum(part.pss for part in looked_at.memory_maps() if part.path.startswith("/memfd:"))
    return float(looked_at.memory_full_info().pss - shared) / MB


# In the pages' process


def _pages(pipe: Connection, url: str, keys: list[str], people: int) -> None:
    async def join(key: str, joins: list[float], pictures: list[float]) -> tuple[MeasuringPage, asyncio.Task[None]]:
        page, start = MeasuringPage(url, key, Join("Somebody")), time.monotonic()
        await page.enter()
        await page.offer()
        joins.append(1000 * (time.monotonic() - start))

        async def first_picture() -> None:
            while not page.pictures:
                await asyncio.sleep(0.01)
            pictures.append(1000 * (time.monotonic() - start))

        return page, asyncio.create_task(first_picture())

    async def run() -> None:
        pages: list[MeasuringPage] = []
        for _ in range(people):
            joins: list[float] = []
            pictures: list[float] = []
            waiting = []
            for key in keys:
                page, task = await join(key, joins, pictures)
                pages.append(page)
                waiting.append(task)
            await asyncio.gather(*waiting)
            pipe.send((joins, pictures))
            await asyncio.to_thread(pipe.recv)

    asyncio.run(run())
