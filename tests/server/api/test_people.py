from __future__ import annotations

import threading

import pytest

from server.store.tables import AuditEntry
from tests.server.api.serving import PASSWORD, Api, bearer, every, is_problem

NEW = {"login": "grace", "name": "Grace", "password": PASSWORD}


def test_an_admin_makes_changes_disables_and_erases_accounts(server: Api) -> None:
    _, admin = server.person("admin")
    made = server.client.post("/api/people", headers=admin, json=NEW).json()
    place = f"/api/people/{made['id']}"
    assert is_problem(server.client.post("/api/people", headers=admin, json=NEW), 409)
    assert is_problem(server.client.post("/api/people", headers=admin, json=NEW | {"login": "A B"}), 422)
    assert is_problem(server.client.post("/api/people", headers=admin, json=NEW | {"role": "guest"}), 422)
    grace = bearer(server.service.people.sign_in("grace", PASSWORD))
    changed = server.client.patch(place, headers=admin, json={"name": "Grace H.", "role": "admin"}).json()
    assert (changed["name"], changed["role"]) == ("Grace H.", "admin")
    assert server.client.get("/api/people", headers=grace).status_code == 200
    assert server.client.patch(place, headers=admin, json={"password": "another password"}).status_code == 200
    assert is_problem(server.client.get("/api/me", headers=grace), 401)
    grace = bearer(server.service.people.sign_in("grace", "another password"))
    key = server.client.post(f"{place}/keys", headers=admin, json={"name": "script"}).json()
    assert [k["id"] for k in server.client.get(f"{place}/keys", headers=admin).json()["items"]] == [key["id"]]
    every = server.client.get("/api/keys", headers=admin).json()["items"]
    assert [(k["id"], k["owner"], k["key"]) for k in every] == [(key["id"], made["id"], None)]
    assert server.rooms.out == []
    assert server.client.patch(place, headers=admin, json={"disabled": True}).json()["disabled"]
    assert server.rooms.out == [made["id"]]
    assert all(is_problem(server.client.get("/api/me", headers=h), 401) for h in (grace, bearer(key["key"])))
    assert server.client.patch(place, headers=admin, json={"disabled": False}).status_code == 200
    assert server.client.get("/api/me", headers=bearer(key["key"])).status_code == 200
    assert server.client.delete(f"{place}/keys/{key['id']}", headers=admin).status_code == 204
    assert server.client.delete(place, headers=admin).status_code == 204
    assert server.rooms.out == [made["id"]] * 2
    assert is_problem(server.client.delete(place, headers=admin), 404)
    assert is_problem(server.client.patch(place, headers=admin, json={}), 404)


def test_there_is_always_an_admin(server: Api) -> None:
    ada, headers = server.person("admin")
    for change in ({"role": "member"}, {"disabled": True}):
        assert is_problem(server.client.patch(f"/api/people/{ada}", headers=headers, json=change), 409)
    assert is_problem(server.client.delete("/api/me", headers=headers), 409)
    assert is_problem(server.client.delete(f"/api/people/{ada}", headers=headers), 409)
    assert server.client.get("/api/me", headers=headers).json()["role"] == "admin"


@pytest.mark.parametrize("act", ["demote", "erase"])
def test_of_two_admins_who_put_each_other_out_at_once_one_stays(server: Api, act: str) -> None:
    (ada, first), (eve, second) = server.person("admin"), server.person("admin")
    replies: list[int] = []

    def put_out(other: str, headers: dict[str, str]) -> None:
        if act == "demote":
            reply = server.client.patch(f"/api/people/{other}", headers=headers, json={"role": "member"})
        else:
            reply = server.client.delete(f"/api/people/{other}", headers=headers)
        replies.append(reply.status_code)

    threads = [threading.Thread(target=put_out, args=pair) for pair in ((eve, first), (ada, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.service.people.has_admin() and len([status for status in replies if status < 300]) == 1


def test_two_admins_who_edit_at_once(server: Api) -> None:
    _, admin = server.person("admin")
    ada, _ = server.person("member")
    place, version = f"/api/people/{ada}", {"If-Match": '"1"'}
    changed = server.client.patch(place, headers=admin | version, json={"name": "First"}).json()
    assert changed["version"] == 2
    assert is_problem(server.client.patch(place, headers=admin | version, json={"name": "Second"}), 412)
    assert (
        server.client.patch(place, headers=admin | {"If-Match": 'W/"7", "2"'}, json={"name": "Third"}).json()["name"] == "Third"
    )
    assert server.client.patch(place, headers=admin | {"If-Match": "*"}, json={"name": "Fourth"}).status_code == 200


def test_a_guest_has_no_login_to_give_rights_to(server: Api) -> None:
    _, admin = server.person("admin")
    guest, _ = server.person()
    for change in ({"role": "admin"}, {"password": PASSWORD}):
        assert is_problem(server.client.patch(f"/api/people/{guest}", headers=admin, json=change), 409)
    assert server.client.patch(f"/api/people/{guest}", headers=admin, json={"disabled": True}).status_code == 200


def test_lists_come_in_pages(server: Api) -> None:
    _, admin = server.person("admin")
    people = sorted([server.person()[0] for _ in range(4)] + [server.client.get("/api/me", headers=admin).json()["id"]])
    assert [person["id"] for person in every(server, "/api/people", admin)] == people
    with server.service.database.session() as session:
        session.add_all(AuditEntry(actor="a", act=f"act {i}") for i in range(5))
    assert [entry["act"] for entry in every(server, "/api/audit", admin)] == [f"act {i}" for i in reversed(range(5))]
    for params in ({"limit": 0}, {"limit": 10**9}, {"after": 10**30}, {"after": -1}, {"limit": "x"}):
        assert is_problem(server.client.get("/api/audit", headers=admin, params=params), 422)


def test_the_audit_log_tells_who_did_what_without_names(server: Api) -> None:
    ada, admin = server.person("admin", name="Ada")
    eve, headers = server.person("member", name="Eve")
    avatar = server.made(headers)["id"]
    server.client.get(f"/api/avatars/{avatar}/file", headers=headers)
    server.client.get(f"/api/avatars/{avatar}/file", headers=admin)
    server.client.delete(f"/api/avatars/{avatar}", headers=admin)
    server.client.delete(f"/api/people/{eve}", headers=admin)
    log = server.client.get("/api/audit", headers=admin).json()["items"]
    assert [(e["actor"], e["act"], e["object"]) for e in reversed(log)] == [
        (eve, "avatar.enroll", avatar), (ada, "avatar.download", avatar), (ada, "avatar.erase", avatar),
        (ada, "person.erase", eve),
    ]  # fmt: skip
    assert "Ada" not in str(log) and "Eve" not in str(log)
