"""Who is in a room: a pure state machine without sockets, media or clock.

Events go in with the time (seconds, any monotonic clock), a list of actions comes out, to be carried out in order. A *socket* is
one WebSocket; a *member* is a page that has joined, with a seat (a participant) or without (a viewer). A member outlives its
socket for as long as its media live, and can be taken over by a new socket that shows the resume token; *media* is one peer
connection. All three are numbered; names are shown to the others in the room and go nowhere else.

    socket:  hello ──► in the lobby ──join──► is a member's ──bye, or the member is lost──► hung up
    member:  no media ──offer──► media opening ──first ping──► media alive ──no ping for `dead_after`──► lost
             a member whose socket closes is lost at once when its media were never alive; media that end free no seat (a page
             that tries again closes both first): the member has until its deadline for another offer;
             one that makes no offer in `media_timeout` is lost too

Offers cost the server more than anything else a page may ask for. So each member, and all viewers together, have a `Pace`; an
offer that comes before its time, or while another one of the member is being answered, waits, and a newer one replaces it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from server.call.actions import Action, FreeSeat, GiveSeat, HangUp, MuteVoice, Revoke, Send, StartMedia, StopMedia
from server.call.members import Member, Socket
from server.call.protocol import (
    VERSION,
    Answer,
    Bye,
    Failure,
    FromPage,
    Hello,
    Join,
    Lobby,
    Moderate,
    Offer,
    Presence,
    RoomState,
    Welcome,
)
from server.call.rules import RoomRules, Visitor, as_sentence, printable, room_link, same

LOBBY_TIMEOUT = 3600.0
"""Seconds that a page may stay in the lobby."""
MAX_MALFORMED = 16
"""Messages that make no sense after which a socket is hung up."""
RETRY_AFTER = 5.0
"""Seconds after which a page that found no room asks again."""
MAX_ORDER = 1 << 20
"""What a page may ask for as the order of its seat; who comes after it has a larger one."""


class RoomSignalling:
    """The state of one room."""

    def __init__(self, rules: RoomRules, new_token: Callable[[], str] = lambda: secrets.token_urlsafe(16)) -> None:
        self._rules, self._new_token = rules, new_token
        self._sockets: dict[int, Socket] = {}
        self._members: dict[int, Member] = {}
        self._queue: dict[int, None] = {}
        self._pace, self._seating = rules.viewers_pace(), rules.seating_pace()
        self._count = 0
        self._locked = False
        self.told = RoomState()
        """The room as its members know it."""

    @property
    def media(self) -> dict[int, int]:
        """The peer connections that should be open, and the member whose each is."""
        return {m.media: m.number for m in self._members.values() if m.media is not None}

    @property
    def viewers(self) -> int:
        """Members who watch, with media."""
        return sum(not m.is_person and m.media is not None for m in self._members.values())

    def socket_of(self, media: int) -> int | None:
        """The socket of the member of a peer connection."""
        member = self._member_of(media)
        return None if member is None else member.socket

    # Events of sockets

    def hello(self, socket: int, hello: Hello, now: float, visitor: Visitor | None = None) -> list[Action]:
        """The first message of a socket; `socket` is a number never used before. visitor: whose it is; of the link, if none."""
        if hello.version != VERSION:
            return self._turn_away(socket, "bad_message", "this page is of another version than the server; reload it")
        if visitor is None and (role := self._rules.keys.role_of(hello.key)) is not None:
            visitor = Visitor(role)
        if visitor is None:
            return self._turn_away(socket, "not_found", "there is no room at this address; ask for a new link")
        state = Socket(now, visitor)
        back = next((m for m in self._members.values() if m.is_of(visitor) and same(m.token, hello.resume)), None)
        if back is not None:
            self._sockets[socket] = state
            back.visitor = back.visitor if visitor.is_late else visitor
            kept = hello.keep_media and back.media is not None
            return [*self._vacate(back, keep_media=kept), *self._welcome(socket, state, back, now, kept=kept)]
        if visitor.is_late:
            return self._turn_away(socket, "not_allowed", "this token has expired; ask for a new one")
        if sum(s.member is None and s.role == state.role for s in self._sockets.values()) >= self._rules.max_lobby:
            return self._turn_away(socket, "full", "too many are waiting to come in; you are next in a moment", RETRY_AFTER)
        self._sockets[socket] = state
        rules, person, is_viewer = self._rules, visitor.person, state.role == "viewer"
        avatars = [] if is_viewer else rules.avatars(person)
        ice = [] if self._locked and state.role != "host" else rules.ice_servers()
        return [Send(socket, Lobby(state.role, avatars, ice, rules.heartbeat, person != "", rules.enrolls and not is_viewer))]

    def received(self, socket: int, message: FromPage, now: float) -> list[Action]:
        """A message came on the socket. One that is out of order is refused, never an error."""
        state = self._sockets.get(socket)
        if state is None:
            return []
        member = None if state.member is None else self._members[state.member]
        match message:
            case Bye():
                return self._leave(socket, state)
            case Join() if member is None:
                return self._join(socket, state, message, now)
            case Offer() if member is not None:
                return self._offer(member, message, now)
            case Presence() if member is not None and member.is_person:
                member.muted, member.camera = message.muted, message.camera
                return [MuteVoice(member.number, member.muted)]  # the others are told by the next tick, however often it changes
            case Moderate() if member is not None:
                return self._moderate(socket, member, message)
        fitting = "a join" if member is None else "an offer or a bye"
        return self.malformed(socket, f"{fitting} was expected now, something else came; it was ignored")

    def malformed(self, socket: int, sentence: str) -> list[Action]:
        """Something came, on the socket or on its media's data channel, that is no message or not now."""
        state = self._sockets.get(socket)
        if state is None:
            return []
        state.malformed += 1
        refusal: list[Action] = [Send(socket, Failure("bad_message", as_sentence(sentence), final=False))]
        return refusal if state.malformed < MAX_MALFORMED else refusal + self._leave(socket, state)

    def disconnected(self, socket: int) -> list[Action]:
        """The WebSocket has closed without a bye. Media that were alive keep the seat; the page may come back for it."""
        state = self._sockets.pop(socket, None)
        if state is None or state.member is None:
            return []
        member = self._members[state.member]
        member.socket = member.waiting = None
        return self._lose(member) if member.media is None and not member.alive else []

    # Events of media and of the render process

    def answered(self, media: int, sdp: str) -> list[Action]:
        """The peer connection is there and this is its answer."""
        member = self._member_of(media)
        if member is None:
            return []
        member.opening = False
        return [Send(member.socket, Answer(sdp))] if member.socket is not None else []

    def media_failed(self, media: int, sentence: str) -> list[Action]:
        """The offer cannot be answered; the page may make another."""
        member = self._member_of(media)
        failure = Failure("media", as_sentence(sentence), final=False)
        told: list[Action] = [] if member is None or member.socket is None else [Send(member.socket, failure)]
        return told + self.media_ended(media)

    def media_ended(self, media: int) -> list[Action]:
        """The peer connection has failed or was closed by the page, which may be about to make another."""
        member = self._member_of(media)
        if member is None:
            return []
        member.media, member.opening = None, False
        lost = self._lose(member) if member.socket is None and not member.alive else []
        return [StopMedia(media), *(lost or self._tell())]

    def ping(self, media: int, now: float) -> None:
        """A heartbeat came on the data channel."""
        member = self._member_of(media)
        if member is not None:
            member.deadline, member.alive = now + self._rules.dead_after, True

    def seated(self, participant: int, *, is_seated: bool = True) -> list[Action]:
        """The participant's avatar can be seen now, or no longer."""
        member = self._members.get(participant)
        if member is None or member.seated == is_seated:
            return []
        member.seated = is_seated
        return self._tell()

    def avatar_refused(self, participant: int, sentence: str) -> list[Action]:
        """The participant's avatar can never be shown: out, with the reason; another avatar may be taken."""
        member = self._members.get(participant)
        return [] if member is None else self._put_out(member, "avatar", sentence)

    def end(self, sentence: str) -> list[Action]:
        """The meeting is over for everybody in the room, who may come again."""
        self._locked = False
        return [action for member in list(self._members.values()) for action in self._put_out(member, "ended", sentence)]

    def put_out(self, person: str, sentence: str) -> list[Action]:
        """Somebody's account has ended: out of the seat and the lobby."""
        found = [m for m in list(self._members.values()) if m.visitor.person == person]
        actions = [action for member in found for action in self._put_out(member, "removed", sentence)]
        for socket, state in list(self._sockets.items()):
            if state.visitor.person == person:
                del self._sockets[socket]
                actions += self._turn_away(socket, "removed", sentence)
        return actions

    def tick(self, now: float) -> list[Action]:
        """Time has passed: lose the dead, hang up on the silent, take up the offers that waited."""
        actions = self._lose_dead(now)
        for socket, state in list(self._sockets.items()):
            if state.member is None and now - state.opened > LOBBY_TIMEOUT:
                actions += self._leave(socket, state)
        for number in list(self._queue):
            member = self._members.get(number)
            if member is None or member.waiting is None:
                del self._queue[number]
            elif self._may_offer(member, now):
                del self._queue[number]
                actions += self._start(member, member.waiting, now)
        return actions + self._tell()

    def close(self) -> list[Action]:
        """The server stops: everything ends, and the pages may come back."""
        actions: list[Action] = [StopMedia(media) for media in self.media]
        actions += [HangUp(socket) for socket in self._sockets]
        self._sockets.clear()
        self._members.clear()
        return actions

    # Coming in

    def _join(self, socket: int, state: Socket, join: Join, now: float) -> list[Action]:
        is_person = state.role != "viewer" and not join.watch
        actions = self._lose_dead(now) + self._make_place(is_person)
        refusal = self._refusal(state, is_person, join, now)
        if refusal is not None:
            return [*actions, Send(socket, refusal)]
        number, orders = self._number(), {m.order for m in self._members.values()}
        is_free = 0 <= join.order <= MAX_ORDER and join.order not in orders
        order = join.order if is_free else 1 + max(orders, default=-1)
        name = printable(state.visitor.name or join.name) or "Guest"
        member = Member(number, state.visitor, is_person, self._new_token(), order, name, None, 0.0, muted=join.muted)
        self._members[number] = member
        if is_person:
            self._seating.take()
            actions.append(GiveSeat(number, join.avatar, order))
        return actions + self._welcome(socket, state, member, now, kept=False)

    def _make_place(self, is_person: bool) -> list[Action]:
        """Where all places are taken, lose one whose socket has closed before its media were ever alive."""
        found = [m for m in self._members.values() if m.is_person == is_person]
        if len(found) < (self._rules.max_people if is_person else self._rules.max_viewers):
            return []
        return next((self._lose(m) for m in found if m.socket is None and not m.alive), [])

    def _refusal(self, state: Socket, is_person: bool, join: Join, now: float) -> Failure | None:
        rules, people = self._rules, sum(m.is_person for m in self._members.values())
        watching = len(self._members) - people
        may_watch = watching < rules.max_viewers and rules.admits(False)
        if self._locked and state.role != "host":
            return Failure("locked", "The host has locked the room; ask to be let in.", final=False, retry_after=RETRY_AFTER)
        if state.visitor.token and any(m.visitor.token == state.visitor.token for m in self._members.values()):
            return Failure("busy", "This token is in use in the room; ask for another one.", final=False, retry_after=RETRY_AFTER)
        if not is_person:
            full = f"All {rules.max_viewers} viewers' places are taken; you come in as soon as someone has left."
            busy = "This machine cannot draw for one more viewer; you come in as soon as it can."
            code, sentence = ("full", full) if watching >= rules.max_viewers else ("busy", busy)
            return None if may_watch else Failure(code, sentence, final=False, retry_after=RETRY_AFTER)
        if all(avatar.id != join.avatar for avatar in rules.avatars(state.visitor.person)):
            return Failure("avatar", "An avatar of this server was expected; choose one of the list.", final=False)
        if people >= rules.max_people:
            sentence = f"All {rules.max_people} seats are taken; you can watch, or wait until someone has left."
            return Failure("full", sentence, final=False, may_watch=may_watch)
        if not rules.admits(True):
            sentence = "One more avatar would make the picture stutter for everybody on this machine; you can watch."
            return Failure("busy", sentence, final=False, may_watch=may_watch)
        if not self._seating.ready(now):
            sentence = "People come and go faster than their avatars can be loaded; try again in a moment."
            return Failure("busy", sentence, final=False, retry_after=RETRY_AFTER, may_watch=may_watch)
        return None

    def _welcome(self, socket: int, state: Socket, member: Member, now: float, *, kept: bool) -> list[Action]:
        member.socket, state.member = socket, member.number
        member.deadline = now + self._rules.media_timeout
        keys, rules = self._rules.keys, self._rules
        invites = member.role != "viewer"
        welcome = Welcome(
            member.token, member.role, member.number if member.is_person else -1, member.order,
            room_link(rules.base_url, keys.person) if invites else "", room_link(rules.base_url, keys.viewer) if invites else "",
            rules.ice_servers(), rules.heartbeat, kept,
        )  # fmt: skip
        return [Send(socket, welcome), *(self._tell() or [Send(socket, self.told)])]

    # Being in

    def _offer(self, member: Member, offer: Offer, now: float) -> list[Action]:
        if self._may_offer(member, now):
            return self._start(member, offer, now)
        member.waiting = offer
        self._queue.setdefault(member.number)
        return []

    def _may_offer(self, member: Member, now: float) -> bool:
        return not member.opening and member.pace.ready(now) and (member.is_person or self._pace.ready(now))

    def _start(self, member: Member, offer: Offer, now: float) -> list[Action]:
        actions: list[Action] = [] if member.media is None else [StopMedia(member.media)]
        member.pace.take()
        if not member.is_person:
            self._pace.take()
        member.media, member.opening, member.alive, member.waiting = self._number(), True, False, None
        member.deadline = now + self._rules.media_timeout
        seat = member.number if member.is_person else -1
        return [*actions, StartMedia(member.media, member.number, seat, offer.sdp, member.muted, offer.place), *self._tell()]

    def _moderate(self, socket: int, host: Member, order: Moderate) -> list[Action]:
        if host.role != "host":
            return [Send(socket, Failure("not_allowed", "Only the host may do that; ask the host.", final=False))]
        done = self.moderate(order)
        gone = Failure("not_found", "This participant is not in the room any more.", final=False)
        return [Send(socket, gone)] if done is None else done

    def moderate(self, order: Moderate) -> list[Action] | None:
        """What a host orders, of a page or from elsewhere; `None` when its participant is not in the room any more."""
        if order.act in ("lock", "unlock"):
            self._locked = order.act == "lock"
            return self._tell()
        if order.act == "end":
            return self.end("the host has ended the meeting")
        member = self._members.get(order.participant)
        if member is None or not member.is_person:
            return None
        if order.act == "remove":
            revoked: list[Action] = [Revoke(member.visitor.token, member.visitor.expires)] if member.visitor.token else []
            return [*revoked, *self._put_out(member, "removed", "the host has removed you from the room")]
        member.muted = True
        return [MuteVoice(member.number, True), *self._tell()]

    # Going out

    def _put_out(self, member: Member, code: str, sentence: str, *, final: bool = True) -> list[Action]:
        failure, socket = Failure(code, as_sentence(sentence), final), member.socket
        return ([] if socket is None else [Send(socket, failure)]) + self._lose(member)

    def _vacate(self, member: Member, *, keep_media: bool = False) -> list[Action]:
        """End the member's media and hang up its socket; the member itself stays for the page that comes back."""
        actions: list[Action] = []
        if member.media is not None and not keep_media:
            actions.append(StopMedia(member.media))
        if not keep_media:
            member.media, member.alive = None, False
        member.opening, member.waiting = False, None
        if member.socket is not None:
            self._sockets.pop(member.socket, None)
            actions.append(HangUp(member.socket))
            member.socket = None
        return actions

    def _leave(self, socket: int, state: Socket) -> list[Action]:
        if state.member is not None:
            return self._lose(self._members[state.member])
        del self._sockets[socket]
        return [HangUp(socket)]

    def _lose_dead(self, now: float) -> list[Action]:
        dead, rules = [m for m in self._members.values() if now > m.deadline], self._rules
        told = ((m, m.why_lost(rules.dead_after, rules.media_timeout)) for m in dead)
        return [action for m, why in told for action in self._put_out(m, "lost", why, final=False)]

    def _lose(self, member: Member) -> list[Action]:
        if self._members.pop(member.number, None) is None:
            return []
        actions = self._vacate(member)
        if member.is_person:
            actions.append(FreeSeat(member.number))
        return actions + self._tell()

    def _turn_away(self, socket: int, code: str, sentence: str, retry_after: float = 0.0) -> list[Action]:
        """retry_after: seconds, as in `Failure`; 0 for what does not change by waiting."""
        return [Send(socket, Failure(code, as_sentence(sentence), retry_after == 0.0, retry_after)), HangUp(socket)]

    # Telling

    def _tell(self) -> list[Action]:
        """`RoomState` to all members, when it has changed."""
        people = sorted((m for m in self._members.values() if m.is_person), key=lambda m: m.order)
        shown = [m.shown(self._rules.web_avatar(m.number)) for m in people]
        state = RoomState(shown, self.viewers, self._locked)
        if state == self.told:
            return []
        self.told = state
        return [Send(m.socket, state) for m in self._members.values() if m.socket is not None]

    def _member_of(self, media: int) -> Member | None:
        return next((member for member in self._members.values() if member.media == media), None)

    def _number(self) -> int:
        self._count += 1
        return self._count
