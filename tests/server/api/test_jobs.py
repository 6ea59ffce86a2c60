from __future__ import annotations

import json
import threading

import pytest

from server.accounts.people import Identity
from server.api import jobs
from server.api.service import Service
from server.store.cleaning import erase_photos
from server.store.tables import AuditEntry, Job
from tests.server.api.serving import Api, every, is_problem
from tests.server.store.rows import add_job


def events(text: str) -> list[dict]:
    assert all(line.startswith("data: ") for line in text.split("\n\n") if line)
    return [json.loads(line.removeprefix("data: ")) for line in text.split("\n\n") if line]


def test_jobs_are_seen_by_their_owner_and_admins(server: Api) -> None:
    (_, ada), (_, eve), (_, admin) = server.person(), server.person("member"), server.person("admin")
    job = server.enroll(ada).json()["job"]
    for headers, status in ((ada, 200), (admin, 200), (eve, 404), ({}, 401)):
        for method, path in (("GET", ""), ("POST", "/cancel"), ("GET", "/events")):
            if method == "GET" and path == "/events" and status == 200:
                continue
            reply = server.client.request(
                method, f"/api/jobs/{job if status != 200 or not path else 'none'}{path}", headers=headers
            )
            assert reply.status_code == (404 if path and status == 200 else status)
            assert reply.status_code == 200 or is_problem(reply, reply.status_code)
        listed = server.client.get("/api/jobs", headers=headers)
        assert status == 401 or [found["id"] for found in listed.json()["items"]] == [job] * (status == 200)
    assert server.client.get(f"/api/jobs/{job}", headers=ada).json()["state"] == "waiting"


def test_the_list_comes_in_pages_the_newest_first(server: Api) -> None:
    person, headers = server.person()
    made = [add_job(server.service.database, person, created=float(at)).id for at in (1, 2, 2, 3)]
    seen = [job["id"] for job in every(server, "/api/jobs", headers)]
    assert seen == [made[3], *sorted(made[1:3], reverse=True), made[0]]
    foreign = add_job(server.service.database).id
    assert is_problem(server.client.get("/api/jobs", headers=headers, params={"after": foreign}), 404)
    assert [job["ahead"] for job in server.client.get("/api/jobs", headers=headers).json()["items"]][-1] == 0


def test_cancelling_a_job_erases_its_photo(server: Api) -> None:
    _, headers = server.person()
    made = server.enroll(headers).json()
    assert server.service.files.names()
    for _ in range(2):
        assert server.client.post(f"/api/jobs/{made['job']}/cancel", headers=headers).json()["state"] == "cancelled"
    assert server.service.files.names() == []
    assert server.client.get(f"/api/avatars/{made['id']}", headers=headers).json()["state"] == "failed"
    assert server.enroll(headers).status_code == 202


def test_a_failed_job_is_tried_again_with_photos_that_were_kept(server: Api) -> None:
    (person, headers), (_, other) = server.person(), server.person()
    kept, gone = (server.enroll(headers, keep_photo=keep).json()["job"] for keep in ("true", "false"))
    place = f"/api/jobs/{kept}/retry"
    assert is_problem(server.client.post(place, headers=headers), 409), "it waits"
    for _ in range(2):
        taken = server.service.queue.take("w")
        assert taken is not None and server.service.queue.fail(taken.id, "w", "the disk was full")
    erase_photos(server.service.database, server.service.files)
    seen = {job["id"]: job["may_retry"] for job in server.client.get("/api/jobs", headers=headers).json()["items"]}
    assert seen == {kept: True, gone: False}
    assert is_problem(server.client.post(f"/api/jobs/{gone}/retry", headers=headers), 409)
    assert is_problem(server.client.post(place, headers=other), 404)
    for _ in range(3):
        server.enroll(headers)
    assert is_problem(server.client.post(place, headers=headers), 429), "as many as one person may have"
    with server.service.database.session() as session:
        for job in session.query(Job).where(Job.owner_id == person, Job.state == "waiting"):
            job.state = "cancelled"
    again = server.client.post(place, headers=headers).json()
    assert (again["state"], again["may_retry"], again["error"]) == ("waiting", False, "")
    with server.service.database.reading() as session:
        assert session.query(AuditEntry).where(AuditEntry.act == "job.retry").one().object == kept


def test_events_tell_each_change_until_the_job_is_over(server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LOOK", 0.01)
    _, headers = server.person()
    job = server.enroll(headers).json()["job"]
    queue = server.service.queue
    done = threading.Event()

    def work() -> None:
        for state in ("fitting the head", "building the avatar"):
            assert queue.renew(job, "w", state, 0.5)
            done.wait(0.2)
        assert queue.fail(job, "w", "No face was found; take another photo.")

    assert queue.take("w") is not None
    working = threading.Thread(target=work)
    working.start()
    reply = server.client.get(f"/api/jobs/{job}/events", headers=headers)
    working.join()
    told = events(reply.text)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert [told[-1][name] for name in ("state", "error")] == ["failed", "No face was found; take another photo."]
    assert "building the avatar" in [event["stage"] for event in told] and len(told) <= 4
    assert events(server.client.get(f"/api/jobs/{job}/events", headers=headers).text) == told[-1:]


def test_events_end_when_the_avatar_is_erased_or_after_a_while(server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LOOK", 0.02)
    _, headers = server.person()
    made = server.enroll(headers).json()
    looks, read = [], jobs._read

    def erased_at_the_second_look(service: Service, me: Identity, job_id: str) -> jobs.JobOut:
        looks.append(job_id)
        if len(looks) == 2:
            server.client.delete(f"/api/avatars/{made['id']}", headers=headers)
        return read(service, me, job_id)

    monkeypatch.setattr(jobs, "_read", erased_at_the_second_look)
    assert [event["state"] for event in events(server.client.get(f"/api/jobs/{made['job']}/events", headers=headers).text)] == [
        "waiting"
    ]
    assert len(looks) == 2
    monkeypatch.setattr(jobs, "MAX_LISTENING", 0.1)
    job = server.enroll(headers).json()["job"]
    assert len(events(server.client.get(f"/api/jobs/{job}/events", headers=headers).text)) == 1
