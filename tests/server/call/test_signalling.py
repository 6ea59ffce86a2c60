"""The room's state machine: who may come in, act and come back; nothing out of order is obeyed, and nobody else is touched."""

from __future__ import annotations

import itertools
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.call.actions import Action, FreeSeat, GiveSeat, HangUp, MuteVoice, Send, StartMedia, StopMedia
from server.call.protocol import (
    VERSION,
    Answer,
    AvatarInfo,
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
)  # fmt: skip
from server.call.rules import RoomKeys, RoomRules, printable
from server.call.signalling import LOBBY_TIMEOUT, MAX_MALFORMED, MAX_ORDER, RoomSignalling

KEYS = RoomKeys("h" * 22, "p" * 22, "v" * 22)
AVATARS = [AvatarInfo("a1", "Ada"), AvatarInfo("b2", "Bob")]
T = TypeVar("T")


class Table:
    """A room and pages that talk to it."""

    def __init__(self, **rules: Any) -> None:
        tokens = (f"token-{n}" for n in itertools.count())
        self.room = RoomSignalling(RoomRules(KEYS, "https://x", **{"avatars": lambda _: AVATARS, **rules}), lambda: next(tokens))
        self.now = 0.0
        self.sockets = itertools.count(1)
        self.done: list[Action] = []

    def do(self, actions: list[Action]) -> list[Action]:
        self.done += actions
        return actions

    def hello(self, key: str, **more: Any) -> tuple[int, list[Action]]:
        socket = next(self.sockets)
        return socket, self.do(self.room.hello(socket, Hello(key, **more), self.now))

    def say(self, socket: int, message: FromPage) -> list[Action]:
        return self.do(self.room.received(socket, message, self.now))

    def enter(self, key: str = KEYS.person, name: str = "Ada", media: bool = True, **join: Any) -> tuple[int, Welcome]:
        socket, _ = self.hello(key)
        welcome = said(self.say(socket, Join(name, "a1", **join)), Welcome, socket)
        if media:
            self.offer(socket)
        return socket, welcome

    def offer(self, socket: int) -> int:
        media = next(a for a in self.say(socket, Offer("sdp")) if isinstance(a, StartMedia)).media
        self.do(self.room.answered(media, "answer"))
        self.room.ping(media, self.now)
        return media

    @property
    def state(self) -> RoomState:
        """The last that anybody was told."""
        return [a.message for a in self.done if isinstance(a, Send) and isinstance(a.message, RoomState)][-1]


def said(actions: list[Action], kind: type[T], socket: int | None = None) -> T:
    return next(a.message for a in actions if isinstance(a, Send) and isinstance(a.message, kind) and socket in (None, a.socket))


def only(actions: list[Action], kind: type[T]) -> list[T]:
    return [a for a in actions if isinstance(a, kind)]


def test_from_the_link_to_a_picture() -> None:
    table = Table()
    socket, actions = table.hello(KEYS.host)
    assert said(actions, Lobby) == Lobby("host", AVATARS)
    actions = table.say(socket, Join("  Ada \u202e Lovelace ", "a1"))
    welcome = said(actions, Welcome)
    assert welcome.participant > 0 and welcome.person_link == f"https://x/room/{KEYS.person}"
    assert welcome.viewer_link == f"https://x/room/{KEYS.viewer}"
    assert only(actions, GiveSeat) == [GiveSeat(welcome.participant, "a1", 0)]
    assert [(p.name, p.host, p.seated) for p in table.state.people] == [("Ada Lovelace", True, False)]
    start = only(table.say(socket, Offer("sdp")), StartMedia)[0]
    assert start.participant == start.member == welcome.participant and start.sdp == "sdp"
    assert said(table.room.answered(start.media, "its answer"), Answer).sdp == "its answer"
    table.do(table.room.seated(welcome.participant))
    assert table.state.people[0].seated


def test_a_viewer_has_no_seat_and_may_not_invite() -> None:
    table = Table()
    socket, actions = table.hello(KEYS.viewer)
    assert said(actions, Lobby).avatars == []
    actions = table.say(socket, Join("Eve", "a1"))
    welcome = said(actions, Welcome)
    assert (welcome.participant, welcome.person_link, welcome.viewer_link) == (-1, "", "") and not only(actions, GiveSeat)
    table.offer(socket)
    assert table.state.viewers == 1 and table.state.people == []


def test_who_may_take_a_seat_may_also_watch() -> None:
    table = Table()
    _, welcome = table.enter(watch=True)
    assert welcome.participant == -1 and table.state.viewers == 1


