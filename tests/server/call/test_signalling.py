from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.call import protocol
from server.call.protocol import Answer, Bye, Failure, Hello, IceServer, Offer, RoomState, Welcome
from server.call.signalling import (
    HELLO_TIMEOUT,
    MAX_MALFORMED,
    MAX_STRANGERS,
    Action,
    HangUp,
    Rules,
    Send,
    Signalling,
    StartMedia,
    StopMedia,
)

PERSON, VIEWER = "p" * 16, "v" * 16


class Call:
    """A state machine, its clock, and sockets numbered from 1; `new` opens one and says hello."""

    def __init__(self, max_viewers: int = 2) -> None:
        ice = (IceServer(["stun:example.org:3478"]),)
        self.rules = Rules(PERSON, VIEWER, "http://here/view/v", max_viewers, ice_servers=ice)
        tokens: Iterator[int] = itertools.count(1)
        self.machine = Signalling(self.rules, lambda: f"token-{next(tokens)}")
        self.now = 0.0
        self.sockets = itertools.count(1)

    def socket(self) -> int:
        number = next(self.sockets)
        assert self.machine.connected(number, self.now) == []
        return number

    def say(self, socket: int, message: protocol.Message) -> list[Action]:
        return self.machine.received(socket, message, self.now)

    def new(self, role: protocol.Role = "viewer", resume: str = "", key: str = "") -> tuple[int, list[Action]]:
        number = self.socket()
        return number, self.say(number, Hello(role, key or (PERSON if role == "person" else VIEWER), resume))

    def media(self, socket: int) -> int:
        """Offer on the socket, answer, and one ping."""
        (started,) = [a for a in self.say(socket, Offer("sdp")) if isinstance(a, StartMedia)]
        self.machine.answered(started.media, "answer")
        self.machine.ping(started.media, self.now)
        return started.media


def sent(actions: list[Action], kind: type, socket: int | None = None) -> list:
    return [a.message for a in actions if isinstance(a, Send) and isinstance(a.message, kind) and socket in (None, a.socket)]


def failure(actions: list[Action]) -> Failure:
    (found,) = sent(actions, Failure)
    return found


def test_the_person_is_welcomed_with_the_viewers_address() -> None:
    socket, actions = Call().new("person")
    assert actions == [
        Send(socket, Welcome("token-1", "http://here/view/v", [IceServer(["stun:example.org:3478"])], 1.0)),
        Send(socket, RoomState(False, 0)),
    ]


def test_a_viewer_is_not_told_any_address() -> None:
    _, actions = Call().new("viewer")
    (welcome,) = sent(actions, Welcome)
    assert welcome.viewer_url == "" and welcome.resume


@pytest.mark.parametrize(
    ("role", "key"), [("person", VIEWER), ("viewer", PERSON), ("person", ""), ("viewer", "é"), ("viewer", "\ud800")]
)
def test_a_wrong_key_is_refused(role: protocol.Role, key: str) -> None:
    call = Call()
    socket = call.socket()
    actions = call.say(socket, Hello(role, key))
    assert failure(actions).code == "not_found" and failure(actions).final
    assert actions[-1] == HangUp(socket)
    assert call.say(socket, Offer("sdp")) == []


def test_another_version_is_refused() -> None:
    call = Call()
    socket = call.socket()
    actions = call.say(socket, Hello("person", PERSON, version=99))
    assert "reload" in failure(actions).message and actions[-1] == HangUp(socket)


def test_an_offer_starts_media_and_the_answer_goes_back() -> None:
    call = Call()
    socket, _ = call.new("person")
    actions = call.say(socket, Offer("their sdp"))
    assert actions[0] == StartMedia(actions[0].media, "person", "their sdp")
    assert actions[1:] == [Send(socket, RoomState(True, 0))]
    assert call.machine.answered(actions[0].media, "our sdp") == [Send(socket, Answer("our sdp"))]


def test_a_second_person_is_refused_in_one_sentence() -> None:
    call = Call()
    call.media(call.new("person")[0])
    second, actions = call.new("person")
    assert failure(actions).code == "taken" and not failure(actions).final and failure(actions).retry_after > 0
    assert "\n" not in failure(actions).message and failure(actions).message[0].isupper()
    assert actions[-1] == HangUp(second)


def test_the_person_comes_back_with_the_token_on_another_socket() -> None:
    call = Call()
    first, welcomed = call.new("person")
    media = call.media(first)
    token = sent(welcomed, Welcome)[0].resume
    second, actions = call.new("person", resume=token)
    assert actions[:2] == [StopMedia(media), HangUp(first)]
    assert sent(actions, Welcome, second)[0].resume == token
    assert call.machine.disconnected(first) == []
    assert call.machine.socket_of_media == {}
    assert call.media(second) != media


