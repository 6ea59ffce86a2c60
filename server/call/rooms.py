"""The call itself: carries out what the state machine in `server/call/signalling.py` decides, on real sockets and peers."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from models.errors import ProtocolError, VisavisError
from realtime.render_process import Setup
from realtime.sound import SoundFan
from realtime.worker import RenderWorker
from server.call import ice
from server.call.config import ServerConfig
from server.call.peer import Peer, PeerEvents, Studio
from server.call.protocol import Failure, decode, encode
from server.call.signalling import Action, HangUp, Rules, Send, Signalling, StartMedia, StopMedia

log = logging.getLogger(__name__)

TICK = 0.25
CLOSE_TIMEOUT = 5.0
"""Seconds that all peers together have to close."""
OUTBOX = 32
"""Messages waiting for a socket after which it is hung up."""
MESSAGE_EVERY = 0.02
"""Seconds between two messages that are read from one socket; a page has three to say."""
MAX_HELLO = 4096
"""Characters of the first message."""


class Wire(Protocol):
    """A WebSocket, as far as the room sees it. Sending on a closed one raises `ConnectionError`.

    network: where it comes from, as in `server.call.fairness.network_of`.
    """

    network: str

    async def receive(self) -> str | bytes | None:
        """The next message, `None` when the socket has closed."""

    async def send(self, text: str) -> None:
        """Send one message."""

    async def close(self, code: int = 1000) -> None:
        """Close the socket (RFC 6455, 7.4 for the code)."""


class Room:
    """One avatar's call: the render process, at most one person, and the viewers. Lives on the event loop."""

    def __init__(self, config: ServerConfig, viewer_url: str) -> None:
        self._signalling = Signalling(
            Rules(
                config.person_key,
                config.viewer_key,
                viewer_url,
                config.max_viewers,
                config.heartbeat,
                config.dead_after,
                config.media_timeout,
                config.ice_servers,
            )
        )
        setup = Setup(config.factory, config.pipeline_options, config.width, config.height)
        # Two more views than pages: a page that comes back opens its new one while the old one is still closing.
        self.worker = RenderWorker(setup, views=config.max_viewers + 3, avatar=config.read_avatar())
        self._studio = Studio(config, self.worker, SoundFan())
        self._outboxes: dict[int, asyncio.Queue[str | None]] = {}
        self._peers: dict[int, Peer] = {}
        self._numbers = itertools.count(1)
        self._timers: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False

    @property
    def ready(self) -> bool:
        """Whether a call can start now."""
        return self.worker.ready and not self._draining

    async def start(self, on_failure: Callable[[], None] = lambda: None) -> None:
        """Start the render process; `on_failure` is called when it says it can never work (see `worker.failure`)."""
        ice.install(self._studio.config.ice_addresses, self._studio.config.ice_ports)
        self.worker.start(lambda: on_failure() if self.worker.failure else None)
        self._timers = [
            asyncio.create_task(self._every(TICK, self._tick)),
            asyncio.create_task(self._every(1.0, self._stats)),
        ]

    async def close(self) -> None:
        """Refuse newcomers, end all media, hang up all sockets, stop the render process. May be called twice."""
        if self._draining:
            return
        self._draining = True
        for timer in self._timers:
            timer.cancel()
        if self.worker.failure:  # said in full where the server was started; it may hold paths
            sentence = "the avatar cannot be shown any more; whoever runs the server finds the reason in its log"
            for socket in list(self._outboxes):
                self._post(socket, encode(Failure("internal", sentence)))
        self._do(self._signalling.close())
        stopping = asyncio.create_task(self.worker.stop())
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=CLOSE_TIMEOUT)
        await stopping
        self._studio.feeder.shutdown(wait=False)

    async def serve(self, wire: Wire) -> None:
        """One page's socket, from open to close."""
        if self._draining:
            await wire.close(1012)
            return
        number = next(self._numbers)
        outbox = self._outboxes[number] = asyncio.Queue(OUTBOX)
        self._do(self._signalling.connected(number, time.monotonic(), wire.network))
        writing = asyncio.create_task(write_outbox(wire, outbox))
        reading = asyncio.create_task(self._read(wire, number))
        try:
            await asyncio.wait({writing, reading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._outboxes.pop(number, None)
            self._do(self._signalling.disconnected(number))
            close_outbox(outbox)
            reading.cancel()
            await asyncio.wait({writing, reading}, timeout=CLOSE_TIMEOUT)

    async def _read(self, wire: Wire, number: int) -> None:
        while (text := await wire.receive()) is not None:
            if self._signalling.is_stranger(number) and len(text) > MAX_HELLO:
                return
            try:
                self._do(self._signalling.received(number, decode(text), time.monotonic()))
            except ProtocolError as error:
                self._do(self._signalling.malformed(number, str(error)))
            await asyncio.sleep(MESSAGE_EVERY)  # meanwhile the socket is not read, so a flood stays with its sender

    # Actions

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send(socket, message):
                    self._post(socket, encode(message))
                case HangUp(socket):
                    close_outbox(self._outboxes.pop(socket, None))
                case StartMedia(media):
                    self._peers[media] = self._new_peer(action)
                    self._spawn(self._open(action, self._peers[media]))
                case StopMedia(media):
                    if (peer := self._peers.pop(media, None)) is not None:
                        self._spawn(peer.close())

    def _post(self, socket: int, text: str) -> None:
        outbox = self._outboxes.get(socket)
        if outbox is None:
            return
        if outbox.full():
            close_outbox(self._outboxes.pop(socket))
        else:
            outbox.put_nowait(text)

    def _new_peer(self, action: StartMedia) -> Peer:
        media = action.media
        events = PeerEvents(
            ping=lambda: self._signalling.ping(media, time.monotonic()),
            malformed=lambda sentence: self._malformed(media, sentence),
            ended=lambda: self._do(self._signalling.media_ended(media)),
        )
        return Peer(action.role, self._studio, events, media)

    async def _open(self, action: StartMedia, peer: Peer) -> None:
        try:
            answer = await peer.answer(action.sdp)
        except VisavisError as error:
            self._do(self._signalling.media_failed(action.media, str(error)))
        else:
            self._do(self._signalling.answered(action.media, answer))

    def _malformed(self, media: int, sentence: str) -> None:
        socket = self._signalling.socket_of_media.get(media)
        if socket is not None:
            self._do(self._signalling.malformed(socket, sentence))

    # Time

    async def _every(self, seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except Exception:  # a bug in one round must not stop the heartbeats of everyone else
                log.exception("a regular task of the call failed; it goes on")

    async def _tick(self) -> None:
        self._do(self._signalling.tick(time.monotonic()))
        latency = self.worker.times.medians().get("total")
        if latency is not None:
            self._studio.sound.delay.add(latency / 1000)

    async def _stats(self) -> None:
        for peer in list(self._peers.values()):
            await peer.send_stats()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the call ended with an error", exc_info=error)


def close_outbox(outbox: asyncio.Queue[str | None] | None) -> None:
    """Let the writer finish what is there and close the socket."""
    if outbox is not None:
        while outbox.full():
            outbox.get_nowait()
        outbox.put_nowait(None)


async def write_outbox(wire: Wire, outbox: asyncio.Queue[str | None]) -> None:
    """Send what is put into the outbox until `None`; then close the socket."""
    try:
        while (text := await outbox.get()) is not None:
            await wire.send(text)
        await wire.close()
    except ConnectionError:
        log.debug("a page's socket closed while we wrote to it")
