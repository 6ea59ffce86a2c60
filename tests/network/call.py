"""A call to look at from outside: the real server with stamped pictures and a person who speaks, on a thread of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import MediaStreamTrack

from server.call.protocol import Role
from server.call_client import CallClient, CameraTrack
from tests.server.call.serving import Running, running, until

STAMPED = {"factory": "tests.network.stamped:StampedPipeline", "width": 512, "height": 512, "dead_after": 3.0}


class Voice(MediaStreamTrack):
    """A microphone that hears something like speech: noise that swells and fades four times a second."""

    kind = "audio"

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        noise = np.random.default_rng(seed).normal(0, 4000, 48000)
        swell = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * np.arange(48000) / 48000)
        self._wave = np.convolve(noise, np.ones(24) / 5, "same") * swell
        self._start, self._index = 0.0, 0

    async def recv(self) -> av.AudioFrame:
        now = asyncio.get_running_loop().time()
        self._start = self._start or now
        await asyncio.sleep(max(0.0, self._start + 0.02 * self._index - now))
        place = 960 * self._index % 48000
        frame = av.AudioFrame.from_ndarray(self._wave[None, place : place + 960].astype(np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 960 * self._index, Fraction(1, 48000)
        self._index += 1
        return frame


def webcam() -> CameraTrack:
    """A person's camera, small: it only sets the pace."""
    return CameraTrack(lambda _: av.VideoFrame.from_ndarray(np.full((120, 160, 3), 120, np.uint8)))


def page(server: Running, url: str, role: Role = "viewer") -> CallClient:
    """A page that joins by the signalling socket at `url`."""
    seated = role != "viewer"
    return CallClient(url, server.key(role), webcam=webcam() if seated else None, microphone=Voice() if seated else None)


@contextmanager
def stamped_call(**settings: Any) -> Iterator[Running]:
    """The server with its person in the call, until the block ends."""
    started, stop = threading.Event(), asyncio.Event()
    parts: list[Any] = []

    async def live() -> None:
        async with running(**STAMPED | settings) as server:
            await until(lambda: server.room.ready)
            async with page(server, server.socket, "person") as person:
                await until(lambda: person.pictures > 0)
                parts.extend([asyncio.get_running_loop(), server])
                started.set()
                await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(live()), name="call", daemon=True)
    thread.start()
    if not started.wait(60):
        raise TimeoutError("the call did not begin within a minute")
    loop, server = parts
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
