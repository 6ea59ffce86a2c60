from __future__ import annotations

import hashlib
import threading
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from models.errors import StorageError
from server.accounts.limits import PersonLimits, change_limits
from server.api import enrolling
from server.api.enrolling import CONSENT, CONSENT_TO_KEEP, MAX_PHOTOS
from server.store.tables import Consent, Job
from tests.server.api.serving import PHOTO, Api, is_problem
from tests.server.store.rows import add_job


def consents(server: Api) -> list[Consent]:
    with server.service.database.reading() as session:
        return list(session.scalars(select(Consent).order_by(Consent.at)))


@pytest.mark.parametrize("who", ["other", "guest", "admin", "anonymous"])
@pytest.mark.parametrize("shared", [False, True])
def test_who_may_see_change_and_erase_an_avatar(server: Api, who: str, shared: bool) -> None:
    _, owner = server.person("member")
    avatar = server.made(owner)["id"]
    server.client.patch(f"/api/avatars/{avatar}", headers=owner, json={"shared": shared})
    headers = {} if who == "anonymous" else server.person("member" if who == "other" else who)[1]
    place = f"/api/avatars/{avatar}"
    sees = 401 if who == "anonymous" else 200 if shared or who == "admin" else 404
    changes = 401 if who == "anonymous" else 200 if who == "admin" else 403 if shared else 404

    def ask(method: str, url: str, **options: object) -> httpx.Response:
        reply = server.client.request(method, url, headers=headers, **options)
        if reply.status_code == 404:  # nothing tells whether a foreign id exists
            none = server.client.request(method, url.replace(avatar, "0123456789abcdef"), headers=headers, **options)
            assert (none.status_code, none.content) == (404, reply.content)
        return reply

    assert ask("GET", place).status_code == ask("GET", f"{place}/preview").status_code == sees
    listed = ask("GET", "/api/avatars")
    assert listed.status_code == 401 or [a["id"] for a in listed.json()["items"]] == [avatar] * (sees == 200)
    assert ask("GET", f"{place}/file").status_code == changes
    assert ask("PATCH", place, json={"name": "Mine"}).status_code == changes
    assert ask("DELETE", place).status_code == (204 if changes == 200 else changes)
    left = server.client.get(place, headers=owner)
    assert left.status_code == (404 if who == "admin" else 200)
    assert who == "admin" or left.json()["name"] == "Ada"


def test_an_avatar_is_its_owners_from_the_photo_to_the_file(server: Api) -> None:
    person, headers = server.person()
    waiting = server.enroll(headers, name=" A\u202eda ")
    assert waiting.status_code == 202 and waiting.json()["state"] == "waiting" and waiting.json()["name"] == "Ada"
    place = f"/api/avatars/{waiting.json()['id']}"
    assert is_problem(server.client.get(f"{place}/file", headers=headers), 404)
    (consent,) = consents(server)
    assert (consent.subject, consent.recorded_by, consent.text) == ("Ada Lovelace", person, CONSENT)
    assert consent.photo_sha256 == [hashlib.sha256(PHOTO).hexdigest()] and not consent.keep_photo
    server.client.post(f"/api/jobs/{waiting.json()['job']}/cancel", headers=headers)
    made = server.made(headers, keep_photo="true")
    assert consents(server)[-1].text == CONSENT_TO_KEEP
    assert server.client.get(f"/api/avatars/{made['id']}/file", headers=headers).content == b"the avatar"
    assert server.client.get(f"/api/avatars/{made['id']}/preview", headers=headers).content == b"the preview"


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        ({"agreed": "false"}, 422, "consent"), ({"agreed": ""}, 422, "agreed"), ({"subject": ""}, 422, "subject"),
        ({"subject": " \u200b"}, 422, "name of who"), ({"name": ""}, 422, "name"), ({"name": "x" * 65}, 422, "name"),
        ({"quality": "best"}, 422, "quality"), ({"owner": "somebody"}, 403, "admin"), ({"photo": b""}, 422, "empty file"),
        ({"key": ""}, 422, "idempotency"), ({"key": "k" * 129}, 422, "idempotency"), ({"consent": "x" * 4001}, 422, "consent"),
    ],
)  # fmt: skip
def test_what_is_not_agreed_or_not_a_request_makes_nothing(server: Api, data: dict, status: int, words: str) -> None:
    _, headers = server.person()
    reply = server.enroll(headers, **data)
    assert is_problem(reply, status) and words in reply.json()["detail"]
    assert server.service.files.names() == [] and consents(server) == []


