"""Who may make how many rooms by a key; what else rooms do is in test_call.py and attacks/test_rooms.py."""

from __future__ import annotations

import json

from tests.server.call.serving import Reply, running


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