@pytest.mark.parametrize("is_noticed", [True, False])
def test_a_page_that_lost_only_its_socket_keeps_its_media(is_noticed: bool) -> None:
    call = Call()
    first, welcomed = call.new("person")
    media = call.media(first)
    if is_noticed:
        call.machine.disconnected(first)
    second = call.socket()
    token = sent(welcomed, Welcome)[0].resume
    actions = call.say(second, Hello("person", PERSON, token, keep_media=True))
    assert [a for a in actions if isinstance(a, StopMedia | HangUp)] == ([] if is_noticed else [HangUp(first)])
    assert sent(actions, Welcome, second)[0].media_kept
    assert sent(actions, RoomState, second) == [RoomState(True, 0)]
    assert call.machine.socket_of_media == {media: second}
    call.now += call.rules.media_timeout + 0.1
    assert call.machine.tick(call.now)[:2] == [StopMedia(media), HangUp(second)], "kept media still have to give signs of life"


def test_media_that_are_gone_cannot_be_kept() -> None:
    call = Call()
    hello = Hello("person", PERSON, "token-of-another-server", keep_media=True)
    assert not sent(call.say(call.socket(), hello), Welcome)[0].media_kept
    first, welcomed = call.new("viewer")
    actions = call.say(call.socket(), Hello("viewer", VIEWER, sent(welcomed, Welcome)[0].resume, keep_media=True))
    assert not sent(actions, Welcome)[0].media_kept and HangUp(first) in actions


def test_a_stale_token_is_as_good_as_none() -> None:
    call = Call()
    assert sent(call.new("person", resume="long gone")[1], Welcome)
    assert failure(call.new("person", resume="long gone")[1]).code == "taken"


def test_a_viewers_token_does_not_give_the_persons_place() -> None:
    call = Call()
    call.media(call.new("person")[0])
    token = sent(call.new("viewer")[1], Welcome)[0].resume
    assert failure(call.new("person", resume=token)[1]).code == "taken"


def test_living_media_keep_the_place_when_the_socket_closes() -> None:
    call = Call()
    person, welcomed = call.new("person")
    media = call.media(person)
    assert call.machine.disconnected(person) == []
    call.now += 2.0
    assert call.machine.tick(call.now) == []
    assert call.machine.media == {media: "person"}
    back, actions = call.new("person", resume=sent(welcomed, Welcome)[0].resume)
    assert actions[0] == StopMedia(media) and sent(actions, Welcome, back)


def test_a_reloaded_page_without_its_token_gets_the_abandoned_place() -> None:
    call = Call()
    person, _ = call.new("person")
    media = call.media(person)
    call.machine.disconnected(person)
    again, actions = call.new("person")
    assert actions[0] == StopMedia(media)
    assert sent(actions, Welcome, again)[0].resume == "token-2"


def test_silence_loses_the_place_and_tells_the_others() -> None:
    call = Call()
    person, _ = call.new("person")
    viewer, _ = call.new("viewer")
    media, watching = call.media(person), call.media(viewer)
    call.now += call.rules.dead_after + 0.1
    call.machine.ping(watching, call.now)
    assert call.machine.tick(call.now) == [StopMedia(media), HangUp(person), Send(viewer, RoomState(False, 1))]
    assert sent(call.new("person")[1], Welcome)


def test_pings_keep_a_page_alive() -> None:
    call = Call()
    media = call.media(call.new("person")[0])
    for _ in range(20):
        call.now += 1.0
        call.machine.ping(media, call.now)
        assert call.machine.tick(call.now) == []


def test_media_that_never_ping_are_given_up() -> None:
    call = Call()
    person, _ = call.new("person")
    call.say(person, Offer("sdp"))
    call.now += call.rules.media_timeout - 1
    assert call.machine.tick(call.now) == []
    call.now += 2
    assert HangUp(person) in call.machine.tick(call.now)


def test_the_dead_make_room_without_waiting_for_a_tick() -> None:
    call = Call()
    person, _ = call.new("person")
    media = call.media(person)
    call.now += 10
    _, actions = call.new("person")
    assert actions[:2] == [StopMedia(media), HangUp(person)] and sent(actions, Welcome)


def test_bye_frees_the_place_at_once() -> None:
    call = Call()
    person, _ = call.new("person")
    media = call.media(person)
    assert call.say(person, Bye()) == [StopMedia(media), HangUp(person)]
    assert sent(call.new("person")[1], Welcome)


def test_a_socket_that_closes_before_any_media_frees_the_place() -> None:
    call = Call()
    person, _ = call.new("person")
    call.machine.disconnected(person)
    assert sent(call.new("person")[1], Welcome)


