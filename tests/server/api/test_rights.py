"""Who may do what: every operation of the API is in one of these groups, and a new one has to be put into one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.accounts.room_tokens import Grants
from server.api.directory import RoomInfo
from server.store.tables import Job
from tests.server.api.serving import PASSWORD, Api, api, bearer, is_problem

OPEN = {
    "POST /api/setup", "POST /api/guests", "POST /api/sessions", "GET /api/sign-in", "GET /api/sign-in/begin",
    "GET /api/sign-in/callback", "POST /api/sign-in/token",
}  # fmt: skip
"""For whoever has the link, the password, or nothing."""
OWN = {
    "DELETE /api/sessions", "POST /api/sessions/renewal",
    "GET /api/me", "DELETE /api/me", "GET /api/me/export", "GET /api/me/keys", "POST /api/me/keys",
    "DELETE /api/me/keys/{key_id}", "GET /api/avatars", "POST /api/avatars", "POST /api/avatars/{avatar_id}/better",
    "GET /api/jobs", "GET /api/rooms", "POST /api/rooms", "PUT /api/me/password",
    "GET /api/me/identities", "POST /api/me/identities", "DELETE /api/me/identities/{identity_id}",
}  # fmt: skip
"""For everybody who is signed in, of what is their own; what others have is not in the answer."""
ADMINS = {
    "GET /api/people", "POST /api/people", "PATCH /api/people/{person_id}", "DELETE /api/people/{person_id}",
    "GET /api/people/{person_id}/keys", "POST /api/people/{person_id}/keys", "DELETE /api/people/{person_id}/keys/{key_id}",
    "GET /api/keys", "GET /api/audit", "GET /api/limits", "PATCH /api/limits", "GET /api/health",
}  # fmt: skip
"""For admins."""
OWNED = {
    "GET /api/avatars/{avatar_id}", "PATCH /api/avatars/{avatar_id}", "DELETE /api/avatars/{avatar_id}",
    "GET /api/avatars/{avatar_id}/file", "GET /api/avatars/{avatar_id}/preview", "GET /api/avatars/{avatar_id}/web",
    "GET /api/avatars/{avatar_id}/turntable", "GET /api/jobs/{job_id}",
    "GET /api/jobs/{job_id}/preview",
    "POST /api/jobs/{job_id}/cancel", "POST /api/jobs/{job_id}/retry",
    "GET /api/jobs/{job_id}/events", "GET /api/rooms/{room_id}", "DELETE /api/rooms/{room_id}",
    "POST /api/rooms/{room_id}/end", "POST /api/rooms/{room_id}/links",
    "GET /api/rooms/{room_id}/participants", "POST /api/rooms/{room_id}/moderation", "POST /api/rooms/{room_id}/tokens",
}  # fmt: skip
"""For whose it is and for admins; to others it is not there."""
BODIES: dict[str, Any] = {
    "POST /api/rooms/{room_id}/tokens": {}, "POST /api/rooms/{room_id}/moderation": {"act": "lock"},
    "PATCH /api/avatars/{avatar_id}": {"name": "Eve's"}, "PATCH /api/limits": {"jobs": 1},
}  # fmt: skip


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api(tmp_path_factory.mktemp("rights")) as server:
        yield server


def operations(server: Api) -> set[str]:
    paths = server.client.get("/api/openapi.json").json()["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


def test_every_operation_is_in_one_group(shared: Api) -> None:
    groups = [OPEN, OWN, ADMINS, OWNED]
    assert operations(shared) == set.union(*groups) and sum(map(len, groups)) == len(set.union(*groups))


def ask(server: Api, operation: str, ids: dict[str, str], headers: dict[str, str]) -> Any:
    method, path = operation.split()
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    return server.client.request(method, path, headers=headers, json=BODIES.get(operation))


@pytest.mark.parametrize("operation", sorted(OWN | ADMINS | OWNED))
def test_nobody_may_without_a_credential(shared: Api, operation: str) -> None:
    ids = dict.fromkeys(("avatar_id", "job_id", "room_id", "person_id", "key_id"), "x")
    for headers in ({}, bearer("x"), bearer(shared.service.room_tokens.make(Grants("x", host=True))[0])):
        assert is_problem(ask(shared, operation, ids, headers), 401)


@pytest.mark.parametrize("operation", sorted(ADMINS))
def test_only_admins_may(shared: Api, operation: str) -> None:
    ada, _ = shared.person("member")
    for role in ("member", "guest"):
        _, headers = shared.person(role)
        for place in (ada, "nobody"):
            assert is_problem(ask(shared, operation, {"person_id": place, "key_id": "none"}, headers), 403)


@pytest.mark.parametrize("operation", sorted(OWNED))
def test_to_others_it_is_not_there(shared: Api, operation: str) -> None:
    ada, own = shared.person("member")
    made = shared.made(own)
    room = RoomInfo(f"room{len(shared.rooms.rooms)}", "Ada's", ada, 1.0, {})
    shared.rooms.rooms[room.id] = room
    ids = {"avatar_id": made["id"], "job_id": made["job"], "room_id": room.id}
    for role in ("member", "guest"):
        reply = ask(shared, operation, ids, shared.person(role)[1])
        is_refused = (role, operation) == ("guest", "POST /api/rooms/{room_id}/tokens")
        assert is_problem(reply, 403 if is_refused else 404)
        assert is_refused or reply.json() == ask(shared, operation, dict.fromkeys(ids, "none"), shared.person("member")[1]).json()
    status = ask(shared, operation, ids, own).status_code
    if operation == "GET /api/jobs/{job_id}/preview":
        assert status == 404  # there is none yet
        return
    if operation == "POST /api/jobs/{job_id}/retry":
        assert status == 409  # it has not failed
        return
    assert status < 300 or (operation.endswith("/web") and status == 422), "what stands in for the file is no avatar"


def test_lists_hold_ones_own(shared: Api, tmp_path: Path) -> None:
    ada, own = shared.person("member")
    avatar, key = shared.made(own), shared.client.post("/api/me/keys", headers=own, json={}).json()
    room = shared.client.post("/api/rooms", headers=own, json={"name": "Ada's"}).json()
    lists = {"/api/avatars": avatar["id"], "/api/jobs": avatar["job"], "/api/rooms": room["id"], "/api/me/keys": key["id"]}
    for place, made in lists.items():
        assert [found["id"] for found in shared.client.get(place, headers=own).json()["items"]] == [made]
        assert shared.client.get(place, headers=shared.person("member")[1]).json() == {"items": [], "next": None}
    _, admin = shared.person("admin")
    for place in ("/api/avatars", "/api/jobs", "/api/rooms", "/api/keys"):
        found = {entry["id"]: entry for entry in shared.client.get(place, headers=admin, params={"limit": 200}).json()["items"]}
        assert found[lists.get(place, key["id"])]["owner"] == ada
    for place in ("/api/avatars", "/api/jobs"):
        assert shared.client.get(place, headers=own).json()["items"][0]["owner"] is None


def test_each_act_of_an_admin_is_in_the_audit_log(server: Api) -> None:
    """Of every operation that changes what is another's; a new one is asked here by itself."""
    admin, headers = server.person("admin")
    bodies = {
        "POST /api/people": {"login": "grace", "name": "Grace", "password": PASSWORD},
        "PATCH /api/people/{person_id}": {"name": "Eve"}, "POST /api/people/{person_id}/keys": {},
        "PATCH /api/limits": {"avatars": 9},
    }  # fmt: skip
    for operation in sorted(name for name in ADMINS | OWNED if not name.startswith("GET ")):
        ada, own = server.person("member")
        made = server.made(own)
        key = server.client.post("/api/me/keys", headers=own, json={}).json()["id"]
        room = RoomInfo("other", "Ada's", ada, 1.0, {})
        server.rooms.rooms[room.id] = room
        ids = {"avatar_id": made["id"], "job_id": made["job"], "room_id": room.id, "person_id": ada, "key_id": key}
        if operation.endswith("/retry"):
            with server.service.database.session() as session:
                found = session.get_one(Job, made["job"])
                found.state, found.folder = "failed", "jobs1"
        before = server.client.get("/api/audit", headers=headers).json()["items"][0]["id"]
        method, path = operation.split()
        body = bodies.get(operation, BODIES.get(operation))
        reply = server.client.request(method, path.format(**ids), headers=headers, json=body)
        assert reply.status_code < 300, (operation, reply.text)
        entry = server.client.get("/api/audit", headers=headers).json()["items"][0]
        assert entry["id"] > before and entry["actor"] == admin, operation
