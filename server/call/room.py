"""A room: carries out what its state machine (`server/call/signalling.py`) decides, on real sockets and peers."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from models.errors import ProtocolError, VisavisError
from realtime.room.layout import Layout, ViewRequest
from realtime.room.process import RoomSetup
from realtime.room.sound import RoomSound
from realtime.room.supervision import RoomEvents
from realtime.room.worker import RoomWorker
from server.call.actions import Action, FreeSeat, GiveSeat, HangUp, MuteVoice, Revoke, Send, StartMedia, StopMedia
from server.call.avatars import AvatarCatalog
from server.call.driving import DriveRelay
from server.call.peer import PeerEvents, RoomMedia, RoomPeer
from server.call.protocol import AvatarInfo, Failure, Hello, Join, Label, Labels, SoundLines, Speaking, decode, encode
from server.call.room_cost import cores_taken, load
from server.call.rules import RoomKeys, RoomSettings, Visitor, rules_of
from server.call.running_time import RunningTime
from server.call.shown_avatars import ShownAvatars
from server.call.signalling import RoomSignalling
from server.call.stored_avatars import StoredAvatars
from server.call.wire import OUTBOX, Wire, close_outbox, write_outbox

if TYPE_CHECKING:
    from server.call.protocol import Moderate, RoomState

log = logging.getLogger(__name__)

TICK = 0.25
STANDS_STILL = 0.75
"""Seconds without a tick after which the server itself stood still."""
CLOSE_TIMEOUT = 5.0
"""Seconds that all peers together have to close."""
MESSAGE_EVERY = 0.02
"""Seconds between two messages that are read from one socket; a page has three to say."""
RESTARTS = "The server restarts; this page comes back by itself."

MakePeer = Callable[[StartMedia, RoomMedia, PeerEvents], RoomPeer]
"""What makes a peer connection for an offer; a page's is a `RoomPeer`."""


