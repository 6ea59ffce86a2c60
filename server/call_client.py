"""A page without a browser, for measurements, tests and `visavis doctor --call`: joins a room over the real socket and real
WebRTC."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import av
import msgspec
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE, MediaStreamError
from av.video.frame import PictureType
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from server.call import aiortc_fixes
from server.call.protocol import (
    ANYWHERE,
    Answer,
    Bye,
    Failure,
    FromPage,
    Hello,
    Join,
    Lobby,
    Offer,
    Ping,
    SoundLines,
    ToPage,
    Welcome,
    decode_from_server,
    encode,
)

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


class CallClient:
    """`async with CallClient(url, key, Join(...)) as page:` is in the room until the block ends.

    `said` holds what the server sent last, by class. `last_picture` is the newest picture, `pictures` counts them, `sounds`
    counts frames of sound, `heard` is the loudest sample of each sound line by mid. `drive` is the channel of drive frames, and
    `driven` holds the messages that came on it. `place`: of the picture, at first. Pings go out once a `Welcome.heartbeat` while
    `beating` is true.
    """

    def __init__(
        self,
        url: str,
        key: str,
        join: Join | None = None,
        *,
        webcam: MediaStreamTrack | None = None,
        microphone: MediaStreamTrack | None = None,
        voices: int = 1,
        resume: str = "",
        cookie: str = "",
        ice: RTCConfiguration | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """url: 'ws://host:port/ws'. join: how to come in; with the first avatar when it names none. voices: sound lines.
        cookie: 'name=value', which came with the page. ice: of the peer connection; only own addresses when left out.
        tls: for 'wss://'."""
        self._cookie = {"Cookie": cookie} if cookie else None
        self._url, self._hello, self._how = url, Hello(key, resume), join or Join()
        self._webcam, self._microphone, self._voices = webcam, microphone, voices
        self._tls = tls
        self.place = ANYWHERE
        self.pc = RTCPeerConnection(ice or RTCConfiguration([], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.pc.on("track", self._on_track)
        self.channel: Any = None
        self.drive: Any = None
        self.driven: deque[bytes] = deque(maxlen=1000)
        self.open = asyncio.Event()
        self.socket: ClientConnection
        self.welcome: Welcome
        self.last_picture: av.VideoFrame | None = None
        self.pictures = self.sounds = 0
        self.heard: dict[str, int] = {}
        self.said: dict[type, Any] = {}
        self.arrivals: deque[float] = deque(maxlen=10_000)
        self.beating = True
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:
            await self.leave(bye=False)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.leave()

    async def connect(self) -> None:
        """All the way in. Raises `RefusedError`."""
        await self.enter()
        await self.offer()
        await self.until_open()

    async def until_open(self) -> None:
        """Until the data channel is open. Raises `RefusedError` when the server hangs up instead."""
        while not self.open.is_set():
            if self.socket.state is State.CLOSED:
                raise RefusedError(self.said.get(Failure, Failure("internal", "The server hung up.")))
            await asyncio.sleep(0.005)

    async def leave(self, *, bye: bool = True) -> None:
        """Leave the room; without `bye` as a page that vanishes."""
        for task in self._tasks:
            task.cancel()
        if hasattr(self, "socket"):
            if bye:
                with suppress(ConnectionClosed):
                    await self.tell(Bye())
            await self.socket.close()
        await aiortc_fixes.close(self.pc, CLOSE_TIMEOUT)

    def say(self, message: FromPage) -> None:
        """Send on the data channel."""
        self.channel.send(encode(message))

    async def tell(self, message: FromPage) -> None:
        """Send on the socket."""
        await self.socket.send(encode(message))

    async def enter(self) -> None:
        """To the `Welcome`. Raises `RefusedError`."""
        self.socket = await connect(self._url, max_size=None, additional_headers=self._cookie, ssl=self._tls)
        await self.tell(self._hello)
        first = await self._next(Lobby, Welcome)
        if isinstance(first, Lobby):
            avatar = self._how.avatar or next((avatar.id for avatar in first.avatars), "")
            await self.tell(msgspec.structs.replace(self._how, avatar=avatar))
            first = await self._next(Welcome)
        assert isinstance(first, Welcome)
        self.welcome = first

    async def offer(self) -> None:
        """Make the peer connection."""
        seated = self.welcome.participant >= 0
        picture = self.pc.addTransceiver(self._webcam or "video", direction="sendrecv" if self._webcam else "recvonly")
        self._prepare(picture)
        if seated:
            self.pc.addTransceiver(self._microphone or "audio", direction="sendonly")
        for _ in range(self._voices):
            self.pc.addTransceiver("audio", direction="recvonly")
        self.channel = self.pc.createDataChannel("control")  # last: aiortc bundles everything with the first section
        self.channel.on("message", self._read)
        self.channel.on("open", self.open.set)
        self.drive = self.pc.createDataChannel("drive", ordered=False, maxRetransmits=0)
        self.drive.on("message", self.driven.append)
        await self.pc.setLocalDescription(await self.pc.createOffer())
        await self.tell(Offer(self.pc.localDescription.sdp, self.place))
        answer = await self._next(Answer)
        assert isinstance(answer, Answer)
        await self.pc.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
        self._spawn(self._beat())
        self._spawn(self._listen())

    @property
    def voices(self) -> dict[int, int]:
        """The loudest sample of each participant that is heard."""
        lines = self.said.get(SoundLines, SoundLines()).lines
        return {participant: self.heard.get(mid, 0) for mid, participant in lines.items()}

    async def _next(self, *kinds: type[ToPage]) -> ToPage:
        while True:
            message = self._read(await self.socket.recv())
            if isinstance(message, Failure):
                raise RefusedError(message)
            if isinstance(message, kinds):
                return message

    async def _listen(self) -> None:
        async for text in self.socket:
            self._read(text)

    async def _beat(self) -> None:
        while True:
            if self.beating and self.channel.readyState == "open":
                self.say(Ping(time.monotonic() * 1000))
            await asyncio.sleep(self.welcome.heartbeat)

    def _read(self, text: str | bytes) -> ToPage:
        message = decode_from_server(text)
        self.said[type(message)] = message
        return message

    def _on_track(self, track: MediaStreamTrack) -> None:
        mids = {t.receiver.track: t.mid for t in self.pc.getTransceivers()}
        self._spawn(self._watch(track, str(mids.get(track))))

    async def _watch(self, track: MediaStreamTrack, mid: str) -> None:
        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    self.last_picture = frame
                    self._count()
                elif isinstance(frame, av.AudioFrame):
                    self.sounds += 1
                    self.heard[mid] = max(self.heard.get(mid, 0), int(np.abs(frame.to_ndarray()).max()))
        except MediaStreamError:
            return

    def _prepare(self, picture: RTCRtpTransceiver) -> None:
        """Called before the offer is made."""

    def _count(self) -> None:
        self.pictures += 1
        self.arrivals.append(time.monotonic())

    def _spawn(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
