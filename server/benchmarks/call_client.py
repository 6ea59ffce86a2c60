"""A page without a browser, for measurements and tests: joins a call over the real socket and real WebRTC."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE, MediaStreamError
from av.video.frame import PictureType
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from server.call import aiortc_fixes
from server.call.protocol import Answer, Bye, Failure, Hello, Message, Offer, Ping, Role, Welcome, decode, encode

CLOSE_TIMEOUT = 2.0
"""Seconds that a connection, which may be half made, has to close in good order."""


class RefusedError(Exception):
    """The server answered with `Failure`, which is in `failure`."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class CameraTrack(MediaStreamTrack):
    """A webcam: asks `picture(index)` for each frame at a steady rate."""

    kind = "video"

    def __init__(self, picture: Callable[[int], av.VideoFrame], rate: float = 30.0) -> None:
        super().__init__()
        self._picture, self._rate = picture, rate
        self._start: float | None = None
        self._index = 0

    async def recv(self) -> av.VideoFrame:
        """The next frame when it is due; frames that are overdue by more than one are skipped."""
        if self.readyState != "live":
            raise MediaStreamError
        now = time.monotonic()
        self._start = now if self._start is None else self._start
        self._index = max(self._index + 1, int((now - self._start) * self._rate))
        await asyncio.sleep(self._start + self._index / self._rate - now)
        frame = self._picture(self._index)
        frame.pict_type = PictureType.NONE
        frame.pts, frame.time_base = int(self._index * VIDEO_CLOCK_RATE / self._rate), VIDEO_TIME_BASE
        return frame


class BenchPage:
    """`async with BenchPage(url, role, key, ...) as page:` is in the call until the block ends.

    `last_picture` is the newest avatar frame, `pictures` counts them, `sounds` counts sound frames, and `said` holds what
    the server sent last by type. Pings go out once a `Welcome.heartbeat` while `beating` is true.
    """

    def __init__(
        self,
        url: str,
        role: Role,
        key: str,
        *,
        webcam: MediaStreamTrack | None = None,
        microphone: MediaStreamTrack | None = None,
        resume: str = "",
        cookie: str = "",
    ) -> None:
        """url: 'ws://host:port/ws'. cookie: 'name=value', which came with the page."""
        self._cookie = {"Cookie": cookie} if cookie else None
        self._url, self._hello = url, Hello(role, key, resume)
        self._tracks = {"video": webcam, "audio": microphone}
        self.pc = RTCPeerConnection(RTCConfiguration([]))
        self.channel = self.pc.createDataChannel("control")
        self.channel.on("message", self._on_message)
        self.pc.on("track", self._on_track)
        self.open = asyncio.Event()
        self.channel.on("open", self.open.set)
        self.socket: ClientConnection
        self.welcome: Welcome
        self.last_picture: av.VideoFrame | None = None
        self.pictures = self.sounds = 0
        self.loudest = 0
        self.said: dict[str, Message] = {}
        self.arrivals: deque[float] = deque(maxlen=10_000)
        self.beating = True
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> BenchPage:
        try:
            await self._join()
        except BaseException:
            await self.leave(bye=False)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.leave()

    async def leave(self, *, bye: bool = True) -> None:
        """Leave the call; without `bye` as a page that vanishes."""
        for task in self._tasks:
            task.cancel()
        if hasattr(self, "socket"):
            if bye:
                with suppress(ConnectionClosed):
                    await self._send(Bye())
            await self.socket.close()
        await aiortc_fixes.close(self.pc, CLOSE_TIMEOUT)

    def say(self, message: Message) -> None:
        """Send on the data channel."""
        self.channel.send(encode(message))

    async def _join(self) -> None:
        self.socket = await connect(self._url, max_size=None, additional_headers=self._cookie)
        await self._send(self._hello)
        welcome = await self._next(Welcome)
        assert isinstance(welcome, Welcome)
        self.welcome = welcome
        person = self._hello.role == "person"
        for kind, direction in (("video", "sendrecv" if person else "recvonly"), ("audio", "sendonly" if person else "recvonly")):
            self.pc.addTransceiver(self._tracks[kind] or kind, direction=direction)
        await self.pc.setLocalDescription(await self.pc.createOffer())
        await self._send(Offer(self.pc.localDescription.sdp))
        answer = await self._next(Answer)
        assert isinstance(answer, Answer)
        await self.pc.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
        await self.open.wait()
        self._spawn(self._beat())
        self._spawn(self._listen())

    async def _send(self, message: Message) -> None:
        await self.socket.send(encode(message))

    async def _next(self, wanted: type) -> Message:
        while True:
            message = decode(await self.socket.recv())
            self.said[message.TYPE] = message
            if isinstance(message, Failure):
                raise RefusedError(message)
            if isinstance(message, wanted):
                return message

    async def _listen(self) -> None:
        async for text in self.socket:
            message = decode(text)
            self.said[message.TYPE] = message

    async def _beat(self) -> None:
        while True:
            if self.beating and self.channel.readyState == "open":
                self.say(Ping(time.monotonic() * 1000))
            await asyncio.sleep(self.welcome.heartbeat)

    def _on_message(self, text: str | bytes) -> None:
        message = decode(text)
        self.said[message.TYPE] = message

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._spawn(self._watch(track))

    async def _watch(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    self.last_picture = frame
                    self.pictures += 1
                    self.arrivals.append(time.monotonic())
                elif isinstance(frame, av.AudioFrame):
                    self.sounds += 1
                    self.loudest = max(self.loudest, int(np.abs(frame.to_ndarray()).max()))
        except MediaStreamError:
            return

    def _spawn(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