class Room:
    """People at a table and those who watch. Lives on the event loop."""

    def __init__(
        self,
        settings: RoomSettings,
        keys: RoomKeys,
        catalog: AvatarCatalog,
        others_busy: Callable[[], float] = lambda: 0.0,
        stored: StoredAvatars | None = None,
        revoke: Callable[[str, float], None] = lambda _token, _until: None,
    ) -> None:
        """stored: avatars of people with an account. others_busy: the part of the machine's cores that other rooms take now.
        revoke: told of a room token (its id, and when it ends) whose holder was removed. Raises `VisavisError` when there is not
        enough memory."""
        self._revoke = revoke
        self._settings, self._catalog, self._others_busy, self._stored = settings, catalog, others_busy, stored
        setup = RoomSetup(settings.factory, settings.factory_options, settings.width, settings.height)
        # Two more views than pages: a page that comes back opens its new one while the old one is still closing.
        self.worker = RoomWorker(setup, people=settings.max_people, views=settings.max_people + settings.max_viewers + 2)
        self.shown = ShownAvatars(self.worker, stored)
        asked = (self._avatars, self._admits, self.shown.address)
        self._signalling = RoomSignalling(rules_of(settings, keys, *asked, enrolls=stored is not None))
        self._time = RunningTime(STANDS_STILL)
        self._layout = Layout(settings.width, settings.height)
        feeder, relay = ThreadPoolExecutor(2, "webcam"), DriveRelay(self.worker.drives.shown)
        self._media = RoomMedia(settings, self.worker, RoomSound(), feeder, self._labels, relay)
        self._outboxes: dict[int, asyncio.Queue[str | None]] = {}
        self._make_peer: dict[int, MakePeer] = {}
        self._peers: dict[int, RoomPeer] = {}
        self._orders: dict[int, int] = {}
        self._lines_told: dict[int, dict[str, int]] = {}
        self._speaking: frozenset[int] = frozenset()
        self._numbers = itertools.count(1)
        self._timers: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False
        self._restarting: Failure | None = None
        self.used = time.monotonic()
        """When somebody was last here."""

    @property
    def ready(self) -> bool:
        """Whether a call can start now."""
        return self.worker.ready and not self._draining

    @property
    def is_empty(self) -> bool:
        """Whether nobody is here, nor in the lobby."""
        return not self._outboxes and not self._peers

    @property
    def is_calling(self) -> bool:
        """Whether somebody has a connection for media."""
        return bool(self._peers)

    @property
    def target_bitrate(self) -> int:
        """Bits a second of all encoders together."""
        return sum(peer.target_bitrate for peer in self._peers.values())

    def drain(self, retry_after: float) -> None:
        """Let nobody new in, and tell those who are here. retry_after: seconds after which newcomers ask again."""
        self._restarting = Failure("restarting", RESTARTS, final=False, retry_after=retry_after)
        for socket in list(self._outboxes):
            self._post(socket, encode(self._restarting))

    async def start(self, on_failure: Callable[[], None] = lambda: None) -> None:
        """Start the render process; `on_failure` is called when it says it can never work (see `worker.failure`)."""
        events = RoomEvents(
            changed=lambda: self._on_process(on_failure),
            joined=self._on_joined,
            refused=lambda participant, sentence: self._do(self._signalling.avatar_refused(participant, sentence)),
            replaced=self.shown.replaced,
            moved=self._media.drives.moved,
        )
        self.worker.start(events)
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
            sentence = "Pictures cannot be made any more; whoever runs the server finds the reason in its log."
            for socket in list(self._outboxes):
                self._post(socket, encode(Failure("internal", sentence)))
        elif self._restarting is None:
            self.drain(0.0)
        self._do(self._signalling.close())
        stopping = asyncio.create_task(self.worker.stop())
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=CLOSE_TIMEOUT)
        await stopping
        self._media.drives.stop()
        self._media.feeder.shutdown(wait=False)

    async def serve(self, wire: Wire, hello: Hello, visitor: Visitor, make_peer: MakePeer = RoomPeer) -> None:
        """One page's socket after its hello, until it closes. make_peer: of its peer connections."""
        await self._catalog.keep_fresh()
        if visitor.person and self._stored is not None:
            await self._stored.prepare(visitor.person)
        if self._draining:
            await wire.close(1012)
            return
        number = next(self._numbers)
        outbox = self._outboxes[number] = asyncio.Queue(OUTBOX)
        self._make_peer[number] = make_peer
        self._do(self._signalling.hello(number, hello, self._time(), visitor))
        writing = asyncio.create_task(write_outbox(wire, outbox))
        reading = asyncio.create_task(self._read(wire, number))
        try:
            await asyncio.wait({writing, reading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._outboxes.pop(number, None)
            self._make_peer.pop(number, None)
            self._do(self._signalling.disconnected(number))
            close_outbox(outbox)
            reading.cancel()
            await asyncio.wait({writing, reading}, timeout=CLOSE_TIMEOUT)

    async def _read(self, wire: Wire, number: int) -> None:
        while (text := await wire.receive()) is not None:
            try:
                message = decode(text)
                if self._restarting is not None and isinstance(message, Join):
                    self._post(number, encode(self._restarting))
                else:
                    self._do(self._signalling.received(number, message, self._time()))
            except ProtocolError as error:
                self._do(self._signalling.malformed(number, str(error)))
            await asyncio.sleep(MESSAGE_EVERY)  # meanwhile the socket is not read, so a flood stays with its sender

    def erase_avatar(self, avatar: str) -> None:
        """The avatar was erased: whoever has taken it goes."""
        for participant in [p for p, taken in self.shown.taken.items() if taken == avatar]:
            self._do(self._signalling.avatar_refused(participant, "this avatar was erased; take another one"))

    def put_out(self, person: str) -> None:
        """The account has ended: whoever came with it goes."""
        self._do(self._signalling.put_out(person, "this account has ended on this server; ask an admin"))

    def moderate(self, order: Moderate) -> bool:
        """What a host orders from elsewhere than a page; False when the participant is not here any more."""
        self._do((actions := self._signalling.moderate(order)) or [])
        return actions is not None

    @property
    def state(self) -> RoomState:
        """Who is here."""
        return self._signalling.told

    @property
    def people(self) -> int:
        """Seats that are taken."""
        return len(self._orders)

    @property
    def viewers(self) -> int:
        """Pages with media and without a seat."""
        return self._signalling.viewers

    @property
    def pictures(self) -> float:
        """Pictures that were drawn in the last second."""
        return self.worker.times.rate("splat")

    # What the state machine asks

    def _avatars(self, person: str) -> list[AvatarInfo]:
        own = self._stored.of(person) if person and self._stored is not None else []
        shown = [*own, *self._catalog.entries]
        return [AvatarInfo(e.id, e.name, f"/avatars/{e.id}.png" if e.preview else "") for e in shown]

    def _admits(self, person: bool) -> bool:
        peers = self._peers.values()
        drawn, private = sum(not peer.draws for peer in peers), sum(peer.is_private for peer in peers)
        now = load(self.worker.times, len(self._orders), private, drawn, self._others_busy())
        return now.admits(person=person, least=self._settings.least_rate)

    @property
    def cores_taken(self) -> float:
        """How many cores the room takes now, as measured in the last second."""
        return cores_taken(self.worker.times)

    # What the render process tells

    def _on_process(self, on_failure: Callable[[], None]) -> None:
        if self.worker.failure:
            on_failure()
        elif not self.worker.ready:
            for participant in list(self._orders):
                self._do(self._signalling.seated(participant, is_seated=False))

    def _on_joined(self, participant: int) -> None:
        if participant in self._orders:
            self._layout.join(participant, self._orders[participant], time.monotonic())
            self._do(self._signalling.seated(participant))
            self._send_labels()

    def _labels(self, request: ViewRequest) -> Labels:
        later = time.monotonic() + 60.0  # where everybody will be; the page moves the labels softly
        fitted = self._layout.fitted(request)
        shot, frame = self._layout.shot(fitted, later), fitted.frame
        labels = [
            Label(p, *(round(float(v), 3) for v in cell)) for p, cell in zip(shot.people, shot.arrangement.cells, strict=True)
        ]
        return Labels(labels, frame.width, frame.height, frame.mask)

    def _send_labels(self) -> None:
        for peer in self._peers.values():
            peer.send_labels()

    # Actions

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send(socket, message):
                    self._post(socket, encode(message))
                case HangUp(socket):
                    close_outbox(self._outboxes.pop(socket, None))
                case StartMedia(media):
                    log.info("a page connects", extra=self._numbers_now())
                    self._peers[media] = self._new_peer(action)
                    self._spawn(self._open(action, self._peers[media]))
                case StopMedia(media):
                    self._lines_told.pop(media, None)
                    if (peer := self._peers.pop(media, None)) is not None:
                        self._spawn(peer.close())
                        log.info("a page's connection ends", extra=self._numbers_now())
                case GiveSeat(participant, avatar, order):
                    self._seat(participant, avatar, order)
                case FreeSeat(participant):
                    self.worker.leave(participant)
                    self._orders.pop(participant, None)
                    self.shown.leave(participant)
                    self._layout.leave(participant, time.monotonic())
                    self._send_labels()
                case MuteVoice(participant, muted):
                    self._media.sound.mute(participant, muted)
                case Revoke(token, until):
                    self._revoke(token, until)

    def _numbers_now(self) -> dict[str, dict[str, int]]:
        """For the log."""
        return {"fields": {"people": self.people, "viewers": self.viewers}}

    def _seat(self, participant: int, avatar: str, order: int) -> None:
        entry = self._catalog.get(avatar) or (None if self._stored is None else self._stored.get(avatar))
        self.shown.seat(participant, avatar, entry)
        self._orders[participant] = order
        try:
            if entry is None:
                raise VisavisError("this avatar is not on the server any more; take another one")
            self.worker.join(participant, entry.data, order)
        except VisavisError as error:
            sentence = str(error)  # not now: the state machine is at work
            asyncio.get_running_loop().call_soon(lambda: self._do(self._signalling.avatar_refused(participant, sentence)))

    def _post(self, socket: int, text: str) -> None:
        outbox = self._outboxes.get(socket)
        if outbox is None:
            return
        if outbox.full():
            close_outbox(self._outboxes.pop(socket))
        else:
            outbox.put_nowait(text)

    def _new_peer(self, action: StartMedia) -> RoomPeer:
        media = action.media
        events = PeerEvents(
            ping=lambda: self._signalling.ping(media, self._time()),
            malformed=lambda sentence: self._malformed(media, sentence),
            ended=lambda: self._do(self._signalling.media_ended(media)),
        )
        make = self._make_peer.get(self._signalling.socket_of(media) or 0, RoomPeer)
        return make(action, self._media, events)

    async def _open(self, action: StartMedia, peer: RoomPeer) -> None:
        try:
            answer = await peer.answer(action.sdp)
        except VisavisError as error:
            self._do(self._signalling.media_failed(action.media, str(error)))
        else:
            self._do(self._signalling.answered(action.media, answer))

    def _malformed(self, media: int, sentence: str) -> None:
        socket = self._signalling.socket_of(media)
        if socket is not None:
            self._do(self._signalling.malformed(socket, sentence))

    # Time

    async def _every(self, seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except Exception:  # a bug in one round must not stop the heartbeats of everyone else
                log.exception("a regular task of the room failed; it goes on")

    async def _tick(self) -> None:
        self._do(self._signalling.tick(self._time()))
        if not self.is_empty:
            self.used = time.monotonic()
        latency = self.worker.times.medians().get("total")
        if latency is not None:
            self._media.sound.delay.add(latency / 1000)
        self._send_labels()
        self._tell_sound()

    def _tell_sound(self) -> None:
        """Whose voice is on which line, and who speaks, when that has changed."""
        for media, peer in self._peers.items():
            lines = peer.sound_lines
            socket = self._signalling.socket_of(media)
            if socket is not None and lines != self._lines_told.get(media, {}):
                self._lines_told[media] = lines
                self._post(socket, encode(SoundLines(lines)))
        speaking = self._media.sound.speaking()
        if speaking != self._speaking:
            self._speaking = speaking
            for peer in self._peers.values():
                peer.send(Speaking(sorted(speaking)))

    async def _stats(self) -> None:
        self._media.drives.repeat()
        for peer in list(self._peers.values()):
            await peer.send_stats()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the room ended with an error", exc_info=error)
