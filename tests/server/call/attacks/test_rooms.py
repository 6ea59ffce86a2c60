"""Attacks from one room on another, and of one role on what only a higher one may do."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any, get_args

import pytest
from websockets.exceptions import ConnectionClosed

from server.call.protocol import Act, Bye, Failure, Join, Lobby, Moderate, Offer, Presence, Role, RoomState
from server.call.rules import RoomKeys
from tests.server.call.attacks.figures import newcomer
from tests.server.call.attacks.offers import largest
from tests.server.call.attacks.stage import AVATAR_ID, Stage
from tests.server.call.attacks.unharmed import unharmed_call
from tests.server.call.attacks.visitor import Visitor, visit
from tests.server.call.serving import until

pytestmark = pytest.mark.timeout(240)
MEMORY = 50_000_000
SECONDS = 2.0
ACTS: tuple[Any, ...] = get_args(Act)
MAX_LOBBY = 64


@pytest.mark.parametrize("role", ["person", "viewer"])
async def test_nobody_but_a_host_moderates_or_makes_rooms(server: Stage, role: Role) -> None:
    key = getattr(server.keys, role)
    async with visit(server, server.keys.host) as host, visit(server, key) as visitor:
        welcome = await host.join(Join("Host", AVATAR_ID))
        await visitor.join(Join(watch=True))
        for act in ACTS:
            assert (await visitor.refused(Moderate(act, welcome.participant))).code == "not_allowed"
        await host.say(Presence(camera=False))
        state = await host.hear(RoomState)
        assert [p.id for p in state.people] == [welcome.participant] and not state.locked and not state.people[0].muted
    status, body = server.create(key)
    assert status == 403 and key.encode() not in body


async def test_a_host_acts_in_no_other_room(server: Stage, other: RoomKeys) -> None:
    async with visit(server, server.keys.person) as person, visit(server, other.host) as host:
        theirs = (await person.join(Join("Person", AVATAR_ID))).participant
        own = (await host.join(Join("Host", AVATAR_ID))).participant
        for number in {*range(1, 9), theirs} - {own}:
            for act in ("mute", "remove"):
                assert (await host.refused(Moderate(act, number))).code == "not_found"
        await host.say(Moderate("lock"))
        assert (await host.refused(Moderate("end"))).code == "ended"
        await person.say(Presence(camera=False))
        while not (state := await person.hear(RoomState)).people or state.people[0].camera:
            pass
        assert [p.id for p in state.people] == [theirs] and not state.locked and not state.people[0].muted


async def test_a_token_is_of_no_use_in_another_room_or_role(server: Stage, other: RoomKeys) -> None:
    async with visit(server, server.keys.person) as person:
        token = (await person.join(Join("Person", AVATAR_ID))).resume
        for key, role in ((other.person, "person"), (other.host, "host"), (server.keys.viewer, "viewer")):
            async with visit(server, key, resume=token) as thief:
                assert (await thief.hear(Lobby)).role == role
        await person.say(Presence(camera=False))
        assert len((await person.hear(RoomState)).people) == 1


async def test_a_full_lobby_keeps_no_other_room_and_no_other_role_out(server: Stage, other: RoomKeys) -> None:
    async with unharmed_call(server), AsyncExitStack() as lobby:
        waiting = [await lobby.enter_async_context(visit(server, other.viewer)) for _ in range(MAX_LOBBY)]
        for visitor in waiting:
            await visitor.hear(Lobby)
        async with visit(server, other.viewer) as late:
            refusal = await late.hear(Failure)
            assert refusal.code == "full" and not refusal.final and refusal.retry_after > 0
        for key in (other.host, other.person, server.keys.viewer):
            async with visit(server, key) as visitor:
                await visitor.hear(Lobby)
        await newcomer(server)


async def test_a_killed_process_takes_no_other_room_with_it(server: Stage, other: RoomKeys) -> None:
    async with unharmed_call(server), server.page("person", other) as page:
        await until(lambda: page.pictures > 3)
        killed = server.render_processes - server.first_room
        assert len(killed) == 1
        os.kill(killed.pop(), signal.SIGKILL)
        await until(lambda: len(server.render_processes - server.first_room - killed) == 1)
        shown = page.pictures
        await until(lambda: page.pictures > shown + 3)


async def _nonsense(visitor: Visitor) -> None:
    await visitor.socket.send("{" * 1000)


async def _offers(visitor: Visitor) -> None:
    await visitor.say(Join(watch=True), *[Offer(largest())] * 10)


async def _changes(visitor: Visitor) -> None:
    """Microphone on and off, and what is not allowed."""
    await visitor.say(*(Presence(bool(i % 2)) for i in range(10)), Moderate("end"))


async def _coming_and_going(visitor: Visitor) -> None:
    await visitor.say(Join("x" * 40, AVATAR_ID), Bye())


async def _again_and_again(server: Stage, key: str, attack: Callable[[Visitor], Awaitable[None]], *first: Join) -> int:
    """The attack on one socket after the other; returns how often."""
    end, count = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        with suppress(ConnectionClosed, OSError, TimeoutError):
            async with asyncio.timeout(SECONDS), visit(server, key, leaves=False) as visitor:
                await visitor.say(*first)
                while time.monotonic() < end:
                    await attack(visitor)
                    count += 1
                    await asyncio.sleep(0.02)
    return count


async def test_a_flood_in_one_room_slows_no_other(server: Stage, other: RoomKeys) -> None:
    me = Join("Me", AVATAR_ID)
    async with server.page("person", other) as page, unharmed_call(server):
        await until(lambda: page.pictures > 3)
        before = server.memory
        counts = await asyncio.gather(
            _again_and_again(server, other.viewer, _nonsense),
            _again_and_again(server, other.viewer, _offers),
            _again_and_again(server, other.person, _changes, me),
            _again_and_again(server, other.person, _coming_and_going),
        )
        assert min(counts) > 10, counts
        took, _ = await newcomer(server)
        assert took < 3.0 and server.memory - before < MEMORY
        assert page.socket.close_code is None and page.pc.connectionState == "connected"