def test_viewers_are_limited_and_the_next_one_gets_in_when_one_leaves() -> None:
    call = Call(max_viewers=2)
    first, _ = call.new("viewer")
    call.media(first)
    call.media(call.new("viewer")[0])
    late, actions = call.new("viewer")
    assert failure(actions).code == "full" and actions[-1] == HangUp(late)
    assert "\n" not in failure(actions).message
    call.say(first, Bye())
    assert sent(call.new("viewer")[1], Welcome)


def test_everyone_hears_who_is_here() -> None:
    call = Call()
    viewer, _ = call.new("viewer")
    assert sent(call.say(viewer, Offer("sdp")), RoomState, viewer) == [RoomState(False, 1)]
    person, actions = call.new("person")
    assert sent(actions, RoomState, person) == [RoomState(False, 1)]
    actions = call.say(person, Offer("sdp"))
    assert sent(actions, RoomState, viewer) == sent(actions, RoomState, person) == [RoomState(True, 1)]
    assert sent(call.say(viewer, Bye()), RoomState) == [RoomState(True, 0)]


def test_a_new_offer_replaces_the_old_media_and_its_late_answer_is_dropped() -> None:
    call = Call()
    person, _ = call.new("person")
    first = call.media(person)
    actions = call.say(person, Offer("another"))
    assert actions[0] == StopMedia(first) and isinstance(actions[1], StartMedia)
    assert call.machine.answered(first, "late") == []
    assert call.machine.media_ended(first) == []


def test_an_offer_that_cannot_be_answered_leaves_the_place() -> None:
    call = Call()
    person, _ = call.new("person")
    (started, *_) = call.say(person, Offer("nonsense"))
    actions = call.machine.media_failed(started.media, "one sentence")
    assert actions[0] == StopMedia(started.media)
    assert failure(actions) == Failure("media", "One sentence.", final=False)
    assert isinstance(call.say(person, Offer("better"))[0], StartMedia)


def test_a_failed_connection_loses_the_place() -> None:
    call = Call()
    person, _ = call.new("person")
    media = call.media(person)
    assert call.machine.media_ended(media) == [StopMedia(media), HangUp(person)]


@pytest.mark.parametrize(
    "message",
    [Offer("sdp"), Answer("sdp"), Welcome("t"), RoomState(True, 1), protocol.Ping(1.0), protocol.Camera(0, 0, 1)],
)
def test_messages_out_of_order_are_refused_and_change_nothing(message: protocol.Message) -> None:
    call = Call()
    socket = call.socket()
    refusal = failure(call.say(socket, message))
    assert refusal.code == "bad_message" and not refusal.final and "\n" not in refusal.message
    assert sent(call.say(socket, Hello("person", PERSON)), Welcome)


def test_a_second_hello_is_refused() -> None:
    call = Call()
    person, _ = call.new("person")
    assert failure(call.say(person, Hello("person", PERSON))).code == "bad_message"


def test_a_socket_that_only_talks_nonsense_is_hung_up() -> None:
    call = Call()
    person, _ = call.new("person")
    media = call.media(person)
    for _ in range(MAX_MALFORMED - 1):
        assert HangUp(person) not in call.machine.malformed(person, "what?")
    assert call.machine.malformed(person, "what?")[-2:] == [StopMedia(media), HangUp(person)]
    assert call.machine.malformed(person, "what?") == []


def test_the_oldest_stranger_of_the_largest_network_goes_for_a_newcomer() -> None:
    call = Call()
    lonely = call.socket()
    crowd = [next(call.sockets) for _ in range(MAX_STRANGERS - 1)]
    assert [call.machine.connected(number, call.now, "192.0.2.1") for number in crowd] == [[]] * len(crowd)
    newcomer = next(call.sockets)
    assert call.machine.connected(newcomer, call.now, "192.0.2.1") == [HangUp(crowd[0])]
    for socket in (lonely, newcomer):
        assert sent(call.say(socket, Hello("viewer", VIEWER)), Welcome)
    call.now += HELLO_TIMEOUT + 1
    assert call.machine.tick(call.now) == [HangUp(s) for s in crowd[1:]]
    assert call.machine.connected(next(call.sockets), call.now) == []


def test_a_place_without_an_offer_is_lost() -> None:
    call = Call(max_viewers=1)
    silent, _ = call.new("viewer")
    assert failure(call.new("viewer")[1]).code == "full"
    call.now += call.rules.media_timeout + 1
    assert call.machine.tick(call.now) == [HangUp(silent)]
    assert sent(call.new("viewer")[1], Welcome)


def test_one_place_is_not_spoken_of_as_several() -> None:
    call = Call(max_viewers=1)
    call.media(call.new("viewer")[0])
    assert "all 1" not in failure(call.new("viewer")[1]).message.lower()


