"""Who may make how many rooms by a key, and how a room opens; what else rooms do is in test_call.py and attacks/test_rooms.py."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from models.errors import VisavisError
from server.call import rooms
from server.call.room import Room
from tests.server.call.serving import Reply, running, until


async def test_hosts_to_whom_a_room_was_given_leave_half_of_the_places() -> None:
    """Also by the hosts of the rooms that they make; the first room's host makes all."""
    async with running(max_rooms=8) as server:
        given = (await server.rooms.create()).keys.host

        async def make(host: str) -> Reply:
            return await server.request("/rooms", "POST", Authorization=f"Bearer {host}")

        made = [await make(given) for _ in range(3)]
        assert [reply.status for reply in made] == [201, 201, 409]
        below = json.loads(made[1].body)["host"].rpartition("/")[2]
        assert (await make(below)).status == 409
        assert [(await make(server.key("host"))).status for _ in range(5)] == [201] * 4 + [409]


async def test_a_room_opens_once_for_all_who_come_and_not_when_it_was_removed_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory is reserved while the event loop carries the media of others."""
    begun, go_on, made = threading.Event(), threading.Event(), []

    def slow(*args: object) -> Room:
        begun.set()
        assert go_on.wait(30)
        made.append(Room(*args))  # type: ignore[arg-type]
        return made[-1]

    async with running(max_rooms=4) as server:
        monkeypatch.setattr(rooms, "Room", slow)
        first, second = [await server.rooms.create() for _ in range(2)]
        pages = [asyncio.create_task(server.rooms._room(first)) for _ in range(3)]
        await until(begun.is_set)
        pages[0].cancel()  # who leaves takes the room from nobody
        go_on.set()
        found = await asyncio.gather(*pages, return_exceptions=True)
        assert (
            isinstance(found[0], asyncio.CancelledError) and found[1] is found[2] is server.rooms.open_room(first.id) is made[0]
        )
        begun.clear()
        go_on.clear()
        page = asyncio.create_task(server.rooms._room(second))
        await until(begun.is_set)
        await server.rooms.remove(second.id)
        go_on.set()
        with pytest.raises(VisavisError, match="closing"):
            await page
        assert server.rooms.open_room(second.id) is None and len(made) == 2 and not server.rooms._opening