@pytest.mark.parametrize(
    ("rules", "join", "code", "may_watch"),
    [
        ({"max_people": 1}, Join("B", "b2"), "full", True),
        ({"max_people": 1, "max_viewers": 0}, Join("B", "b2"), "full", False),
        ({"admits": lambda person: not person}, Join("B", "b2"), "busy", True),
        ({"admits": lambda _: False}, Join("B", "b2"), "busy", False),
        ({"admits": lambda _: False}, Join("B", watch=True), "busy", False),
        ({"max_viewers": 0}, Join("B", watch=True), "full", False),
        ({}, Join("B", "nobody's"), "avatar", False),
        ({}, Join("B"), "avatar", False),
    ],
)
def test_who_cannot_come_in_is_told_why_and_stays_in_the_lobby(rules: Any, join: Join, code: str, may_watch: bool) -> None:
    table = Table(**{k: v for k, v in rules.items() if k != "admits"})
    table.enter()
    table.room._rules = RoomRules(KEYS, **{"avatars": lambda _: AVATARS, **rules})
    socket, _ = table.hello(KEYS.person)
    actions = table.say(socket, join)
    failure = said(actions, Failure, socket)
    assert (failure.code, failure.may_watch, failure.final) == (code, may_watch, False) and failure.message.endswith(".")
    assert actions == [Send(socket, failure)] and len(table.state.people) == 1


def test_a_wrong_key_and_another_version_are_turned_away() -> None:
    table = Table()
    for key, more, code in (("x" * 22, {}, "not_found"), (KEYS.host, {"version": VERSION + 1}, "bad_message")):
        socket, actions = table.hello(key, **more)
        assert said(actions, Failure).code == code and only(actions, HangUp) == [HangUp(socket)]
        assert table.say(socket, Join("A", "a1")) == []


def test_a_page_that_comes_back_has_its_seat_and_its_media() -> None:
    table = Table()
    socket, welcome = table.enter()
    media = next(iter(table.room.media))
    assert table.do(table.room.disconnected(socket)) == []
    _, actions = table.hello(KEYS.person, resume=welcome.resume, keep_media=True)
    again = said(actions, Welcome)
    assert again.participant == welcome.participant and again.media_kept and again.resume == welcome.resume
    assert not only(actions, StopMedia) and list(table.room.media) == [media]
    _, actions = table.hello(KEYS.person, resume=welcome.resume)
    assert only(actions, StopMedia) == [StopMedia(media)] and not said(actions, Welcome).media_kept
    _, actions = table.hello(KEYS.viewer, resume=welcome.resume)
    assert said(actions, Lobby).role == "viewer", "a token is of no use with another link"


def test_after_a_restart_seats_are_taken_in_their_old_order() -> None:
    table = Table()
    table.enter(name="C", order=2)
    table.enter(name="A", order=0)
    table.enter(name="B", order=1)
    table.enter(name="D", order=1)
    assert [p.name for p in table.state.people] == ["A", "B", "C", "D"]


def test_the_host_mutes_removes_locks_and_ends() -> None:
    table = Table()
    host, _ = table.enter(KEYS.host)
    socket, guest = table.enter(name="Guest")
    assert only(table.say(host, Moderate("mute", guest.participant)), MuteVoice) == [MuteVoice(guest.participant, True)]
    assert table.state.people[1].muted
    assert only(table.say(socket, Presence(muted=False)), MuteVoice) == [MuteVoice(guest.participant, False)]
    table.say(host, Moderate("lock"))
    assert table.state.locked
    late, _ = table.hello(KEYS.person)
    assert said(table.say(late, Join("L", "a1")), Failure).code == "locked"
    other_host, _ = table.hello(KEYS.host)
    assert said(table.say(other_host, Join("H", "a1")), Welcome)
    table.say(host, Moderate("unlock"))
    assert said(table.say(late, Join("L", "a1")), Welcome)
    actions = table.say(host, Moderate("remove", guest.participant))
    assert said(actions, Failure, socket).code == "removed" and only(actions, FreeSeat) == [FreeSeat(guest.participant)]
    _, actions = table.hello(KEYS.person, resume=guest.resume)
    assert said(actions, Lobby), "the token of who was removed is of no use"
    actions = table.say(host, Moderate("end"))
    assert (said(actions, Failure, host).code == "ended" and table.state.people == []) or not table.room.media


