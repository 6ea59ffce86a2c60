"""People's own avatars on their way from the store into a room: who may take which, and the files of those."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from sqlalchemy import or_, select

from models.errors import VisavisError
from server.call.avatars import MOST, CatalogEntry
from server.store.database import Database
from server.store.files import FileStore
from server.store.tables import StoredAvatar

KEPT = 64
"""Files that are kept in memory, those used last."""
PEOPLE = 1024
"""People whose avatars are remembered, those seen last."""


class StoredAvatars:
    """`prepare` somebody, then ask. Lives on the event loop; the database and the files are read in threads."""

    def __init__(self, database: Database, files: FileStore) -> None:
        self._database, self._files = database, files
        self._entries: OrderedDict[str, CatalogEntry] = OrderedDict()  # by name of the file
        self._visible: OrderedDict[str, dict[str, str]] = OrderedDict()  # person -> avatar -> name of the file

    async def prepare(self, person: str) -> None:
        """Read what a person may take now: the own avatars, and those shared with everybody."""
        found = await asyncio.to_thread(self._read, person)
        for entry in found.values():
            if entry is not None:
                self._entries[entry[0]] = entry[1]
                self._entries.move_to_end(entry[0])
        self._visible[person] = {avatar: entry[0] for avatar, entry in found.items() if entry is not None}
        self._visible.move_to_end(person)
        while len(self._entries) > KEPT:
            self._entries.popitem(last=False)
        while len(self._visible) > PEOPLE:
            self._visible.popitem(last=False)

    def of(self, person: str) -> list[CatalogEntry]:
        """The avatars that a prepared person may take."""
        names = self._visible.get(person, {}).values()
        return [self._entries[name] for name in names if name in self._entries]

    def get(self, avatar: str) -> CatalogEntry | None:
        """An avatar that somebody here may take."""
        return next((entry for entry in self._entries.values() if entry.id == avatar), None)

    def forget(self, avatar: str) -> None:
        """The avatar was erased."""
        for visible in self._visible.values():
            name = visible.pop(avatar, None)
            if name is not None:
                self._entries.pop(name, None)

    def _read(self, person: str) -> dict[str, tuple[str, CatalogEntry] | None]:
        with self._database.reading() as session:
            mine = or_(StoredAvatar.owner_id == person, StoredAvatar.shared)
            rows = session.scalars(
                select(StoredAvatar).where(mine, StoredAvatar.file != "").order_by(StoredAvatar.created).limit(MOST)
            )
            found = [(row.id, row.name, row.file, row.preview) for row in rows]
        return {avatar: self._entry(avatar, name, file, preview) for avatar, name, file, preview in found}

    def _entry(self, avatar: str, name: str, file: str, preview: str) -> tuple[str, CatalogEntry] | None:
        kept = self._entries.get(file)
        if kept is not None and kept.name == name:
            return file, kept
        try:
            return file, CatalogEntry(avatar, name, self._files.read(file), self._files.read(preview) if preview else b"")
        except VisavisError:  # erased meanwhile, or a store that cannot be read now
            return None
