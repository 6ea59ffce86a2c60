from __future__ import annotations

import io
import json
import threading
import zipfile

import pytest

from server.accounts.tokens import Claims, Tokens
from server.api.limits import RateLimit
from server.store.tables import Person
from tests.server.api.serving import KEYS, PASSWORD, SETUP, Api, bearer, is_problem

ADMIN = {"key": SETUP, "login": "ada", "name": "Ada", "password": PASSWORD}


def test_the_first_admin_is_made_once_by_the_set_up_link(server: Api) -> None:
    post = server.client.post
    assert is_problem(post("/api/setup", json=ADMIN | {"key": "guessed"}), 403)
    assert is_problem(post("/api/setup", json=ADMIN | {"password": "short"}), 422)
    made = post("/api/setup", json=ADMIN)
    assert made.status_code == 201
    me = server.client.get("/api/me", headers=bearer(made.json()["token"])).json()
    assert (me["login"], me["role"], me["disabled"]) == ("ada", "admin", False) and "password" not in me
    assert is_problem(post("/api/setup", json=ADMIN | {"login": "eve"}), 409)


def test_of_two_who_set_up_at_once_one_is_the_admin(server: Api) -> None:
    replies: list[int] = []

    def set_up(login: str) -> None:
        replies.append(server.client.post("/api/setup", json=ADMIN | {"login": login}).status_code)

    threads = [threading.Thread(target=set_up, args=(login,)) for login in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(replies) == [201, 409, 409]


@pytest.mark.parametrize("key", [*KEYS, "guessed"])
def test_guests_come_by_the_link_of_a_room_for_people(server: Api, key: str) -> None:
    reply = server.client.post("/api/guests", json={"key": key, "name": "Ada"})
    if key in ("host-key", "person-key"):
        me = server.client.get("/api/me", headers=bearer(reply.json()["token"])).json()
        assert reply.status_code == 201 and (me["name"], me["role"], me["login"]) == ("Ada", "guest", None)
    else:
        assert is_problem(reply, 403)


def test_who_asks_too_often_waits(server: Api) -> None:
    guest, wrong = {"key": "host-key"}, {"login": "ada", "password": "guessed password"}
    while (reply := server.client.post("/api/guests", json=guest)).status_code == 201:
        pass
    assert is_problem(reply, 429)
    seen = [server.client.post("/api/sessions", json=wrong).status_code for _ in range(12)]
    assert seen[:10] == [401] * 10 and seen[-1] == 429
    assert is_problem(server.client.post("/api/sessions", json=wrong), 429)
    assert server.client.post("/api/sessions", json=wrong | {"login": "eve"}).status_code == 401
    object.__setattr__(server.service.limits, "hashes", RateLimit(20, 60.0))  # on a slow machine a hash takes as long as a turn
    logins = [server.client.post("/api/sessions", json=wrong | {"login": f"l{i}"}).status_code for i in range(30)]
    assert 429 in logins  # each costs a hash


def test_a_wrong_password_and_a_login_that_nobody_has_look_the_same(server: Api) -> None:
    server.service.people.add("ada", "Ada", PASSWORD)
    wrong, nobody = (
        server.client.post("/api/sessions", json={"login": login, "password": "guessed password"}) for login in ("ada", "eve")
    )
    assert is_problem(wrong, 401) and wrong.json() == nobody.json()
    assert server.client.post("/api/sessions", json={"login": "ada", "password": PASSWORD}).status_code == 201


def test_signing_out_everywhere(server: Api) -> None:
    server.service.people.add("ada", "Ada", PASSWORD)
    first, second = (bearer(server.service.people.sign_in("ada", PASSWORD)) for _ in range(2))
    assert server.client.delete("/api/sessions", headers=first).status_code == 204
    assert all(is_problem(server.client.get("/api/me", headers=headers), 401) for headers in (first, second))
    assert server.client.get("/api/me", headers=bearer(server.service.people.sign_in("ada", PASSWORD))).status_code == 200


def test_a_credential_that_is_none_is_refused(server: Api) -> None:
    person, headers = server.person("member")
    old, other = Claims(person, "member", 1), Tokens("o" * 64).make(Claims(person, "member", 0))
    expired = Tokens("s" * 64, lambda: 0.0).make(Claims(person, "member", 0))
    tokens = [
        "",
        "nonsense",
        "x" * 5000,
        server.service.tokens.make(old),
        other,
        expired,
        "vv_guessed",
        "eyJhbGciOiJub25lIn0.e30.",
    ]
    for shown in [{}, {"authorization": headers["authorization"].replace("Bearer", "Basic")}, *map(bearer, tokens)]:
        for path in ("/api/me", "/api/avatars", "/api/jobs", "/api/me/export"):
            reply = server.client.get(path, headers=shown)
            assert is_problem(reply, 401) and reply.headers["www-authenticate"] == "Bearer"
    with server.service.database.session() as session:
        session.get_one(Person, person).disabled = True
    assert is_problem(server.client.get("/api/me", headers=headers), 401)


def test_api_keys_are_shown_once_and_are_ones_own(server: Api) -> None:
    ada, headers = server.person("member")
    _, eve = server.person("member")
    made = server.client.post("/api/me/keys", headers=headers, json={"name": "script"}).json()
    assert server.client.get("/api/me", headers=bearer(made["key"])).json()["id"] == ada
    listed = server.client.get("/api/me/keys", headers=headers).json()["items"]
    assert [(key["id"], key["name"], key["key"]) for key in listed] == [(made["id"], "script", None)]
    assert server.client.get("/api/me/keys", headers=eve).json() == {"items": [], "next": None}
    assert is_problem(server.client.delete(f"/api/me/keys/{made['id']}", headers=eve), 422)
    assert server.client.delete(f"/api/me/keys/{made['id']}", headers=headers).status_code == 204
    assert is_problem(server.client.get("/api/me", headers=bearer(made["key"])), 401)
    assert is_problem(server.client.post("/api/me/keys", headers=server.person()[1], json={}), 422)


def test_the_export_holds_all_that_is_ones_own_and_nothing_else(server: Api) -> None:
    (_, ada), (_, eve) = server.person("member", name="Ada"), server.person(name="Eve")
    avatar = server.made(ada, keep_photo="true", name="Mine")
    other = server.made(eve, name="Eve's own")
    server.client.patch(f"/api/avatars/{other['id']}", headers=eve, json={"shared": True})
    reply = server.client.get("/api/me/export", headers=ada)
    assert reply.headers["content-type"] == "application/zip" and int(reply.headers["content-length"]) == len(reply.content)
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        names = {
            f"{avatar['id']}.avatar",
            f"{avatar['id']}.png",
            f"{avatar['id']}.webp",
            f"{avatar['id']}-{avatar['job']}-photo0",
            "about.json",
        }
        assert set(archive.namelist()) == names and archive.read(f"{avatar['id']}.avatar") == b"the avatar"
        about = json.loads(archive.read("about.json"))
    assert about["person"]["name"] == "Ada" and about["consents"][0]["subject"] == "Ada Lovelace"
    assert about["avatars"][0]["name"] == "Mine" and about["enrollments"][0]["state"] == "done" and "Eve" not in str(about)


@pytest.mark.parametrize("photo", ["waits", "kept"])
def test_who_erases_themselves_leaves_nothing(server: Api, photo: str) -> None:
    _, headers = server.person("member", name="A name to erase", login="login-to-erase")
    other, _ = server.person()
    if photo == "kept":
        avatar = server.made(headers, subject="A subject to erase", keep_photo="true")
    else:
        avatar = server.enroll(headers, subject="A subject to erase").json()
    key = server.client.post("/api/me/keys", headers=headers, json={"name": "a key to erase"}).json()["key"]
    assert server.service.files.names()
    assert server.client.delete("/api/me", headers=headers).status_code == 204
    assert server.service.files.names() == [] and server.rooms.erased == [avatar["id"]]
    for shown in (headers, bearer(key)):
        assert is_problem(server.client.get("/api/me", headers=shown), 401)
    left = b"".join(path.read_bytes() for path in server.folder.rglob("*") if path.is_file())
    assert b"to erase" not in left and b"login-to-erase" not in left and other.encode() in left
