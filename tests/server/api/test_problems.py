from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, TimeoutError
from sqlalchemy.orm.exc import StaleDataError

from server.store import database
from tests.server.api.serving import Api, bearer, is_problem


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/none", 404), ("GET", "/api/", 404), ("PUT", "/api/me", 405), ("GET", "/api/sessions", 405),
        ("GET", "/api/me/", 404), ("DELETE", "/api/guests", 405), ("PATCH", "/api/jobs/x", 405),
    ],
)  # fmt: skip
def test_what_the_framework_refuses_is_a_problem(server: Api, method: str, path: str, status: int) -> None:
    assert is_problem(server.client.request(method, path), status)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b'"x"',
        b"\xff\xfe",
        b'{"login": "\\ud800", "password": "x"}',
        b'{"login": 7}',
        b"[" * 20_000,
    ],
)
def test_a_body_that_cannot_be_read_is_a_problem(server: Api, body: bytes) -> None:
    for path in ("/api/sessions", "/api/setup", "/api/guests"):
        for kind in ("application/json", "text/plain", "multipart/form-data", "multipart/form-data; boundary=x", ""):
            reply = server.client.post(path, content=body, headers={"content-type": kind})
            assert reply.status_code in (400, 422) and is_problem(reply, reply.status_code)
    for kind in (
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/json",
        "application/x-www-form-urlencoded",
    ):
        reply = server.client.post("/api/avatars", content=body, headers=server.person()[1] | {"content-type": kind})
        assert reply.status_code in (400, 422) and is_problem(reply, reply.status_code)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OperationalError("SECRET", {}, Exception("SECRET")), 503), (TimeoutError("SECRET"), 503),
        (StaleDataError("SECRET"), 409),
        (IntegrityError("SECRET", {}, Exception("SECRET")), 409), (DataError("SECRET", {}, Exception("SECRET")), 422),
        (OSError(28, "SECRET"), 503), (RuntimeError("SECRET"), 500),
    ],
)  # fmt: skip
def test_what_goes_wrong_inside_stays_inside(server: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(server.service.people, "identify_in", broken)
    reply = server.client.get("/api/me", headers=bearer("x"))
    assert is_problem(reply, status) and "SECRET" not in reply.text


def test_a_database_that_stays_locked_is_a_problem_and_reading_goes_on(server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    server.service.database.close()
    monkeypatch.setattr(database, "BUSY", 0.1)
    server.service.database.__init__(str(server.service.database._engine.url))  # type: ignore[misc]
    _, headers = server.person()
    with sqlite3.connect(server.folder / "visavis.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert is_problem(server.client.post("/api/guests", json={"key": "host-key"}), 503)
        assert server.client.get("/api/me", headers=headers).status_code == 200
        other.execute("ROLLBACK")
    assert server.client.post("/api/guests", json={"key": "host-key"}).status_code == 201


def test_the_description_of_the_api_is_there(server: Api) -> None:
    paths = server.client.get("/api/openapi.json").json()["paths"]
    assert {"/api/avatars", "/api/people/{person_id}", "/api/jobs/{job_id}/events"} <= set(paths)
