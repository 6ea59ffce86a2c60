"""Who is in the call: a pure state machine without sockets, media or clock.

Events go in with the time (seconds, any monotonic clock), a list of actions comes out for `server/call/rooms.py` to carry out in
order. A *socket* is one WebSocket; a *place* is a page's seat in the call, which outlives its socket for as long as its
media live, and can be taken over by a new socket that shows the resume token; *media* is one peer connection. All three
are numbered, never named.

    socket:  connected ──hello──► has a place ──bye, or its place is lost──► hung up
    place:   empty ──offer──► media opening ──first ping──► media alive ──no ping for `dead_after`──► lost
             a place whose socket closes is lost at once without media, else when its media die or a newcomer needs it;
             one that is given no offer in `media_timeout` is lost too

Offers cost the server more than anything else a page may ask for. So each place, and all viewers together, have a `Pace`;
an offer that comes before its time, or while another one of the place is being answered, waits, and a newer one replaces it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from server.call.fairness import Crowd, Pace
from server.call.protocol import VERSION, Answer, Bye, Failure, Hello, IceServer, Message, Offer, Role, RoomState, Welcome

HELLO_TIMEOUT = 10.0
"""Seconds in which a socket has to say who it is."""
MAX_MALFORMED = 16
"""Messages that make no sense after which a socket is hung up."""
MAX_STRANGERS = 1024
"""Sockets that have not said who they are; one more and the oldest of the network with the most is hung up."""
RETRY_AFTER = 5.0
"""Seconds after which a page that found no place asks again."""
OFFERS_PER_SECOND, OFFERS_AT_ONCE = 0.5, 3.0
"""Of one place."""
VIEWER_OFFERS_PER_SECOND, VIEWER_OFFERS_AT_ONCE = 5.0, 3.0
"""Of all viewers; faster where there are many places, so that after a restart all are back within `RETURN` seconds."""
RETURN = 4.0


@dataclass(frozen=True)
class Send:
    """Send `message` on the socket."""

    socket: int
    message: Message


@dataclass(frozen=True)
class HangUp:
    """Close the socket, after what was sent on it."""

    socket: int


@dataclass(frozen=True)
class StartMedia:
    """Answer the offer with a new peer connection; report with `answered` or `media_failed`."""

    media: int
    role: Role
    sdp: str


@dataclass(frozen=True)
class StopMedia:
    """Close the peer connection."""

    media: int


Action = Send | HangUp | StartMedia | StopMedia


@dataclass(frozen=True)
class Rules:
    """What the room allows. viewer_url goes to the person. Times in seconds, as in `server.call.config.ServerConfig`."""

    person_key: str = field(repr=False)
    viewer_key: str = field(repr=False)
    viewer_url: str = field(default="", repr=False)
    max_viewers: int = 8
    heartbeat: float = 1.0
    dead_after: float = 3.0
    media_timeout: float = 15.0
    ice_servers: tuple[IceServer, ...] = ()


@dataclass
class _Socket:
    opened: float
    place: int | None = None
    malformed: int = 0


@dataclass
class _Place:
    role: Role
    token: str
    socket: int | None
    deadline: float
    media: int | None = None
    opening: bool = False
    waiting: str | None = None
    pace: Pace = field(default_factory=lambda: Pace(OFFERS_PER_SECOND, OFFERS_AT_ONCE))


class Signalling:
    """The state of one call: at most one person and `max_viewers` viewers."""

    def __init__(self, rules: Rules, new_token: Callable[[], str] = lambda: secrets.token_urlsafe(16)) -> None:
        self._rules, self._new_token = rules, new_token
        self._sockets: dict[int, _Socket] = {}
        self._places: dict[int, _Place] = {}
        self._strangers: Crowd[int] = Crowd(MAX_STRANGERS)
        self._queue: dict[int, None] = {}
        self._pace = Pace(max(VIEWER_OFFERS_PER_SECOND, rules.max_viewers / RETURN), VIEWER_OFFERS_AT_ONCE)
        self._count = 0
        self._told = (False, 0)

    @property
    def media(self) -> dict[int, Role]:
        """The peer connections that should be open, and whose they are."""
        return {place.media: place.role for place in self._places.values() if place.media is not None}

    @property
    def socket_of_media(self) -> dict[int, int]:
        """Media -> socket, where there is one."""
        found = ((place.media, place.socket) for place in self._places.values())
        return {media: socket for media, socket in found if media is not None and socket is not None}

    # Events

    def connected(self, socket: int, now: float, network: str = "") -> list[Action]:
        """A WebSocket was opened; `socket` is a number never used before, `network` where it comes from."""
        self._sockets[socket] = _Socket(now)
        oldest = self._strangers.add(socket, network)
        if oldest is None:
            return []
        del self._sockets[oldest]
        return [HangUp(oldest)]

    def is_stranger(self, socket: int) -> bool:
        """Whether the socket has not said yet who it is."""
        return socket in self._strangers

    def received(self, socket: int, message: Message, now: float) -> list[Action]:
        """A message came on the socket. One that is out of order is refused, never an error."""
        state = self._sockets.get(socket)
        if state is None:
            return []
        place = None if state.place is None else self._places[state.place]
        if isinstance(message, Hello) and place is None:
            return self._hello(socket, state, message, now)
        if isinstance(message, Offer) and place is not None and state.place is not None:
            return self._offer(state.place, place, message, now)
        if isinstance(message, Bye):
            return self._leave(socket, state)
        wanted = "a hello first" if place is None else "an offer or a bye"
        return self.malformed(socket, f"{wanted} was expected, {message.TYPE} came; it was ignored")

    def malformed(self, socket: int, sentence: str) -> list[Action]:
        """Something came, on the socket or on its media's data channel, that is no message or not now."""
        state = self._sockets.get(socket)
        if state is None:
            return []
        state.malformed += 1
        refusal: list[Action] = [Send(socket, Failure("bad_message", _sentence(sentence), final=False))]
        return refusal if state.malformed < MAX_MALFORMED else refusal + self._leave(socket, state)

    def disconnected(self, socket: int) -> list[Action]:
        """The WebSocket has closed without a bye. Living media keep the place; the page may come back for it."""
        state = self._sockets.pop(socket, None)
        self._strangers.discard(socket)
        if state is None or state.place is None:
            return []
        place = self._places[state.place]
        place.socket = place.waiting = None
        if place.media is not None:
            return []
        del self._places[state.place]
        return self._tell()

    def answered(self, media: int, sdp: str) -> list[Action]:
        """The peer connection is there and this is its answer."""
        place = self._place_of(media)
        if place is None:
            return []
        place.opening = False
        return [Send(place.socket, Answer(sdp))] if place.socket is not None else []

    def media_failed(self, media: int, sentence: str) -> list[Action]:
        """The offer cannot be answered; the page may make another."""
        place = self._place_of(media)
        if place is None:
            return []
        place.media, place.opening = None, False
        actions: list[Action] = [StopMedia(media)]
        if place.socket is not None:
            actions.append(Send(place.socket, Failure("media", _sentence(sentence), final=False)))
        else:
            self._places = {number: other for number, other in self._places.items() if other is not place}
        return actions + self._tell()

    def media_ended(self, media: int) -> list[Action]:
        """The peer connection has failed or was closed by the page."""
        return self._lose(media)

    def ping(self, media: int, now: float) -> None:
        """A heartbeat came on the data channel."""
        place = self._place_of(media)
        if place is not None:
            place.deadline = now + self._rules.dead_after

    def tick(self, now: float) -> list[Action]:
        """Time has passed: lose the dead, hang up on the silent, take up the offers that waited."""
        actions = self._lose_dead(now)
        for socket, state in list(self._sockets.items()):
            if state.place is None and now - state.opened > HELLO_TIMEOUT:
                actions += self._leave(socket, state)
        for number in list(self._queue):
            place = self._places.get(number)
            if place is None or place.waiting is None:
                del self._queue[number]
            elif self._may_offer(place, now):
                del self._queue[number]
                actions += self._start(place, place.waiting, now)
        return actions

    def close(self) -> list[Action]:
        """The server stops: everything ends, and the pages may come back."""
        actions: list[Action] = [StopMedia(media) for media in self.media]
        actions += [HangUp(socket) for socket in self._sockets]
        for socket in self._sockets:
            self._strangers.discard(socket)
        self._sockets.clear()
        self._places.clear()
        return actions

    # Inside

    def _hello(self, socket: int, state: _Socket, hello: Hello, now: float) -> list[Action]:
        if hello.version != VERSION:
            return self._refuse(socket, "bad_message", "this page is of another version than the server; reload it")
        key = self._rules.person_key if hello.role == "person" else self._rules.viewer_key
        if not _same(hello.key, key):
            return self._refuse(socket, "not_found", "there is no call at this address; ask for a new link")
        actions = self._lose_dead(now)
        number, kept = self._resumed(hello), False
        if number is not None:
            kept = hello.keep_media and self._places[number].media is not None
            actions += self._vacate(self._places[number], keep_media=kept)
        elif self._is_full(hello.role):
            number = self._abandoned(hello.role)
            if number is None:
                return actions + self._refuse(socket, *self._no_room(hello.role), retry_after=RETRY_AFTER)
            actions += self._vacate(self._places.pop(number))
            number = self._seat(hello.role)
        else:
            number = self._seat(hello.role)
        self._strangers.discard(socket)
        place = self._places[number]
        place.socket, state.place = socket, number
        place.deadline = now + self._rules.media_timeout
        url = self._rules.viewer_url if place.role == "person" else ""
        welcome = Welcome(place.token, url, list(self._rules.ice_servers), self._rules.heartbeat, kept)
        told = self._told
        changes = self._tell()
        if told == self._told:
            changes = [self._state_for(socket)]
        return [*actions, Send(socket, welcome), *changes]

    def _resumed(self, hello: Hello) -> int | None:
        for number, place in self._places.items():
            if place.role == hello.role and _same(place.token, hello.resume):
                return number
        return None

    def _is_full(self, role: Role) -> bool:
        taken = sum(place.role == role for place in self._places.values())
        return taken >= (1 if role == "person" else self._rules.max_viewers)

    def _abandoned(self, role: Role) -> int | None:
        """A place whose socket has closed: most likely the newcomer is that very page, reloaded without its token."""
        return next((n for n, p in self._places.items() if p.role == role and p.socket is None), None)

    def _no_room(self, role: Role) -> tuple[str, str]:
        if role == "person":
            return "taken", "this avatar is in a call on another page; close that page, and this one goes on"
        count = self._rules.max_viewers
        places = "the only viewer's place is" if count == 1 else f"all {count} viewers' places are"
        return "full", f"{places} taken; you come in as soon as someone has left"

    def _seat(self, role: Role) -> int:
        number = self._number()
        self._places[number] = _Place(role, self._new_token(), None, 0.0)
        return number

    def _vacate(self, place: _Place, *, keep_media: bool = False) -> list[Action]:
        """End the place's media and hang up its socket; the place itself stays for the page that comes back."""
        actions: list[Action] = []
        if place.media is not None and not keep_media:
            actions.append(StopMedia(place.media))
            place.media = None
        place.opening, place.waiting = False, None
        if place.socket is not None:
            self._sockets.pop(place.socket, None)
            actions.append(HangUp(place.socket))
            place.socket = None
        return actions

    def _offer(self, number: int, place: _Place, offer: Offer, now: float) -> list[Action]:
        if self._may_offer(place, now):
            return self._start(place, offer.sdp, now)
        place.waiting = offer.sdp
        self._queue.setdefault(number)
        return []

    def _may_offer(self, place: _Place, now: float) -> bool:
        return not place.opening and place.pace.ready(now) and (place.role == "person" or self._pace.ready(now))

    def _start(self, place: _Place, sdp: str, now: float) -> list[Action]:
        actions: list[Action] = [] if place.media is None else [StopMedia(place.media)]
        place.pace.take()
        if place.role == "viewer":
            self._pace.take()
        place.media, place.opening, place.waiting = self._number(), True, None
        place.deadline = now + self._rules.media_timeout
        return [*actions, StartMedia(place.media, place.role, sdp), *self._tell()]

    def _leave(self, socket: int, state: _Socket) -> list[Action]:
        if state.place is None:
            del self._sockets[socket]
            self._strangers.discard(socket)
            return [HangUp(socket)]
        place = self._places.pop(state.place)
        return self._vacate(place) + self._tell()

    def _lose_dead(self, now: float) -> list[Action]:
        dead = [place for place in self._places.values() if now > place.deadline]
        return [action for place in dead for action in self._lose_place(place)]

    def _lose(self, media: int) -> list[Action]:
        place = self._place_of(media)
        return [] if place is None else self._lose_place(place)

    def _lose_place(self, place: _Place) -> list[Action]:
        self._places = {number: other for number, other in self._places.items() if other is not place}
        return self._vacate(place) + self._tell()

    def _refuse(self, socket: int, code: str, sentence: str, retry_after: float = 0.0) -> list[Action]:
        """retry_after: seconds, as in `Failure`; 0 for what does not change by waiting."""
        del self._sockets[socket]
        self._strangers.discard(socket)
        return [Send(socket, Failure(code, _sentence(sentence), retry_after == 0.0, retry_after)), HangUp(socket)]

    def _tell(self) -> list[Action]:
        """`RoomState` to everyone who has a place, when it has changed."""
        state = (any(p.role == "person" and p.media is not None for p in self._places.values()), self._count_watching())
        if state == self._told:
            return []
        self._told = state
        return [self._state_for(p.socket) for p in self._places.values() if p.socket is not None]

    def _state_for(self, socket: int) -> Send:
        return Send(socket, RoomState(*self._told))

    def _count_watching(self) -> int:
        return sum(p.role == "viewer" and p.media is not None for p in self._places.values())

    def _place_of(self, media: int) -> _Place | None:
        return next((place for place in self._places.values() if place.media == media), None)

    def _number(self) -> int:
        self._count += 1
        return self._count


def _sentence(text: str) -> str:
    """As people read it: a capital letter first, a full stop at the end."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _same(given: str, secret: str) -> bool:
    """Compare in a time that does not depend on where they differ."""
    return secrets.compare_digest(given.encode("utf-8", "surrogatepass"), secret.encode())
