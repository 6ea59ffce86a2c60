"""People's own avatars on their way from the store into a room: who may take which, and the files of those."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from sqlalchemy import ColumnElement, or_, select

from models.errors import VisavisError
from server.call.avatars import MOST, CatalogEntry
from server.store.database import Database
from server.store.files import FileStore
from server.store.tables import StoredAvatar

KEPT = 64
"""Avatars that are kept in memory, those used last."""
PEOPLE = 1024
"""People whose avatars are remembered, those seen last."""


class StoredAvatars:
    """`prepare` somebody, then ask. Lives on the event loop; the database and the files are read in threads."""

    def __init__(self, database: Database, files: FileStore) -> None:
        self._database, self._files = database, files
        self._entries: OrderedDict[str, CatalogEntry] = OrderedDict()  # by avatar, as it was when it was last read
        self._visible: OrderedDict[str, list[str]] = OrderedDict()  # person -> avatars

    async def prepare(self, person: str) -> None:
        """Read what a person may take now: the own avatars, and those shared with everybody."""
        mine = or_(StoredAvatar.owner_id == person, StoredAvatar.shared)
        self._visible[person] = self._keep(await asyncio.to_thread(self._read, mine))
        self._visible.move_to_end(person)
        while len(self._visible) > PEOPLE:
            self._visible.popitem(last=False)

    async def refresh(self, avatars: set[str]) -> None:
        """Read these avatars again, which may have become better. Raises `VisavisError`, `SQLAlchemyError` while that is not
        possible."""
        self._keep(await asyncio.to_thread(self._read, StoredAvatar.id.in_(avatars)))

    def of(self, person: str) -> list[CatalogEntry]:
        """The avatars that a prepared person may take."""
        return [self._entries[avatar] for avatar in self._visible.get(person, []) if avatar in self._entries]

    def get(self, avatar: str) -> CatalogEntry | None:
        """An avatar that somebody here may take."""
        return self._entries.get(avatar)

    def forget(self, avatar: str) -> None:
        """The avatar was erased."""
        self._entries.pop(avatar, None)
        for visible in self._visible.values():
            if avatar in visible:
                visible.remove(avatar)

    def _keep(self, found: list[CatalogEntry]) -> list[str]:
        for entry in found:
            self._entries[entry.id] = entry
            self._entries.move_to_end(entry.id)
        while len(self._entries) > KEPT:
            self._entries.popitem(last=False)
        return [entry.id for entry in found]

    def _read(self, which: ColumnElement[bool]) -> list[CatalogEntry]:
        with self._database.reading() as session:
            rows = session.scalars(
                select(StoredAvatar).where(which, StoredAvatar.file != "").order_by(StoredAvatar.created).limit(MOST)
            )
            found = [(row.id, row.name, row.file, row.preview) for row in rows]
        entries = (self._entry(*row) for row in found)
        return [entry for entry in entries if entry is not None]

    def _entry(self, avatar: str, name: str, file: str, preview: str) -> CatalogEntry | None:
        kept = self._entries.get(avatar)
        if kept is not None and (kept.name, kept.version) == (name, file):
            return kept
        try:
            return CatalogEntry(avatar, name, self._files.read(file), self._files.read(preview) if preview else b"", file)
        except VisavisError:  # erased or made better meanwhile, or a store that cannot be read now
            return kept
