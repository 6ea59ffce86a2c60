from __future__ import annotations

from typing import Any

import pytest

from server.accounts.limits import change_limits
from server.accounts.people import API_KEY_PREFIX
from server.accounts.room_tokens import MOST_LIFETIME
from tests.server.api.serving import FIRST, Api, bearer, every, is_problem


def make(server: Api, headers: dict[str, str], **values: Any) -> dict[str, Any]:
    reply = server.client.post("/api/rooms", headers=headers, json=values)
    assert reply.status_code == 201, reply.text
    found: dict[str, Any] = reply.json()
    return found


def token(server: Api, room: str, headers: dict[str, str], **values: Any) -> Any:
    return server.client.post(f"/api/rooms/{room}/tokens", headers=headers, json=values)


def test_from_a_room_to_its_end(server: Api) -> None:
    ada, headers = server.person("member")
    _, admin = server.person("admin")
    made = make(server, headers, name="  Monday\u202e ")
    assert (made["name"], made["owner"], made["first"], made["open"]) == ("Monday", ada, False, False) and made["links"]
    (own,) = every(server, "/api/rooms", headers)
    assert own == made == server.client.get(f"/api/rooms/{made['id']}", headers=headers).json()
    first = every(server, "/api/rooms", admin)[0]
    assert (first["id"], first["first"], first["people"], first["viewers"], first["pictures"]) == (FIRST, True, 2, 1, 45.0)
    assert server.client.post(f"/api/rooms/{made['id']}/end", headers=headers).status_code == 204
    assert server.rooms.ended == [made["id"]]
    assert server.client.delete(f"/api/rooms/{made['id']}", headers=headers).status_code == 204
    assert is_problem(server.client.get(f"/api/rooms/{made['id']}", headers=headers), 404)
    assert is_problem(server.client.delete(f"/api/rooms/{FIRST}", headers=admin), 409)
    acts = [(entry["act"], entry["object"]) for entry in every(server, "/api/audit", admin)]
    assert acts == [(f"room.{act}", made["id"]) for act in ("delete", "end", "add")]


def test_so_many_rooms_each_and_in_all(server: Api) -> None:
    _, admin = server.person("admin")
    with server.service.database.session() as session:
        change_limits(session, {"rooms_each": 1, "rooms": 4})
    _, headers = server.person("member")
    make(server, headers)
    assert is_problem(server.client.post("/api/rooms", headers=headers, json={}), 409)
    make(server, admin)
    make(server, admin)
    assert is_problem(server.client.post("/api/rooms", headers=admin, json={}), 409)
    assert is_problem(server.client.post("/api/rooms", headers=server.person()[1], json={}), 403)


def test_a_token_says_who_comes_for_what_and_how_long(server: Api) -> None:
    ada, headers = server.person("member")
    room = make(server, headers)["id"]
    made = token(server, room, headers, grants=["publish", "subscribe"], person=ada, name="Ada\u202e", lifetime=60)
    assert made.status_code == 201 and made.json()["link"].endswith(made.json()["token"])
    grants = server.service.room_tokens.verify(made.json()["token"], room)
    assert (grants.person, grants.name, grants.role, grants.subscribe, grants.issuer) == (ada, "Ada", "person", True, ada)
    assert (grants.id, grants.expires) == (made.json()["id"], made.json()["expires"])
    only_sends = token(server, room, headers, grants=["publish"]).json()["token"]
    assert not server.service.room_tokens.verify(only_sends, room).subscribe
    watches = server.service.room_tokens.verify(token(server, room, headers).json()["token"], room)
    assert (watches.role, watches.subscribe, watches.person) == ("viewer", True, "")


def test_a_machine_makes_them_with_its_api_key(server: Api) -> None:
    ada, _ = server.person("member")
    admin, headers = server.person("admin")
    key = server.client.post("/api/me/keys", headers=headers, json={}).json()["key"]
    assert key.startswith(API_KEY_PREFIX)
    made = token(server, FIRST, bearer(key), grants=["host", "subscribe"], person=ada).json()
    grants = server.service.room_tokens.verify(made["token"], FIRST)
    assert (grants.person, grants.role, grants.issuer) == (ada, "host", admin)
    (entry,) = [entry for entry in every(server, "/api/audit", headers) if entry["act"] == "room.token"]
    assert entry["detail"] == {"token": made["id"], "grants": "host subscribe"} and made["token"] not in str(entry)


@pytest.mark.parametrize(
    ("key", "grants", "status"),
    [
        ("host-key", ["host", "publish", "watch", "subscribe"], 201), ("person-key", ["publish", "subscribe"], 201),
        ("person-key", ["host"], 403), ("viewer-key", ["watch", "subscribe"], 201), ("viewer-key", ["publish"], 403),
        ("guessed", ["watch"], 403), ("", ["watch"], 404),
    ],
)  # fmt: skip
def test_whoever_has_a_link_hands_on_no_more_than_it_allows(server: Api, key: str, grants: list[str], status: int) -> None:
    _, headers = server.person("member")
    reply = token(server, FIRST, headers, key=key, grants=grants)
    assert reply.status_code == 201 if status == 201 else is_problem(reply, status)
    other = make(server, server.person("member")[1])["id"]
    assert is_problem(token(server, other, headers, key=key, grants=grants), 403 if key else 404)
    assert is_problem(token(server, FIRST, server.person()[1], key=key, grants=grants), 403)


@pytest.mark.parametrize(
    "values",
    [
        {"grants": []}, {"grants": ["subscribe"]}, {"grants": ["all"]}, {"lifetime": 0}, {"lifetime": MOST_LIFETIME + 1},
        {"name": "x" * 65}, {"person": "nobody"},
    ],
)  # fmt: skip
def test_what_makes_no_sense_in_a_token(server: Api, values: dict[str, Any]) -> None:
    assert is_problem(token(server, FIRST, server.person("admin")[1], **values), 422)


def test_only_admins_make_tokens_for_others_accounts(server: Api) -> None:
    ada, _ = server.person("member")
    _, headers = server.person("member")
    room = make(server, headers)["id"]
    assert is_problem(token(server, room, headers, person=ada), 403)
    disabled, _ = server.person("member", disabled=True)
    assert is_problem(token(server, room, server.person("admin")[1], person=disabled), 422)
