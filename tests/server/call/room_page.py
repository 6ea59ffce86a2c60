"""A page without a browser that joins a room over an in-memory socket and real WebRTC."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, Self, TypeVar

import av
import msgspec
import numpy as np
from aiortc import MediaStreamTrack, RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from server.call.protocol import (
    Answer,
    Failure,
    FromPage,
    Hello,
    Join,
    Lobby,
    Offer,
    Ping,
    SoundLines,
    Welcome,
    decode_from_server,
    encode,
)  # fmt: skip
from server.call.room import Room

VOICES = 3
T = TypeVar("T")


class MemoryWire:
    """Both ends of a socket."""

    def __init__(self) -> None:
        self.up: asyncio.Queue[str | None] = asyncio.Queue()
        self.down: asyncio.Queue[str | None] = asyncio.Queue()

    async def receive(self) -> str | None:
        return await self.up.get()

    async def send(self, text: str) -> None:
        self.down.put_nowait(text)

    async def close(self, code: int = 1000) -> None:
        self.down.put_nowait(None)


class RoomPage:
    """`async with RoomPage(room, key, Join(...)) as page:` is in the room until the block ends.

    `said` holds what the server sent last, by class. `colour` is the mean colour of the newest picture in steps of 32.
    `heard`: the loudest sample of each voice's line, by mid.
    """

    def __init__(self, room: Room, key: str, join: Join, *, microphone: MediaStreamTrack | None = None, resume: str = "") -> None:
        self.room, self.key, self.join, self.microphone, self.resume = room, key, join, microphone, resume
        self.wire = MemoryWire()
        self.said: dict[type, Any] = {}
        self.pictures = 0
        self.colour: tuple[int, ...] = ()
        self.heard: dict[str, int] = {}
        self.pc = RTCPeerConnection(RTCConfiguration([], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.pc.on("track", self._on_track)
        self.tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self.enter()
        await self.offer()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for task in self.tasks[1:]:
            task.cancel()
        self.wire.up.put_nowait(None)
        await self.pc.close()
        await self.tasks[0]

    async def enter(self) -> None:
        hello = Hello(self.key, self.resume)
        self.tasks.append(asyncio.create_task(self.room.serve(self.wire, hello)))
        self.tasks.append(asyncio.create_task(self._listen()))
        if not self.resume:
            await self.until(Lobby)
            self.tell(self.join)
        await self.until(Welcome)

    async def offer(self) -> None:
        person = self.said[Welcome].participant >= 0
        self.pc.addTransceiver("video", direction="recvonly")
        if person:
            self.pc.addTransceiver(self.microphone or "audio", direction="sendonly")
        for _ in range(VOICES):
            self.pc.addTransceiver("audio", direction="recvonly")
        self.channel = self.pc.createDataChannel("control")
        self.channel.on("message", self._take)
        await self.pc.setLocalDescription(await self.pc.createOffer())
        self.tell(Offer(self.pc.localDescription.sdp))
        answer = await self.until(Answer)
        await self.pc.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
        self.tasks.append(asyncio.create_task(self._beat()))

    def tell(self, message: FromPage) -> None:
        self.wire.up.put_nowait(encode(message))

    def tell_channel(self, message: FromPage) -> None:
        self.channel.send(encode(message))

    async def until(self, kind: type[T], seconds: float = 20.0) -> T:
        deadline = time.monotonic() + seconds
        while kind not in self.said:
            if Failure in self.said:
                raise AssertionError(self.said[Failure])
            assert time.monotonic() < deadline, kind
            await asyncio.sleep(0.01)
        return self.said[kind]  # type: ignore[no-any-return]

    @property
    def voices(self) -> dict[int, int]:
        """The loudest sample of each participant that is heard."""
        lines = self.said.get(SoundLines, SoundLines()).lines
        return {participant: self.heard.get(mid, 0) for mid, participant in lines.items()}

    async def _listen(self) -> None:
        while (text := await self.wire.down.get()) is not None:
            self._take(text)

    def _take(self, text: str | bytes) -> None:
        message: msgspec.Struct = decode_from_server(text)
        self.said[type(message)] = message

    async def _beat(self) -> None:
        while True:
            if self.channel.readyState == "open":
                self.channel.send(encode(Ping(0.0)))
            await asyncio.sleep(0.2)

    def _on_track(self, track: MediaStreamTrack) -> None:
        mids = {t.receiver.track: t.mid for t in self.pc.getTransceivers()}
        self.tasks.append(asyncio.create_task(self._watch(track, str(mids.get(track)))))

    async def _watch(self, track: MediaStreamTrack, mid: str) -> None:
        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    self.pictures += 1
                    mean = frame.to_ndarray(format="rgb24").reshape(-1, 3).mean(0)
                    self.colour = tuple(round(float(c) / 32) for c in mean)
                elif isinstance(frame, av.AudioFrame):
                    self.heard[mid] = max(self.heard.get(mid, 0), int(np.abs(frame.to_ndarray()).max()))
        except MediaStreamError:
            return
