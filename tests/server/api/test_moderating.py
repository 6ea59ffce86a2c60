"""Moderating a room by REST: who may, and what is ordered; what becomes of it: tests/server/call/test_moderating.py."""

from __future__ import annotations

import pytest

from tests.server.api.serving import FIRST, Api, bearer, every, is_problem

PLACE = f"/api/rooms/{FIRST}"


@pytest.mark.parametrize("who", ["link", "admin"])
def test_a_hosts_link_and_an_admin_moderate(server: Api, who: str) -> None:
    admin, headers = server.person("admin")
    shown = bearer("host-key") if who == "link" else headers
    there = server.client.get(f"{PLACE}/participants", headers=shown).json()
    assert there["items"] == [{"id": 3, "name": "Bo", "muted": False, "host": False, "seated": True}]
    assert (there["viewers"], there["locked"]) == (1, False)
    for order in ({"act": "mute", "participant": 3}, {"act": "lock"}):
        assert server.client.post(f"{PLACE}/moderation", headers=shown, json=order).status_code == 204
    assert is_problem(server.client.post(f"{PLACE}/moderation", headers=shown, json={"act": "remove", "participant": 9}), 404)
    assert server.rooms.moderated == [(FIRST, "mute", 3), (FIRST, "lock", -1), (FIRST, "remove", 9)]
    log = [(entry["actor"], entry["act"]) for entry in every(server, "/api/audit", headers)]
    assert log == [("host" if who == "link" else admin, act) for act in ("room.lock", "room.mute")]


@pytest.mark.parametrize(("key", "status"), [("person-key", 401), ("viewer-key", 401), ("guessed", 401), ("member", 404)])
def test_nobody_else_does(server: Api, key: str, status: int) -> None:
    shown = server.person("member")[1] if key == "member" else bearer(key)
    assert is_problem(server.client.get(f"{PLACE}/participants", headers=shown), status)
    assert is_problem(server.client.post(f"{PLACE}/moderation", headers=shown, json={"act": "end"}), status)
    assert is_problem(server.client.post("/api/rooms/another/moderation", headers=bearer("host-key"), json={"act": "end"}), 401)
    assert server.rooms.moderated == []