@pytest.mark.parametrize("act", ["mute", "remove", "lock", "unlock", "end"])
def test_nobody_else_may(act: Any) -> None:
    table = Table()
    _, host = table.enter(KEYS.host)
    for key in (KEYS.person, KEYS.viewer):
        socket, _ = table.enter(key)
        actions = table.say(socket, Moderate(act, host.participant))
        assert said(actions, Failure).code == "not_allowed" and len(actions) == 1


def test_a_member_without_pings_is_lost_and_the_others_are_told() -> None:
    table = Table(dead_after=3.0)
    socket, first = table.enter()
    table.now = 2.0
    _, second = table.enter(name="B")
    table.now = 4.0
    actions = table.do(table.room.tick(table.now))
    told = said(actions, Failure, socket)
    assert (told.code, told.final) == ("lost", False) and "heard of this page for 3 s" in told.message
    assert actions.index(Send(socket, told)) < actions.index(HangUp(socket))
    assert only(actions, FreeSeat) == [FreeSeat(first.participant)] and len(only(actions, StopMedia)) == 1
    assert [p.id for p in table.state.people] == [second.participant]


def test_a_member_whose_media_never_connect_hears_so_and_one_without_a_socket_hears_nothing() -> None:
    table = Table(dead_after=3.0, media_timeout=20.0)
    waiting, _ = table.enter(media=False)
    gone, _ = table.enter(name="B")
    table.do(table.room.disconnected(gone))
    table.now = 30.0
    actions = table.do(table.room.tick(table.now))
    assert [(s.socket, s.message.message) for s in only(actions, Send) if isinstance(s.message, Failure)] == [
        (waiting, "Picture and sound did not connect within 20 s; it is tried again.")
    ]
    assert len(only(actions, FreeSeat)) == 2


def test_an_avatar_that_cannot_be_shown_puts_its_person_out_with_the_reason() -> None:
    table = Table()
    socket, welcome = table.enter()
    actions = table.do(table.room.avatar_refused(welcome.participant, "this is none"))
    assert said(actions, Failure, socket) == Failure("avatar", "This is none.") and only(actions, FreeSeat)


def test_offers_wait_for_their_turn_and_the_newest_counts() -> None:
    table = Table()
    socket, _ = table.enter(media=False)
    first = only(table.say(socket, Offer("1")), StartMedia)[0]
    assert table.say(socket, Offer("2")) == [] and table.say(socket, Offer("3")) == []
    table.do(table.room.answered(first.media, "a"))
    started = only(table.do(table.room.tick(0.1)), StartMedia)
    assert [s.sdp for s in started] == ["3"] and StopMedia(first.media) in table.done


def test_nonsense_is_counted_and_the_lobby_is_not_for_ever() -> None:
    table = Table()
    socket, _ = table.hello(KEYS.person)
    for _ in range(MAX_MALFORMED - 1):
        assert said(table.say(socket, Offer("x")), Failure).code == "bad_message"
    assert HangUp(socket) in table.say(socket, Offer("x"))
    waiting, _ = table.hello(KEYS.person)
    assert table.room.tick(LOBBY_TIMEOUT - 1) == []
    assert table.room.tick(LOBBY_TIMEOUT + 1) == [HangUp(waiting)]


def test_so_many_may_wait_in_the_lobby() -> None:
    table = Table(max_lobby=2)
    first, _ = table.hello(KEYS.person)
    table.hello(KEYS.person)
    _, actions = table.hello(KEYS.person)
    assert said(actions, Failure).code == "full" and said(actions, Failure).retry_after > 0
    table.say(first, Bye())
    _, actions = table.hello(KEYS.person)
    assert said(actions, Lobby)


def test_a_full_lobby_of_one_role_keeps_no_other_role_out() -> None:
    table = Table(max_lobby=2)
    for _ in range(2):
        table.hello(KEYS.viewer)
    assert said(table.hello(KEYS.viewer)[1], Failure).code == "full"
    assert said(table.hello(KEYS.person)[1], Lobby) and said(table.hello(KEYS.host)[1], Lobby)


@pytest.mark.parametrize("watch", [True, False])
def test_a_place_without_socket_whose_media_never_lived_goes_to_a_newcomer(watch: bool) -> None:
    table = Table(max_viewers=2, max_people=2)
    living, _ = table.enter(watch=watch)
    table.do(table.room.disconnected(living))
    silent, _ = table.enter(watch=watch, media=False)
    assert only(table.say(silent, Offer("sdp")), StartMedia)
    late, _ = table.hello(KEYS.person)
    assert said(table.say(late, Join("L", "a1", watch=watch)), Failure).code == "full"
    table.do(table.room.disconnected(silent))
    assert said(table.say(late, Join("L", "a1", watch=watch)), Welcome)
    third, _ = table.hello(KEYS.person)
    assert said(table.say(third, Join("T", "a1", watch=watch)), Failure).code == "full", "living media keep their place"


