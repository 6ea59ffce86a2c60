"""Rows for tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from server.store.database import Database, sqlite_url
from server.store.tables import Consent, Job, Person, StoredAvatar


@cache
def _empty() -> bytes:
    """A new database's file: made once, as all its migrations take longer than most tests (test_database.py)."""
    with TemporaryDirectory() as folder:
        Database(sqlite_url(Path(folder))).close()
        return (Path(folder) / "visavis.db").read_bytes()


def make_database(folder: Path) -> str:
    """A state folder's own database, empty where there is none; returns its URL."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (file := folder / "visavis.db").exists():
        file.touch(mode=0o600)
        file.write_bytes(_empty())
    return sqlite_url(folder)


def add_person(database: Database, role: str = "guest", **values: Any) -> str:
    """Somebody; returns the id."""
    with database.session() as session:
        person = Person(**{"name": "Ada", "role": role, **values})
        session.add(person)
        session.flush()
        return person.id


def add_job(database: Database, owner: str = "", *, keep_photo: bool = False, **values: Any) -> Job:
    """A job with its avatar and consent, of a new person without an owner."""
    owner = owner or add_person(database)
    with database.session() as session:
        avatar = StoredAvatar(owner_id=owner, name="Ada", quality=values.get("quality", "instant"))
        session.add(avatar)
        session.flush()
        consent = Consent(
            avatar_id=avatar.id, subject="Ada", recorded_by=owner, text="I agree.", keep_photo=keep_photo, photo_sha256=["0" * 64]
        )
        job = Job(**{"owner_id": owner, "avatar_id": avatar.id, "quality": "instant", **values})
        session.add_all([consent, job])
    return job


def read_job(database: Database, job: str) -> Job:
    """As it is now."""
    with database.reading() as session:
        return session.get_one(Job, job)


def read_avatar(database: Database, avatar: str) -> StoredAvatar:
    """As it is now."""
    with database.reading() as session:
        return session.get_one(StoredAvatar, avatar)
