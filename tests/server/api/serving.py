"""The API without a network, for tests: real parts in a folder, and no process that enrolls."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from fastapi.testclient import TestClient

from server.accounts.people import ConflictError, People
from server.accounts.room_tokens import RoomTokens
from server.accounts.tokens import Claims, Tokens
from server.api.app import create_api
from server.api.directory import NoRooms, RoomInfo
from server.api.service import Service
from server.call.protocol import Act, Participant, Role, RoomState
from server.store.database import Database
from server.store.files import FileStore
from server.store.queue import JobQueue, MadeAvatar
from server.store.tables import new_id
from tests.server.store.rows import add_person, make_database

KEYS: dict[str, Role] = {"host-key": "host", "person-key": "person", "viewer-key": "viewer"}
FIRST = "0" * 16
"""Id of the room that is always there."""
SECRET = "s" * 64
SETUP = "setup-key-of-the-test"
PASSWORD = "a long password"
PHOTO = b"a photo that only a runner looks into"


@dataclass
class Api:
    """A client of the API, and what is behind it."""

    client: TestClient
    service: Service
    folder: Path
    rooms: FakeRooms = field(default_factory=lambda: FakeRooms())

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
        while (job := self.service.queue.take("w")) is not None and job.id != found["job"]:
            """Somebody else's, which waits before it."""
        assert job is not None
        files = MadeAvatar(f"avatars/{job.id}.avatar", f"avatars/{job.id}.png", job.quality, [], f"avatars/{job.id}.webp")
        self.service.files.write(files.file, b"the avatar")
        self.service.files.write(files.preview, b"the preview")
        self.service.files.write(files.turntable, b"the turntable")
        assert self.service.queue.keep(job.id, "w", files, last=True) == []
        return found


class FakeRooms(NoRooms):
    """One room with links, and those that are made."""

    def __init__(self) -> None:
        self.erased: list[str] = []
        self.out: list[str] = []
        self.ended: list[str] = []
        self.moderated: list[tuple[str, str, int]] = []
        links = {role: f"https://x/room/{key}" for key, role in KEYS.items()}
        self.rooms = {FIRST: RoomInfo(FIRST, "", "", 1000.0, links, True, True, True, 2, 1, 45.0)}

    def role_of(self, key: str) -> Role | None:
        return KEYS.get(key)

    def room_of(self, key: str) -> tuple[str, Role] | None:
        return (FIRST, KEYS[key]) if key in KEYS else None

    def all(self) -> list[RoomInfo]:
        return sorted(self.rooms.values(), key=lambda room: room.id)

    def create(self, name: str, owner: str, most: int) -> RoomInfo:
        if len(self.rooms) >= most:
            raise ConflictError("at most so many rooms are kept here; use one of those")
        made = RoomInfo(new_id(), name, owner, 2000.0, {"host": "https://x/room/h"})
        self.rooms[made.id] = made
        return made

    def remove(self, room: str) -> None:
        self.rooms.pop(room, None)

    def renew(self, room: str) -> RoomInfo | None:
        found = self.rooms.get(room)
        if found is not None:
            found = self.rooms[room] = replace(found, links={"host": "https://x/room/new"})
        return found

    def end(self, room: str) -> None:
        self.ended.append(room)

    def hosted_by(self, key: str) -> str:
        return FIRST if key == "host-key" else ""

    def state_of(self, room: str) -> RoomState:
        return RoomState([Participant(3, "Bo", seated=True)], 1) if room == FIRST else RoomState()

    def moderate(self, room: str, act: Act, participant: int = -1) -> bool:
        self.moderated.append((room, act, participant))
        return act == "lock" or participant == 3

    def link(self, key: str) -> str:
        return f"https://x/room/{key}"

    def erase_avatar(self, avatar: str) -> None:
        self.erased.append(avatar)

    def put_out(self, person: str) -> None:
        self.out.append(person)


@contextmanager
def api(folder: Path, **parts: Any) -> Iterator[Api]:
    """The API over a state folder. parts: of the `Service`."""
    database, tokens, rooms = Database(make_database(folder)), Tokens(SECRET), FakeRooms()
    files, people = FileStore(str(folder / "files")), People(database, tokens)
    service = Service(database, files, JobQueue(database), people, tokens, RoomTokens(SECRET), SETUP, folder, rooms, **parts)
    yield Api(TestClient(create_api(service), raise_server_exceptions=False), service, folder, rooms)
    database.close()


def bearer(token: str) -> dict[str, str]:
    """Headers that show a credential."""
    return {"authorization": f"Bearer {token}"}


def every(server: Api, place: str, headers: dict[str, str]) -> list[dict[str, Any]]:
    """A whole list, two at a time."""
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = server.client.get(place, headers=headers, params=query).json()
        assert len(page["items"]) <= 2 and (page["next"] is None or len(page["items"]) == 2)
        found += page["items"]
        if page["next"] is None:
            return found
        query["after"] = page["next"]


def is_problem(reply: httpx.Response, status: int) -> bool:
    """Whether it is an error of RFC 9457 with one sentence."""
    body = reply.json()
    assert reply.status_code == body["status"] == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json" and set(body) == {"type", "title", "status", "detail"}
    assert body["detail"] and "\n" not in body["detail"] and len(body["detail"]) < 400
    assert status not in (429, 503) or int(reply.headers["retry-after"]) > 0
    return True
