"""A small server that speaks the wire protocol and sends drawn, moving faces: to look at the page and to test it
without the real service. Nothing of `server/` but the protocol is used.

`python -m tests.client_web.mock_server` serves client_web/dist until it is stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import msgspec
import uvicorn
from aiortc import MediaStreamTrack, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from server.call import protocol
from server.call.protocol import (
    Act,
    Answer,
    AvatarInfo,
    Failure,
    FromPage,
    Hello,
    IceServer,
    Join,
    Label,
    Labels,
    Lobby,
    Moderate,
    Offer,
    Participant,
    PictureHeld,
    Ping,
    Place,
    Pong,
    Presence,
    Recalibrate,
    Role,
    RoomState,
    SoundLines,
    Speaking,
    Stats,
    ToPage,
    ViewerCamera,
    ViewerFrame,
    Welcome,
)
from tests.client_web.drawing import MASKED, SIZE, cells, portrait
from tests.client_web.mock_api import MockApi
from tests.client_web.mock_media import RoomTrack, Tone, drain

DIST = Path(__file__).resolve().parents[2] / "client_web" / "dist"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; media-src 'self' blob:"
)

_BESIDE = ViewerCamera | ViewerFrame | Ping | Recalibrate | PictureHeld
"""What comes on the data channel."""

ME = 1
"""The page's own participant."""