def test_photos_are_one_to_eight(server: Api) -> None:
    _, headers = server.person()
    data = {"name": "Ada", "subject": "Ada", "agreed": "true"}
    assert is_problem(server.client.post("/api/avatars", headers=headers, data=data), 422)
    many = [("photos", ("../../x.jpg", b"photo %d" % i, "text/html")) for i in range(MAX_PHOTOS + 1)]
    assert is_problem(server.client.post("/api/avatars", headers=headers, data=data, files=many), 422)
    assert server.client.post("/api/avatars", headers=headers, data=data, files=many[1:]).status_code == 202
    assert len(server.service.files.names()) == MAX_PHOTOS == len(consents(server)[0].photo_sha256)
    assert not any("x.jpg" in path.name for path in server.folder.rglob("*"))


def test_a_photo_that_is_too_large_is_refused(server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolling, "MAX_PHOTO", 1000)
    assert is_problem(server.enroll(server.person()[1], bytes(1001)), 413)
    assert server.service.files.names() == []


def test_an_idempotency_key_makes_one_avatar(server: Api) -> None:
    (_, ada), (_, eve) = server.person(), server.person()
    first = server.enroll(ada, key="k")
    assert first.json() == server.enroll(ada, key="k").json() and first.status_code == 202
    assert server.enroll(eve, key="k").json()["id"] != first.json()["id"]
    assert is_problem(server.enroll(ada, b"another photo", key="k"), 422)
    assert len(consents(server)) == len(server.service.files.names()) == 2


