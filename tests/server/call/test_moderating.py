"""A host whose page is a WHIP session moderates by REST."""

from __future__ import annotations

from pathlib import Path

import httpx

from server.call.protocol import RoomState
from tests.server.call.http_media import HttpMedia
from tests.server.call.serving import until
from tests.server.call.test_visitors import site
from tests.server.call.test_whip import camera


async def test_the_host_of_a_whip_session_mutes_removes_and_locks(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        server = here.server
        room = server.rooms.kept[0].id
        token = await here.token(grants=["host"])
        guest = await here.token()
        obs = HttpMedia(f"{server.base}/whip", token, tracks=(camera(),))
        async with obs, here.page(guest, "Bo") as page, httpx.AsyncClient(base_url=server.base) as client:
            place, headers = f"/api/rooms/{room}", {"authorization": f"Bearer {token}"}
            await until(lambda: len(page.said[RoomState].people) == 2)
            there = (await client.get(f"{place}/participants", headers=headers)).json()
            assert {person["name"] for person in there["items"]} >= {"Bo"}
            order = {"act": "mute", "participant": page.welcome.participant}
            assert (await client.post(f"{place}/moderation", headers=headers, json=order)).status_code == 204
            await until(lambda: any(p.muted for p in page.said[RoomState].people))
            other = {"authorization": f"Bearer {guest}"}
            assert (await client.post(f"{place}/moderation", headers=other, json=order)).status_code == 401
            assert (await client.post(f"{place}/moderation", headers=headers, json={"act": "lock"})).status_code == 204
            await until(lambda: page.said[RoomState].locked)
            order["act"] = "remove"
            assert (await client.post(f"{place}/moderation", headers=headers, json=order)).status_code == 204
            await until(lambda: server.room.people == 1)
            assert (await client.post(f"{place}/moderation", headers=headers, json=order)).status_code == 404
