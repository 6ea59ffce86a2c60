"""A server's rooms with the secrets in their links, kept in its database, so that links that were given away go on working after
a restart; and the room tokens whose holders were removed."""

from __future__ import annotations

import json
import os
import re
import stat
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select, update

from server.accounts.tokens import LEEWAY
from server.call.rules import RoomKeys
from server.store.database import Database
from server.store.tables import Person, RevokedToken, StoredRoom, new_id

MAX_FILE = 256 * 1024
"""Bytes of a file of earlier versions; a room takes less than 300."""
_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True)
class KeptRoom:
    """A room. owner: id of the account that made it, empty for the first room and those made by a host's link. created: seconds
    since 1970."""

    keys: RoomKeys
    id: str = field(default_factory=new_id)
    name: str = ""
    owner: str = ""
    created: float = field(default_factory=time.time)


class RoomStore:
    """The rooms of the server on a port. Blocks; safe to use from several threads."""

    def __init__(self, database: Database | None = None, port: int = 0) -> None:
        """Without a database, or on port 0, which changes with each start, nothing is kept."""
        self._database, self._port = database if port else None, port

    def load(self, folder: Path, *, renew: bool = False) -> tuple[tuple[KeptRoom, ...], str]:
        """The rooms, the one made first in front, and a sentence for the operator, which may be empty. There is always one: a new
        one, or those of a file that earlier versions kept in `folder`. renew: one with new links instead of those that are there.
        Of servers that start at once, all get the same."""
        if self._database is None:
            return (KeptRoom(RoomKeys.new()),), ""
        note, path = "", folder / f"rooms-{self._port}.json"
        with self._database.session() as session:
            self._database.alone(session)
            session.execute(delete(RevokedToken).where(RevokedToken.until + LEEWAY < time.time()))
            if renew:
                session.execute(delete(StoredRoom).where(StoredRoom.port == self._port))
            rows = session.scalars(select(StoredRoom).where(StoredRoom.port == self._port)).all()
            rooms = sorted((_kept(row) for row in rows), key=lambda room: (room.created, room.id))
            if not rooms:
                found, note = ([], "") if renew else _of_file(path)
                now = time.time()
                rooms = [KeptRoom(keys, created=now + i / 1000) for i, keys in enumerate(found or [RoomKeys.new()])]
                session.add_all(self._row(room) for room in rooms)
        with suppress(OSError):
            path.unlink()  # its secrets are in the database
        return tuple(rooms), note

    def rooms(self) -> tuple[KeptRoom, ...] | None:
        """The rooms that are kept now, whoever has changed them; `None` where nothing is kept. Raises `SQLAlchemyError`."""
        if self._database is None:
            return None
        with self._database.reading() as session:
            return tuple(map(_kept, session.scalars(select(StoredRoom).where(StoredRoom.port == self._port))))

    def renew(self, room: KeptRoom) -> None:
        """Keep other keys of a room, those that it has now. Raises `SQLAlchemyError`."""
        if self._database is not None:
            with self._database.session() as session:
                session.execute(update(StoredRoom).where(StoredRoom.id == room.id).values(**asdict(room.keys)))

    def add(self, room: KeptRoom) -> None:
        """Keep another room. Raises `SQLAlchemyError`."""
        if self._database is not None:
            with self._database.session() as session:
                session.add(self._row(room))

    def remove(self, room: str) -> None:
        """Forget a room (its id). Raises `SQLAlchemyError`."""
        if self._database is not None:
            with self._database.session() as session:
                session.execute(delete(StoredRoom).where(StoredRoom.id == room))

    def revoke(self, token: str, until: float) -> None:
        """Whoever shows this room token (its id) was removed. until: when it ends, seconds since 1970."""
        if self._database is not None:
            with self._database.session() as session:
                session.merge(RevokedToken(id=token, until=until))

    def _row(self, room: KeptRoom) -> StoredRoom:
        keys = room.keys
        return StoredRoom(
            id=room.id, port=self._port, name=room.name, owner_id=room.owner or None, host=keys.host, person=keys.person,
            viewer=keys.viewer, created=room.created,
        )  # fmt: skip


def _kept(row: StoredRoom) -> KeptRoom:
    return KeptRoom(RoomKeys(row.host, row.person, row.viewer), row.id, row.name, row.owner_id or "", row.created)


def _of_file(path: Path) -> tuple[list[RoomKeys], str]:
    """The links that an earlier version kept in a file, and a sentence where they cannot be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError("no file")
        with open(path, "rb") as stream:
            data = json.loads(stream.read(MAX_FILE))
        rooms = [_keys(entry) for entry in data["rooms"]]
        if len({key for room in rooms for key in vars(room).values()}) != 3 * len(rooms):
            raise ValueError("keys that are there twice")
        return rooms, ""
    except FileNotFoundError:
        return [], ""
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        aside = path.with_suffix(".damaged")
        with suppress(OSError):
            os.replace(path, aside)
        return [], f"The kept links cannot be read: new ones were made, and the old file is now {aside}."


def _keys(entry: Any) -> RoomKeys:
    found = [entry.get(name) for name in ("host", "person", "viewer")] if isinstance(entry, dict) else []
    good = [key for key in found if isinstance(key, str) and _KEY.fullmatch(key)]
    if len(good) != 3:
        raise ValueError("no three keys of a room")
    return RoomKeys(*good)


def standing(database: Database, people: set[str], token: str) -> tuple[dict[str, int], bool]:
    """The generation of those accounts that exist and are not disabled, by id; and whether the room token (its id) is revoked."""
    with database.reading() as session:
        columns = select(Person.id, Person.generation).where(Person.id.in_(people), Person.disabled.is_(False))
        found = {row.id: row.generation for row in session.execute(columns)}
        return found, session.get(RevokedToken, token) is not None