def test_an_idempotency_key_makes_one_avatar_of_requests_that_come_at_once(server: Api) -> None:
    _, headers = server.person()
    together, replies = threading.Barrier(4), []
    write = server.service.files.write

    def write_together(name: str, data: bytes) -> None:
        write(name, data)
        together.wait(20)

    object.__setattr__(server.service.files, "write", write_together)
    threads = [threading.Thread(target=lambda: replies.append(server.enroll(headers, key="k"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [reply.status_code for reply in replies] == [202] * 4 and len({reply.json()["id"] for reply in replies}) == 1
    assert len(consents(server)) == len(server.service.files.names()) == 1


def test_one_person_has_few_jobs_at_a_time_and_an_admin_gives_others_theirs(server: Api) -> None:
    (_, admin), (ada, headers) = server.person("admin"), server.person("member")
    replies = [server.enroll(headers) for _ in range(PersonLimits().jobs + 1)]
    assert [reply.status_code for reply in replies[:-1]] == [202] * PersonLimits().jobs and is_problem(replies[-1], 429)
    assert is_problem(server.enroll(admin, owner=ada), 429) and is_problem(server.enroll(admin, owner="nobody"), 422)
    for _ in range(PersonLimits().jobs + 1):
        eve, own = server.person("member")
        made = server.enroll(admin, owner=eve).json()
        assert not made["mine"] and server.client.get(f"/api/avatars/{made['id']}", headers=own).json()["mine"]
        assert server.client.get(f"/api/jobs/{made['job']}", headers=own).json()["state"] == "waiting"
    assert len(server.service.files.names()) == 2 * PersonLimits().jobs + 1


def test_one_person_has_so_many_avatars(server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    with server.service.database.session() as session:
        change_limits(session, {"avatars": 1})
    _, headers = server.person()
    server.made(headers)
    assert is_problem(server.enroll(headers), 409)


def test_a_store_that_is_full_makes_nothing_and_says_when_to_come_back(server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StorageError("no room")

    monkeypatch.setattr(server.service.files, "write", full)
    reply = server.enroll(server.person()[1])
    assert is_problem(reply, 503) and consents(server) == [] and server.service.files.names() == []


def test_a_change_of_what_somebody_else_has_changed_is_refused(server: Api) -> None:
    _, headers = server.person()
    place = f"/api/avatars/{server.made(headers)['id']}"
    version = {"If-Match": f'"{server.client.get(place, headers=headers).json()["version"]}"'}
    assert server.client.patch(place, headers=headers | version, json={"name": "First"}).status_code == 200
    assert is_problem(server.client.patch(place, headers=headers | version, json={"name": "Second"}), 412)
    assert server.client.patch(place, headers=headers, json={"name": "\u200b"}).json()["name"] == "First"
    bodies: list[Any] = [{"name": ""}, {"name": 7}, {"shared": "perhaps"}, []]
    for body in bodies:
        assert is_problem(server.client.patch(place, headers=headers, json=body), 422)


def test_the_list_comes_in_pages(server: Api) -> None:
    person, headers = server.person()
    own = sorted(add_job(server.service.database, person).avatar_id for _ in range(5))
    add_job(server.service.database)
    seen, query = [], {"limit": 2}
    while True:
        page = server.client.get("/api/avatars", headers=headers, params=query).json()
        seen += [avatar["id"] for avatar in page["items"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert seen == own
    for params in ({"limit": 0}, {"limit": 201}, {"after": "x" * 65}):
        assert is_problem(server.client.get("/api/avatars", headers=headers, params=params), 422)


@pytest.mark.parametrize("state", ["waits", "runs", "done"])
def test_erasing_takes_everything_that_belongs_to_the_avatar(server: Api, state: str) -> None:
    _, headers = server.person()
    if state == "done":
        avatar = server.made(headers, keep_photo="true", subject="A subject to erase")
        with server.service.database.session() as session:  # photos of two enrollments
            job = session.scalars(select(Job)).one()
            session.add(Job(owner_id=job.owner_id, avatar_id=job.avatar_id, quality="high", folder="jobsother"))
        server.service.files.write("jobsother/photo0", PHOTO)
    else:
        avatar = server.enroll(headers, subject="A subject to erase").json()
        if state == "runs":
            assert server.service.queue.take("w") is not None
    assert len(server.service.files.names()) == (5 if state == "done" else 1)
    assert server.client.delete(f"/api/avatars/{avatar['id']}", headers=headers).status_code == 204
    assert server.service.files.names() == [] and server.rooms.erased == [avatar["id"]] and consents(server) == []
    assert is_problem(server.client.get(f"/api/jobs/{avatar['job']}", headers=headers), 404)
    assert is_problem(server.client.delete(f"/api/avatars/{avatar['id']}", headers=headers), 404)
    assert b"to erase" not in b"".join(path.read_bytes() for path in server.folder.rglob("*") if path.is_file())
    assert server.service.queue.take("other") is None


@pytest.mark.parametrize("name", ["..", "%2e%2e", "..%2f..%2fvisavis.db", "%00", "a" * 3000, "%ff", "'; DROP TABLE avatars; --"])
def test_ids_lead_nowhere_else(server: Api, name: str) -> None:
    _, headers = server.person()
    for place in (f"/api/avatars/{name}", f"/api/avatars/{name}/file", f"/api/jobs/{name}", f"/api/avatars/{name}/preview"):
        for method in ("GET", "DELETE", "PATCH"):
            reply = server.client.request(method, place, headers=headers, json={} if method == "PATCH" else None)
            assert reply.status_code in (404, 405) and is_problem(reply, reply.status_code)