class MockServer:
    """Serves the built page and one room on a thread of its own. The page that joins is participant 1; whoever else is in the
    room is drawn only. Everything a test may set or read is public."""

    def __init__(self, port: int = 0) -> None:
        self.received: list[FromPage] = []
        self.driven: list[bytes] = []
        """Messages of the channel of drive frames."""
        self.api = MockApi()
        self.failure: Failure | None = None
        """What a hello gets."""
        self.refusal: Failure | None = None
        """What a join as a participant gets."""
        self.accepting = True
        self.knows_seats = True
        """Whether a resume token is known; not after a restart."""
        self.silent = False
        """Takes a socket and a hello, and does not answer."""
        self.blocked = False
        """Answers, but no media get through, as behind a firewall."""
        self.pause = 0.0
        """More seconds between pictures."""
        self.others: list[Participant] = []
        self.own = Participant(ME, "", host=True, seated=True)
        self.speaking: list[int] = []
        self.viewers = 3
        self.locked = False
        self.ice_servers: list[IceServer] = []
        self.links = ("", "")
        """The persons' and the viewers'; empty: pages of this server."""
        self.avatars = [AvatarInfo(name.lower(), name, f"/avatars/{name.lower()}.png") for name in ("Ada", "Bo", "Cleo")]
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
        self._joined: set[WebSocket] = set()
        self._sockets: dict[WebSocket, Role] = {}
        self._peers: set[RTCPeerConnection] = set()
        self._tasks: set[asyncio.Future[None]] = set()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._loop: asyncio.AbstractEventLoop | None = None
        config = uvicorn.Config(self._app(), log_level="warning", ws="websockets-sansio", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def cameras(self) -> list[ViewerCamera]:
        return [message for message in self.received if isinstance(message, ViewerCamera)]

    def places(self) -> list[Place]:
        """Where the page has shown its picture, one after the other."""
        return [message.place for message in self.received if isinstance(message, Offer | ViewerFrame)]

    def moderated(self) -> list[tuple[Act, int]]:
        return [(message.act, message.participant) for message in self.received if isinstance(message, Moderate)]

    def types(self) -> list[str]:
        """Names of the messages on the socket, in order."""
        return [type(message).__name__ for message in self.received if not isinstance(message, _BESIDE)]

    def hellos(self) -> list[Hello]:
        return [message for message in self.received if isinstance(message, Hello)]

    def joins(self) -> list[Join]:
        return [message for message in self.received if isinstance(message, Join)]

    @property
    def people(self) -> list[Participant]:
        """In the order of their seats."""
        seated = any(self._sockets.get(place) != "viewer" for place in self._joined) and self.own.name != ""
        return sorted([self.own, *self.others] if seated else self.others, key=lambda person: person.id)

    @property
    def room(self) -> RoomState:
        return RoomState(self.people, self.viewers, self.locked)

    def shown(self, camera: ViewerCamera) -> list[Participant]:
        """Who is in the page's picture."""
        people = self.people
        focused = [person for person in people if person.id == camera.focus]
        others = [person for person in people if person.id != ME]
        return focused or (people if camera.orbit and len(others) > 1 else others) or people

    def tell_room(self) -> None:
        """Sends the room as it is now to every page."""
        self._do(self._tell_all(lambda: self.room))

    def tell(self, message: ToPage) -> None:
        """Sends a message on every socket."""
        self._do(self._tell_all(lambda: message))

    def hang_up(self) -> None:
        """Closes every socket and leaves the peer connections alone."""
        self._do(self._hang_up())

    def drop(self) -> None:
        """Closes every socket and peer connection, as a restart would."""
        self._do(self._drop())

    def _do(self, work: Coroutine[None, None, None]) -> None:
        assert self._loop
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

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

    async def _tell_all(self, message: Callable[[], ToPage]) -> None:
        for place in list(self._joined):
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the page was quicker
                await place.send_text(protocol.encode(message()))

    async def _hang_up(self) -> None:
        for place in list(self._sockets):
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
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
        async def page(_request: Request) -> FileResponse:
            return FileResponse(DIST / "index.html", headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})

        async def preview(request: Request) -> Response:
            data = io.BytesIO()
            portrait(request.path_params["name"]).save(data, "png")
            return Response(data.getvalue(), media_type="image/png")

        return Starlette(
            routes=[
                Route("/", page),
                Route("/room/{key}", page),
                Route("/avatars/{name}.png", preview),
                *self.api.routes(),
                Mount("/assets", StaticFiles(directory=DIST / "assets")),
                WebSocketRoute("/ws", self._signalling),
            ]
        )

    async def _signalling(self, place: WebSocket) -> None:
        if not self.accepting:
            await place.close()
            return
        await place.accept()
        try:
            while True:
                message = protocol.decode(await place.receive_text())
                self.received.append(message)
                for answer in await self._answers(place, message):
                    await place.send_text(protocol.encode(answer))
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self._sockets.pop(place, None)
            self._joined.discard(place)

    async def _answers(self, place: WebSocket, message: FromPage) -> list[ToPage]:
        match message:
            case Hello(key, token=token):
                if self.silent:
                    return []
                role: Role = "viewer" if key.endswith("viewer") else "person" if key.endswith("person") else "host"
                if self.failure:
                    return [self.failure]
                self._sockets[place] = role
                if message.resume and self.knows_seats:
                    return self._welcome(place, message.keep_media)
                avatars = [*self.api.own(token), *self.avatars] if role != "viewer" else []
                enrolls = self.api.enrolls and role != "viewer"
                return [Lobby(role, avatars, heartbeat=0.5, account=self.api.has(token), enrolls=enrolls)]
            case Join(name, _, watch):
                if self.refusal and not watch:
                    return [self.refusal]
                if watch:
                    self._sockets[place] = "viewer"
                else:
                    self.own = msgspec.structs.replace(self.own, name=name or "Guest", muted=message.muted)
                return self._welcome(place, False)
            case Offer(sdp, shown_in):
                return [Answer(await self._answer(sdp, self._sockets[place], shown_in))]
            case Presence(muted, camera):
                self.own = msgspec.structs.replace(self.own, muted=muted, camera=camera)
                return [self.room]
            case Moderate(act, number):
                if self._sockets[place] != "host":
                    return [Failure("not_allowed", "Only the host may do that; ask the host.", final=False)]
                self.locked = act == "lock" or (self.locked and act != "unlock")
                if act == "end":
                    return [Failure("ended", "The host has ended the meeting.")]
                if act == "remove":
                    self.others = [other for other in self.others if other.id != number]
                if act == "mute":
                    self.others = [msgspec.structs.replace(o, muted=o.muted or o.id == number) for o in self.others]
                return [self.room]
        return []

    def _welcome(self, place: WebSocket, kept: bool) -> list[ToPage]:
        self._joined.add(place)
        role = self._sockets[place]
        person, viewer = self.links if any(self.links) else (f"{self.url}/room/x-person", f"{self.url}/room/x-viewer")
        if role == "viewer":
            person = viewer = ""
        place_in_room = (-1, -1) if role == "viewer" else (ME, 4)
        return [Welcome("mock-token", role, *place_in_room, person, viewer, self.ice_servers, 0.5, kept), self.room]

    async def _answer(self, sdp: str, role: Role, place: Place) -> str:
        peer = RTCPeerConnection()
        self._peers.add(peer)
        room = RoomTrack(self.shown, lambda: self.pause)
        room.place = place

        @peer.on("datachannel")
        def opened(channel: RTCDataChannel) -> None:
            if channel.label == "drive":
                channel.on("message", lambda data: self.driven.append(data))
            else:
                self._control(channel, room)

        @peer.on("track")
        def arrived(track: MediaStreamTrack) -> None:
            self._tasks.add(asyncio.ensure_future(drain(track)))

        await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        voices: list[str] = []
        for transceiver in peer.getTransceivers():
            if transceiver.kind == "video":
                peer.addTrack(room)
            elif transceiver._offerDirection == "recvonly":
                transceiver.sender.replaceTrack(Tone())
                transceiver.direction = "sendonly"
                voices.append(transceiver.mid)
        await peer.setLocalDescription(await peer.createAnswer())
        speakers = [person.id for person in self.people if person.id != ME or role == "viewer"]
        await self._tell_all(lambda: SoundLines(dict(zip(voices, speakers, strict=False))))
        sdp = peer.localDescription.sdp
        return re.sub("a=ice-pwd:.*", "a=ice-pwd:" + "x" * 24, sdp) if self.blocked else sdp

    def _control(self, channel: RTCDataChannel, room: RoomTrack) -> None:
        @channel.on("message")
        def message(text: str) -> None:
            parsed = protocol.decode(text)
            self.received.append(parsed)
            if isinstance(parsed, ViewerCamera):
                room.camera = parsed
            elif isinstance(parsed, ViewerFrame):
                room.place = parsed.place
            elif isinstance(parsed, Ping):
                channel.send(protocol.encode(Pong(parsed.sent)))

        async def report() -> None:
            told: tuple[ToPage, ...] = ()
            turn = 0
            while channel.readyState == "open":
                people = self.shown(room.camera)
                boxes = [Label(p.id, *cell) for p, cell in zip(people, cells(len(people)), strict=True) if p.seated]
                mask = room.place.mask
                news = (Labels(boxes, SIZE, MASKED if mask else SIZE, mask), Speaking(self.speaking))
                if news != told:
                    for item in news:
                        channel.send(protocol.encode(item))
                told = news
                if turn % 5 == 0:
                    channel.send(protocol.encode(self.stats))
                turn += 1
                await asyncio.sleep(0.1)

        self._tasks.add(asyncio.ensure_future(report()))


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
        mock.others = [Participant(7, "Bo", seated=True), Participant(8, "Cleo", seated=True, muted=True)]
        mock.api.enrolls = True
        print(f"{mock.url}/room/mock and {mock.url}/room/mock-viewer; Ctrl+C ends it")
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
