"""What a person with a private camera costs the server: a message of landmarks from the network to a drive frame.

Processor time, not time that passes: it says how many people a core can take, also on a machine that is busy with others.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from aiortc import RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from models import avatar_file
from models.exchange.landmark_frames import LandmarkFrame, decode, encode
from models.heads import registry
from models.tracking.landmarks import Landmarks
from realtime.room.pipeline import LiveRoomPipeline, facing
from server.call.landmark_input import LandmarkInput

RATE = 30
"""Messages a second, as a webcam has pictures."""
NOISE = 0.3
"""Pixels, of a tracker's landmarks."""
CALIBRATION = 2 * RATE
"""Messages until the solver works as in the rest of a call."""


def bench_landmarks(avatar: Path, seconds: float) -> dict[str, float]:
    """Milliseconds of a core for a message: "receive_ms" (ICE, DTLS, SCTP, and the checks), "read_ms", "solve_ms" (with
    calibration and smoothing), "sum_ms"; and "people_a_core" at `RATE`. seconds: of landmarks."""
    pipeline = LiveRoomPipeline(64, 64)
    data = avatar.read_bytes()
    pipeline.join(0, data)
    loaded = avatar_file.loads(data)
    face = facing(loaded.person(registry.by_name(loaded.head)))
    messages = [encode(LandmarkFrame(_moved(face, i), i)) for i in range(CALIBRATION + max(1, round(RATE * seconds)))]
    frames = []
    read = _cost(lambda i: frames.append(decode(messages[i]).landmarks), range(len(messages)))
    follow: Callable[[int], object] = lambda i: pipeline.follow(0, frames[i], i / RATE)  # noqa: E731
    _cost(follow, range(CALIBRATION))
    solve = _cost(follow, range(CALIBRATION, len(messages)))
    pipeline.leave(0)
    receive = asyncio.run(_receive(messages[CALIBRATION:]))
    total = receive + read + solve
    return {"receive_ms": receive, "read_ms": read, "solve_ms": solve, "sum_ms": total, "people_a_core": 1000 / RATE / total}


def _moved(face: Landmarks, i: int) -> Landmarks:
    """At a moment of a person who sways."""
    noise = np.random.default_rng(i).normal(0, NOISE, face.points.shape)
    shift = [40 * np.sin(i / 20), 15 * np.sin(i / 33), 0]
    return replace(face, points=(face.points + shift + noise).astype(np.float32))


def _cost(work: Callable[[int], object], times: range) -> float:
    """Milliseconds of a core, one after the other."""
    begun = time.process_time()
    for i in times:
        work(i)
    return (time.process_time() - begun) * 1000 / len(times)


async def _receive(messages: list[bytes]) -> float:
    """Milliseconds of a core for a message that comes over WebRTC from another process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    sender = context.Process(target=_send, args=(theirs, messages), daemon=True)
    sender.start()
    connection, given = RTCPeerConnection(), LandmarkInput(0)
    came: list[bytes] = []
    first = asyncio.Event()

    def on_channel(channel: RTCDataChannel) -> None:
        @channel.on("message")
        def on_message(data: bytes) -> None:
            if (taken := given.take(data, time.monotonic())) is not None:
                came.append(taken)
                first.set()

    connection.on("datachannel", on_channel)
    try:
        offer = await asyncio.to_thread(ours.recv)
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        ours.send(connection.localDescription.sdp)
        await asyncio.wait_for(first.wait(), 30)
        before, begun = len(came), time.process_time()
        await asyncio.sleep(len(messages) / RATE - 0.5)
        return (time.process_time() - begun) * 1000 / max(1, len(came) - before)
    finally:
        sender.kill()
        await connection.close()


def _send(line: Connection, messages: list[bytes]) -> None:
    """The other process: a page."""

    async def run() -> None:
        connection, opened = RTCPeerConnection(), asyncio.Event()
        channel = connection.createDataChannel("drive", ordered=False, maxRetransmits=0)
        channel.on("open", opened.set)
        await connection.setLocalDescription(await connection.createOffer())
        line.send(connection.localDescription.sdp)
        answer = await asyncio.to_thread(line.recv)
        await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await opened.wait()
        for message in messages:
            channel.send(message)
            await asyncio.sleep(1 / RATE)

    asyncio.run(run())
