"""Who may make how many rooms; what else rooms do is in test_call.py and attacks/test_rooms.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import VisavisError
from server.call import links
from server.call.avatars import AvatarCatalog
from server.call.config import ServerConfig
from server.call.links import Links
from server.call.rooms import SHARES, Rooms
from server.call.rules import RoomKeys
from tests.server.call.serving import running

MOST = 16


def rooms(kept: Links) -> Rooms:
    return Rooms(ServerConfig(max_rooms=MOST), kept, "http://here", AvatarCatalog([], None))


async def test_a_host_to_whom_a_room_was_given_cannot_make_all_rooms(tmp_path: Path) -> None:
    """Nor by the hosts of the rooms so made, nor after a restart; others still can."""
    here = rooms(links.keep(tmp_path, 8346))
    ada, bob = [await here.create() for _ in range(2)]
    child = await here.create(ada.host)
    grandchild = await here.create(child.host)
    for _ in range(MOST // SHARES - 2):
        await here.create(grandchild.host)
    assert not set(vars(child).values()) & {ada.host, here.first.host}, "the answer to a host must not hold another's key"
    for again in (here, rooms(links.keep(tmp_path, 8346))):
        for host in (ada.host, child.host, grandchild.host):
            with pytest.raises(VisavisError, match="made by one room's host"):
                await again.create(host)
    await here.create(bob.host)
    for _ in range(MOST - 8):
        await here.create()
    for host in ("", bob.host):
        with pytest.raises(VisavisError, match=f"at most {MOST} rooms"):
            await here.create(host)


async def test_rooms_of_older_files_and_changed_ones_are_the_first_hosts(tmp_path: Path) -> None:
    old = rooms(Links((RoomKeys.new(), RoomKeys.new())))
    for _ in range(MOST // SHARES):
        await old.create(old.first.host)
    first, a, b = (RoomKeys.new() for _ in range(3))
    circle = rooms(Links((first, a, b), makers={a.host: b.host, b.host: a.host}))
    await circle.create(a.host)


async def test_the_request_says_who_makes_the_room() -> None:
    async with running(max_rooms=8) as server:
        given = await server.rooms.create()
        made = [await server.request("/rooms", "POST", Authorization=f"Bearer {given.host}") for _ in range(3)]
        assert [reply.status for reply in made] == [201, 201, 409]
        assert given.host.encode() not in made[2].body and made[2].body.endswith(b".")
