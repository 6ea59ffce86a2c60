"""A small server that speaks the wire protocol and sends a drawn, moving face: to look at the page and to test it
without the real service. Nothing of `server/` but the protocol is used.

`python -m tests.client_web.mock_server` serves client_web/dist until it is stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import uvicorn
from aiortc import MediaStreamTrack, RTCDataChannel, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.mediastreams import AudioStreamTrack
from av import VideoFrame
from PIL import Image, ImageDraw
from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from server.call import protocol
from server.call.protocol import Answer, Camera, Failure, Hello, Offer, Ping, Pong, RoomState, Stats, Welcome

DIST = Path(__file__).resolve().parents[2] / "client_web" / "dist"
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "media-src 'self' blob:",
    ]
)


class FaceTrack(VideoStreamTrack):
    """A drawn head on white, 512 x 512, that turns with the page's camera and blinks. `pause`: more seconds between pictures."""

    def __init__(self, pause: Callable[[], float]) -> None:
        super().__init__()
        self.camera = Camera(0.0, 0.0, 0.9)
        self._pause = pause

    async def recv(self) -> VideoFrame:
        await asyncio.sleep(self._pause())
        pts, time_base = await self.next_timestamp()
        frame = VideoFrame.from_ndarray(draw_face(self.camera, pts * float(time_base)), format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


def draw_face(camera: Camera, seconds: float) -> np.ndarray:
    """(512, 512, 3) uint8. Eyes and mouth are seen only from in front."""
    image = Image.new("RGB", (512, 512), "white")
    draw = ImageDraw.Draw(image)
    r = 125 * 0.9 / camera.distance
    cx, cy = 256.0, 236.0 + 4 * math.sin(2 * seconds)

    def oval(yaw: float, up: float, rx: float, ry: float, colour: str) -> None:
        """A patch on the head at an angle to the nose, foreshortened."""
        angle = yaw - camera.yaw
        if math.cos(angle) > 0.15:
            x = cx + r * math.sin(angle)
            y = cy - r * up + r * math.sin(camera.pitch) * math.cos(angle)
            w, h = r * rx * math.cos(angle), r * ry
            draw.ellipse((x - w, y - h, x + w, y + h), fill=colour)

    draw.ellipse((cx - 2.0 * r, cy + 1.35 * r, cx + 2.0 * r, cy + 4.4 * r), fill="#44635d")
    draw.rounded_rectangle((cx - 0.42 * r, cy + 0.7 * r, cx + 0.42 * r, cy + 1.65 * r), 0.4 * r, fill="#cf9c7e")
    draw.ellipse((cx - 1.08 * r, cy - 1.45 * r, cx + 1.08 * r, cy + 1.0 * r), fill="#3a2a22")
    turn = r * 0.16 * math.sin(-camera.yaw)
    if math.cos(camera.yaw) > -0.2:
        draw.ellipse((cx - 0.9 * r + turn, cy - 1.05 * r, cx + 0.9 * r + turn, cy + 1.28 * r), fill="#e3b497")
    blink = 0.015 if seconds % 3.0 < 0.15 else 0.085
    for side in (-0.38, 0.38):
        oval(side, 0.16, 0.15, blink, "#ffffff")
        oval(side, 0.16, 0.075, min(blink, 0.075), "#33475b")
        oval(side, 0.40, 0.19, 0.03, "#3a2a22")
    oval(0.0, -0.16, 0.09, 0.1, "#d39d80")
    oval(0.0, -0.6, 0.3, 0.07 + 0.05 * abs(math.sin(4 * seconds)), "#a84f4c")
    return np.asarray(image)


class MockServer:
    """Serves the built page and one room on a thread of its own. Everything a test may set or read is public."""

    def __init__(self, port: int = 0) -> None:
        self.received: list[protocol.Message] = []
        self.failure: Failure | None = None
        self.accepting = True
        self.blocked = False
        """Answers, but no media get through, as behind a firewall."""
        self.pause = 0.0
        self.viewer_url = ""
        """What the person is told; empty: a page of this server."""
        self.stats = Stats(
            fps=29.8,
            stages={
                "decode": 2.1,
                "track": 6.4,
                "solve": 1.2,
                "pose": 3.3,
                "splat": 18.7,
                "encode": 3.1,
                "total": 41.0,
            },
            bitrate=1_240_000.0,
            face=True,
        )
        self.room = RoomState(person=True, viewers=3)
        self._sockets: set[WebSocket] = set()
        self._peers: set[RTCPeerConnection] = set()
        self._tasks: set[asyncio.Future[None]] = set()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server = uvicorn.Server(uvicorn.Config(self._app(), log_level="warning", ws="websockets-sansio"))
        self._thread = threading.Thread(target=self._run, daemon=True)

    def cameras(self) -> list[Camera]:
        return [message for message in self.received if isinstance(message, Camera)]

    def hellos(self) -> list[Hello]:
        return [message for message in self.received if isinstance(message, Hello)]

    def hang_up(self) -> None:
        """Closes every socket and leaves the peer connections alone."""
        assert self._loop
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(10)

    def drop(self) -> None:
        """Closes every socket and peer connection, as a restart would."""
        assert self._loop
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(10)

    def start(self) -> None:
        self._thread.start()
        wait_until(lambda: self._server.started, 10)

    def stop(self) -> None:
        if self._loop and self._thread.is_alive():
            self.drop()
            self._server.should_exit = True
            self._thread.join(10)
        self._listener.close()

    def _run(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._server.serve([self._listener]))

    async def _hang_up(self) -> None:
        for place in list(self._sockets):
            with contextlib.suppress(WebSocketDisconnect):  # the page was quicker
                await place.close()

    async def _drop(self) -> None:
        await self._hang_up()
        for peer in list(self._peers):
            await peer.close()
        self._peers.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def _app(self) -> Starlette:
        async def page(_request: object) -> FileResponse:
            return FileResponse(DIST / "index.html", headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})

        return Starlette(
            routes=[
                Route("/", page),
                Route("/call/{key}", page),
                Route("/view/{key}", page),
                Mount("/assets", StaticFiles(directory=DIST / "assets")),
                WebSocketRoute("/ws", self._signalling),
            ]
        )

    async def _signalling(self, place: WebSocket) -> None:
        if not self.accepting:
            await place.close()
            return
        await place.accept()
        self._sockets.add(place)
        try:
            while True:
                message = protocol.decode(await place.receive_text())
                self.received.append(message)
                if isinstance(message, Hello):
                    await self._welcome(place, message)
                elif isinstance(message, Offer):
                    answer = await self._answer(message.sdp)
                    await place.send_text(protocol.encode(Answer(answer)))
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self._sockets.discard(place)

    async def _welcome(self, place: WebSocket, hello: Hello) -> None:
        if self.failure:
            await place.send_text(protocol.encode(self.failure))
            return
        viewer = (self.viewer_url or f"/view/{hello.key}-viewer") if hello.role == "person" else ""
        welcome = Welcome(hello.resume or "mock-token", viewer, heartbeat=0.5, media_kept=hello.keep_media)
        await place.send_text(protocol.encode(welcome))
        await place.send_text(protocol.encode(self.room))

    async def _answer(self, sdp: str) -> str:
        peer = RTCPeerConnection()
        self._peers.add(peer)
        face = FaceTrack(lambda: self.pause)

        @peer.on("datachannel")
        def opened(channel: RTCDataChannel) -> None:
            self._control(channel, face)

        @peer.on("track")
        def arrived(track: MediaStreamTrack) -> None:
            self._tasks.add(asyncio.ensure_future(_drain(track)))

        await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        for transceiver in peer.getTransceivers():
            if transceiver.kind == "video":
                peer.addTrack(face)
            elif "send" in (transceiver._offerDirection or ""):
                peer.addTrack(AudioStreamTrack())
        await peer.setLocalDescription(await peer.createAnswer())
        sdp = peer.localDescription.sdp
        return re.sub("a=ice-pwd:.*", "a=ice-pwd:" + "x" * 24, sdp) if self.blocked else sdp

    def _control(self, channel: RTCDataChannel, face: FaceTrack) -> None:
        @channel.on("message")
        def message(text: str) -> None:
            parsed = protocol.decode(text)
            self.received.append(parsed)
            if isinstance(parsed, Camera):
                face.camera = parsed
            elif isinstance(parsed, Ping):
                channel.send(protocol.encode(Pong(parsed.sent)))

        async def report() -> None:
            while channel.readyState == "open":
                channel.send(protocol.encode(self.stats))
                await asyncio.sleep(0.5)

        self._tasks.add(asyncio.ensure_future(report()))


async def _drain(track: MediaStreamTrack) -> None:
    """Takes what the page sends, so that nothing piles up."""
    with contextlib.suppress(Exception):
        while True:
            await track.recv()


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the condition did not come true in time")
        time.sleep(0.02)


@contextlib.contextmanager
def running(port: int = 0) -> Iterator[MockServer]:
    server = MockServer(port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


if __name__ == "__main__":
    with running(8000) as mock:
        print(f"{mock.url}/call/mock and {mock.url}/view/mock; Ctrl+C ends it")
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
