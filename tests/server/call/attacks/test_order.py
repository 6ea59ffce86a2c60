"""What one socket says out of order or out of proportion: one sentence each, and the right message still works."""

from __future__ import annotations

import time

import pytest
from websockets.exceptions import ConnectionClosed

from server.call.protocol import (
    MAX_NAME,
    Bye,
    Failure,
    FromPage,
    Hello,
    Join,
    Lobby,
    Moderate,
    Offer,
    Ping,
    Presence,
    RoomState,
    ViewerCamera,
    encode,
)
from server.call.room import MESSAGE_EVERY
from server.call.rules import RoomKeys
from tests.server.call.attacks.offers import offer
from tests.server.call.attacks.stage import AVATAR_ID, Stage
from tests.server.call.attacks.visitor import visit

pytestmark = pytest.mark.timeout(240)
ME = Join("Me", AVATAR_ID)
FLOOD = 40
NAMES = {
    "\u202e" * MAX_NAME: "Guest",
    "".join(map(chr, range(MAX_NAME))): "! \" # $ % & '".replace(" ", ""),
    "\u2066A\u2069\u200bd\u0000a\u202e" + "\U000e0041" * 30: "A d a",
    "  Ada \r\n\t Lovelace \x7f": "Ada Lovelace",
}
"""What somebody is called, and what the others are shown."""


@pytest.mark.parametrize(
    "first",
    [ME, Offer(offer()), Presence(), Moderate("end"), Bye(), ViewerCamera(), Ping(1.0), Hello("none"), Hello("é" * 256)],
    ids=lambda message: type(message).__name__,
)
async def test_without_a_rooms_key_nothing_is_heard(server: Stage, first: FromPage) -> None:
    async with visit(server) as visitor:
        refusal = await visitor.refused(first, ME)
        assert refusal.final and refusal.message.endswith(".")
        with pytest.raises(ConnectionClosed):
            await visitor.hear(Lobby)


async def test_what_is_out_of_order_is_refused_and_the_right_message_still_works(server: Stage, other: RoomKeys) -> None:
    async with visit(server, other.person) as visitor:
        await visitor.hear(Lobby)
        for message in (Offer(offer()), Presence(), Moderate("end"), Hello(other.person), ViewerCamera(), Ping(1.0)):
            refusal = await visitor.refused(message)
            assert refusal.code == "bad_message" and not refusal.final and "join was expected" in refusal.message
        for avatar in ("", "0123456789abcdef", "../../etc/passwd", "\0", "x" * 256):
            refusal = await visitor.refused(Join("Me", avatar))
            assert refusal.code == "avatar" and not refusal.final
        welcome = await visitor.join(ME)
        for message in (ME, Join(watch=True), Hello(other.host), Ping(1.0)):
            assert (await visitor.refused(message)).code == "bad_message"
        await visitor.say(Presence(camera=False))
        while not (state := await visitor.hear(RoomState)).people or state.people[0].camera:
            pass
        assert [p.id for p in state.people] == [welcome.participant]


async def test_names_that_cannot_be_seen_and_orders_out_of_proportion_harm_nobody(server: Stage, other: RoomKeys) -> None:
    async with visit(server, other.person) as visitor:
        for text in (
            encode(Join("n" * (MAX_NAME + 1), AVATAR_ID)),
            *(encode(Join("Me", AVATAR_ID, order=n)) for n in (-2, 1 << 41)),
        ):
            await visitor.socket.send(text)
            assert (await visitor.hear(Failure)).code == "bad_message"
    for (name, shown), order in zip(NAMES.items(), (1 << 40, 1 << 39, 0, -1), strict=True):
        async with visit(server, other.person) as visitor:
            welcome = await visitor.join(Join(name, AVATAR_ID, order=order))
            state = await visitor.hear(RoomState)
            assert [p.name for p in state.people if p.id == welcome.participant] == [shown]
            assert 0 <= welcome.order < 1000


async def test_a_flood_on_one_socket_stays_with_its_sender(server: Stage, other: RoomKeys) -> None:
    async with visit(server, other.viewer) as visitor:
        await visitor.join(Join(watch=True))
        start = time.monotonic()
        await visitor.say(*[Moderate("lock")] * FLOOD)
        for _ in range(FLOOD):
            assert (await visitor.hear(Failure)).code == "not_allowed"
        assert time.monotonic() - start > 0.9 * FLOOD * MESSAGE_EVERY
