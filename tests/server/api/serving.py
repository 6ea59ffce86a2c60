"""The API without a network, for tests: real parts in a folder, and no process that enrolls."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi.testclient import TestClient

from server.accounts.people import People
from server.accounts.tokens import Claims, Tokens
from server.api.app import create_api
from server.api.service import Service
from server.call.protocol import Role
from server.store.database import Database, sqlite_url
from server.store.files import FileStore
from server.store.queue import JobQueue, MadeAvatar
from tests.server.store.rows import add_person

KEYS: dict[str, Role] = {"host-key": "host", "person-key": "person", "viewer-key": "viewer"}
SETUP = "setup-key-of-the-test"
PASSWORD = "a long password"
PHOTO = b"a photo that only a runner looks into"


@dataclass
class Api:
    """A client of the API, and what is behind it."""

    client: TestClient
    service: Service
    folder: Path
    erased: list[str] = field(default_factory=list)

    def person(self, role: str = "guest", **values: Any) -> tuple[str, dict[str, str]]:
        """Somebody new: the id, and headers of a sign-in."""
        login = None if role == "guest" else secrets.token_hex(8)
        found = add_person(self.service.database, role, **{"login": login, **values})
        return found, bearer(self.service.tokens.make(Claims(found, role, 0)))

    def enroll(self, headers: dict[str, str], photo: bytes = PHOTO, **data: Any) -> httpx.Response:
        """Ask for an avatar."""
        values = {"name": "Ada", "subject": "Ada Lovelace", "agreed": "true"} | data
        own = {"Idempotency-Key": values.pop("key")} if "key" in values else {}
        files = {"photos": ("me.jpg", photo, "image/jpeg")}
        return self.client.post("/api/avatars", headers=headers | own, files=files, data=values)

    def improve(self, headers: dict[str, str], avatar: str, clip: bytes = b"", photo: bytes = b"", **data: Any) -> httpx.Response:
        """Ask for a better one."""
        values = {"subject": "Ada Lovelace", "agreed": "true"} | data
        own = {"Idempotency-Key": values.pop("key")} if "key" in values else {}
        sent = {"clip": ("me.webm", clip, "video/webm"), "photos": ("me.jpg", photo, "image/jpeg")}
        files = {name: file for name, file in sent.items() if file[1]}
        return self.client.post(f"/api/avatars/{avatar}/better", headers=headers | own, files=files, data=values)

    def made(self, headers: dict[str, str], **data: Any) -> dict[str, Any]:
        """An avatar that is ready."""
        found: dict[str, Any] = self.enroll(headers, **data).json()
        job = self.service.queue.take("w")
        assert job is not None and job.id == found["job"]
        files = MadeAvatar(f"avatars/{job.id}.avatar", f"avatars/{job.id}.png", job.quality, [])
        self.service.files.write(files.file, b"the avatar")
        self.service.files.write(files.preview, b"the preview")
        assert self.service.queue.keep(job.id, "w", files, last=True) == []
        return found


@contextmanager
def api(folder: Path, better: str = "offer") -> Iterator[Api]:
    """The API over a state folder. better: see `Service`."""
    database, tokens, erased = Database(sqlite_url(folder)), Tokens("s" * 64), []
    service = Service(
        database, FileStore(str(folder / "files")), JobQueue(database), People(database, tokens), tokens, KEYS.get, erased.append,
        SETUP, better=better,
    )  # fmt: skip
    yield Api(TestClient(create_api(service), raise_server_exceptions=False), service, folder, erased)
    database.close()


def bearer(token: str) -> dict[str, str]:
    """Headers that show a credential."""
    return {"authorization": f"Bearer {token}"}


def is_problem(reply: httpx.Response, status: int) -> bool:
    """Whether it is an error of RFC 9457 with one sentence."""
    body = reply.json()
    assert reply.status_code == body["status"] == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json" and set(body) == {"type", "title", "status", "detail"}
    assert body["detail"] and "\n" not in body["detail"] and len(body["detail"]) < 400
    assert status not in (429, 503) or int(reply.headers["retry-after"]) > 0
    return True
