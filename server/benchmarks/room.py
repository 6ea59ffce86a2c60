"""How many people a room's render process carries on this machine: each with a webcam and an avatar, each seeing all others.

No WebRTC takes part: webcam pictures go to the process as they come out of a decoder, and pictures come back as they go into an
encoder. Latency is from the webcam picture to the picture that shows it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import VisavisError
from realtime.room.layout import ViewRequest
from realtime.room.process import RoomSetup
from realtime.room.supervision import RoomEvents
from realtime.room.worker import RoomWorker
from server.benchmarks.webcam_clip import Clip, load_clip, own_clip

WARM_UP = 3.0
"""Seconds that are not measured."""
START_TIMEOUT = 240.0
RATE = 30.0
"""Webcam pictures a second, of each person."""
STAGES = ("decode", "track", "solve", "pose", "splat")


def bench_room(
    avatar: Path,
    clip: Clip | None = None,
    seconds: float = 10.0,
    *,
    people: int = 2,
    viewers: int = 0,
    setup: RoomSetup | None = None,
) -> dict[str, Any]:
    """Measure a room of `people` with the same avatar, and `viewers` who share the spectators' camera.

    clip: a video file, or frames; the avatar's own faces when `None`. Returns pictures_per_s: mean over the views; least_per_s:
    of the slowest view; latency_p50_ms, latency_p95_ms; restart_s: from the death of the process until each view has a picture
    with everybody again; the median of each stage, such as track_ms; people, viewers, seconds.
    """
    frames = load_clip(own_clip(avatar, (640, 480)) if clip is None else clip, (640, 480))
    return asyncio.run(_measure(avatar.read_bytes(), frames, seconds, people, viewers, setup or RoomSetup()))


async def _measure(
    avatar: bytes, frames: list[Any], seconds: float, people: int, viewers: int, setup: RoomSetup
) -> dict[str, Any]:
    joined: list[int] = []
    refused: list[str] = []
    worker = RoomWorker(setup, people=people, views=people + viewers)
    worker.start(RoomEvents(joined=joined.append, refused=lambda _, sentence: refused.append(sentence)))
    counts = [0] * (people + viewers)

    def counting(index: int) -> Any:
        def deliver(_: Any) -> None:
            counts[index] += 1

        return deliver

    tasks: list[asyncio.Task[None]] = []
    try:
        for person in range(people):
            worker.join(person, avatar, person)
        for index in range(people + viewers):
            worker.open_view(counting(index), ViewRequest(index if index < people else -1))
        await _until(lambda: len(joined) == people or bool(refused) or bool(worker.failure))
        if refused or worker.failure:
            raise VisavisError(refused[0] if refused else worker.failure)
        tasks = [asyncio.create_task(_webcam(worker, person, frames)) for person in range(people)]
        await asyncio.sleep(WARM_UP)
        times = worker.times
        times.restart(window=2 * seconds, most=1_000_000)
        before = list(counts)
        await asyncio.sleep(seconds)
        rates = [(after - start) / seconds for after, start in zip(counts, before, strict=True)]
        restart = await _restart(worker, counts, joined)
    finally:
        for task in tasks:
            task.cancel()
        await worker.stop()
    totals = times.values("total")
    if not totals:
        raise VisavisError("pictures of the room were expected, none came; look at the log")
    p50, p95 = (round(float(value), 1) for value in np.percentile(totals, [50, 95]))
    medians = times.medians()
    return {
        "pictures_per_s": round(float(np.mean(rates)), 1),
        "least_per_s": round(min(rates), 1),
        "latency_p50_ms": p50,
        "latency_p95_ms": p95,
        **{f"{stage}_ms": medians[stage] for stage in STAGES if stage in medians},
        "restart_s": restart,
        "people": people,
        "viewers": viewers,
        "seconds": seconds,
    }


async def _restart(worker: RoomWorker, counts: list[int], joined: list[int]) -> float:
    assert worker.pid is not None
    start, people = time.monotonic(), len(joined)
    os.kill(worker.pid, signal.SIGKILL)
    await _until(lambda: len(joined) == 2 * people)
    before = list(counts)
    await _until(lambda: all(now > then for now, then in zip(counts, before, strict=True)))
    return round(time.monotonic() - start, 2)


async def _until(what: Any) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not what():
        if time.monotonic() > deadline:
            raise VisavisError(f"the render process was expected to be ready within {START_TIMEOUT:.0f} s; look at the log")
        await asyncio.sleep(0.05)


async def _webcam(worker: RoomWorker, person: int, frames: list[Any]) -> None:
    """Pictures at `RATE`, those of each person a little later than those of the one before."""
    loop, index = asyncio.get_running_loop(), person * 11
    due = time.monotonic() + person * 0.37 / RATE
    there_and_back = len(frames) * 2 - 2 or 1
    while True:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        due = max(due + 1 / RATE, time.monotonic() - 1 / RATE)
        place = index % there_and_back
        frame = frames[place if place < len(frames) else there_and_back - place]
        await loop.run_in_executor(None, worker.submit, person, frame, time.monotonic())
        index += 1