def test_an_offer_while_one_is_answered_waits_and_the_last_one_counts() -> None:
    call = Call()
    person, _ = call.new("person")
    (first, *_) = call.say(person, Offer("first"))
    assert call.say(person, Offer("second")) == [] == call.say(person, Offer("third"))
    assert call.machine.tick(call.now) == []
    call.machine.answered(first.media, "answer")
    stopped, started = call.machine.tick(call.now)
    assert stopped == StopMedia(first.media) and started.sdp == "third"
    call.machine.answered(started.media, "answer")
    assert call.machine.tick(call.now) == []


def test_offers_without_end_are_paced_and_nobody_is_kept_waiting_by_them() -> None:
    call = Call(max_viewers=4)
    floods = [call.new("viewer")[0] for _ in range(3)]
    started, asked, waited = 0, 0.0, 0.0
    for step in range(400):  # ten seconds, an offer of each every 25 ms
        call.now += 0.025
        actions = [a for socket in floods for a in call.say(socket, Offer("sdp"))]
        if step == 200:
            asked = call.now
            actions += call.say(call.new("viewer")[0], Offer("honest"))
        if step % 10 == 0:
            actions += call.machine.tick(call.now)
        for action in actions:
            if isinstance(action, StartMedia):
                started += 1
                call.machine.answered(action.media, "answer")
                call.machine.ping(action.media, call.now)
                if action.sdp == "honest":
                    waited = call.now - asked + 0.001
    assert started <= 3 + 10 * 5 and 0 < waited < 2.0


def test_no_offer_of_a_page_that_has_left_is_answered() -> None:
    call = Call()
    viewer, _ = call.new("viewer")
    call.say(viewer, Offer("first"))
    call.say(viewer, Offer("second"))
    call.say(viewer, Bye())
    assert call.machine.tick(call.now + 1) == []


def test_closing_ends_everything() -> None:
    call = Call()
    person, viewer, stranger = call.new("person")[0], call.new("viewer")[0], call.socket()
    media, watching = call.media(person), call.media(viewer)
    assert call.machine.close() == [
        StopMedia(media),
        StopMedia(watching),
        HangUp(person),
        HangUp(viewer),
        HangUp(stranger),
    ]
    assert call.machine.tick(1e9) == [] and call.machine.disconnected(person) == []


MESSAGES = st.one_of(
    st.builds(
        Hello,
        role=st.sampled_from(["person", "viewer"]),
        key=st.sampled_from([PERSON, VIEWER, "x"]),
        resume=st.sampled_from(["", "token-1", "token-2", "token-3"]),
    ),
    st.just(Offer("sdp")),
    st.just(Bye()),
    st.just(Answer("sdp")),
)
NUMBERS = st.integers(1, 12)
EVENTS = st.one_of(
    st.tuples(st.just("connected")),
    st.tuples(st.just("received"), NUMBERS, MESSAGES),
    st.tuples(st.just("malformed"), NUMBERS),
    st.tuples(st.just("disconnected"), NUMBERS),
    st.tuples(st.sampled_from(["answered", "media_failed", "media_ended", "ping"]), NUMBERS),
    st.tuples(st.just("tick"), st.floats(0, 20)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(EVENTS, max_size=60))
def test_whatever_happens_the_rules_hold(events: list[tuple]) -> None:
    call = Call(max_viewers=2)
    machine = call.machine
    opened: set[int] = set()
    started: set[int] = set()
    for name, *rest in events:
        if name == "connected":
            number = next(call.sockets)
            actions = machine.connected(number, call.now)
            opened.add(number)
        elif name == "received":
            actions = machine.received(rest[0], rest[1], call.now)
        elif name == "malformed":
            actions = machine.malformed(rest[0], "what?")
        elif name == "disconnected":
            opened.discard(rest[0])
            actions = machine.disconnected(rest[0])
        elif name == "tick":
            call.now += rest[0]
            actions = machine.tick(call.now)
        elif name == "ping":
            machine.ping(rest[0], call.now)
            actions = []
        else:
            arguments = [] if name == "media_ended" else ["text"]
            actions = getattr(machine, name)(rest[0], *arguments)
        for action in actions:
            if isinstance(action, StartMedia):
                assert action.media not in started
                started.add(action.media)
            elif isinstance(action, StopMedia):
                started.remove(action.media)
            elif isinstance(action, Send):
                assert action.socket in opened, "sent on a socket that is not open"
                assert protocol.decode(protocol.encode(action.message)) == action.message
            else:
                opened.discard(action.socket)
        assert set(machine.media) == started
        roles = list(machine.media.values())
        assert roles.count("person") <= 1 and roles.count("viewer") <= 2
        assert set(machine.socket_of_media.values()) <= opened