def test_seats_are_taken_at_a_pace_and_presence_is_told_at_the_ticks() -> None:
    table = Table(max_people=2)
    for _ in range(4):
        socket, _ = table.enter(media=False)
        table.say(socket, Bye())
    late, _ = table.hello(KEYS.person)
    refusal = said(table.say(late, Join("L", "a1")), Failure)
    assert refusal.code == "busy" and refusal.retry_after > 0 and not refusal.final and refusal.may_watch
    table.now += 2.0
    assert said(table.say(late, Join("L", "a1")), Welcome)
    for muted in (True, False, True):
        assert only(table.say(late, Presence(muted)), Send) == []
    assert said(table.do(table.room.tick(table.now)), RoomState).people[0].muted


@pytest.mark.parametrize("order", [1 << 40, MAX_ORDER + 1])
def test_an_order_that_is_out_of_all_proportion_is_not_kept(order: int) -> None:
    """Who comes later would have a larger one, which no page could ask for after a restart."""
    table = Table()
    assert table.enter(order=order)[1].order == 0
    assert table.enter(order=MAX_ORDER)[1].order == MAX_ORDER and table.enter()[1].order == MAX_ORDER + 1


def test_names_are_shown_without_what_cannot_be_seen() -> None:
    assert printable("\u202eAda\n\x00  L.\t") == "Ada L." and printable("\u200b \n") == ""
    table = Table()
    table.enter(name="\n")
    assert table.state.people[0].name == "Guest"


@given(st.data())
def test_whatever_is_said_each_medium_has_one_member_and_each_seat_one_person(data: st.DataObject) -> None:
    table = Table(max_people=3, max_viewers=2)
    seats: set[int] = set()
    media: set[int] = set()
    sockets: list[int] = []
    tokens = [""]

    def carry_out(actions: list[Action]) -> None:
        for action in table.do(actions):
            match action:
                case GiveSeat(participant):
                    assert participant not in seats
                    seats.add(participant)
                case FreeSeat(participant):
                    seats.remove(participant)
                case StartMedia(medium):
                    assert medium not in media
                    media.add(medium)
                case StopMedia(medium):
                    media.remove(medium)
                case Send(_, Welcome() as welcome):
                    tokens.append(welcome.resume)
        assert set(table.room.media) <= media and len(seats) <= 3
        assert {p.id for p in table.room.told.people} == seats

    for _ in range(data.draw(st.integers(1, 25))):
        table.now += data.draw(st.sampled_from([0.0, 0.1, 1.0, 4.0]))
        kind = data.draw(st.sampled_from(["hello", "say", "gone", "answered", "failed", "ended", "ping", "tick", "refused"]))
        if kind == "hello":
            key = data.draw(st.sampled_from([KEYS.host, KEYS.person, KEYS.viewer, "x"]))
            socket = next(table.sockets)
            sockets.append(socket)
            hello = Hello(key, data.draw(st.sampled_from(tokens)), keep_media=data.draw(st.booleans()))
            carry_out(table.room.hello(socket, hello, table.now))
        elif kind == "say" and sockets:
            who = data.draw(st.sampled_from([*seats, 99]))
            message = data.draw(
                st.sampled_from(
                    [
                        Join("A", "a1"),
                        Join("A", watch=True),
                        Offer("s"),
                        Bye(),
                        Presence(True),
                        Moderate("remove", who),
                        Moderate("end"),
                    ]
                )
            )
            carry_out(table.room.received(data.draw(st.sampled_from(sockets)), message, table.now))
        elif kind == "gone" and sockets:
            carry_out(table.room.disconnected(data.draw(st.sampled_from(sockets))))
        elif kind == "tick":
            carry_out(table.room.tick(table.now))
        elif kind == "refused" and seats:
            carry_out(table.room.avatar_refused(data.draw(st.sampled_from(sorted(seats))), "no"))
        elif table.room.media:
            medium = data.draw(st.sampled_from(sorted(table.room.media)))
            if kind == "ping":
                table.room.ping(medium, table.now)
            elif kind == "answered":
                carry_out(table.room.answered(medium, "a"))
            elif kind == "failed":
                carry_out(table.room.media_failed(medium, "no"))
            elif kind == "ended":
                carry_out(table.room.media_ended(medium))
    carry_out(table.room.close())
    assert media == set()
