"""Everything a server remembers in one .tar file, and back: the rows of the database, people's files, sign-ins and links.

The rows are JSON, so that SQLite can be restored into PostgreSQL. Files are as they lie in the store, so encrypted ones
stay encrypted and need their key.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

from sqlalchemy import Table, func, insert, select
from sqlalchemy.orm import Session

from models.atomic import atomic_write
from models.errors import StorageError, VisavisError
from server.store.database import Database
from server.store.files import FileStore
from server.store.tables import Base, Person

FORMAT = 1
ROWS, FILES, STATE = "rows.json", "files/", "state/"
KEPT = re.compile(r"token-secret|rooms-\d{1,5}\.json")
"""Files of the state folder: without the first, guests could not come back to their avatars; the second are the rooms' links."""
MAX_MEMBER = 1 << 30
WRONG = "a backup that `visavis admin backup` has made was expected, another file came, or it is damaged; choose another one"


def backup(database: Database, files: FileStore, state: Path, out: Path) -> tuple[int, int]:
    """Write a backup; returns how many people and files are in it. May run beside a server. Raises `StorageError`."""
    with database.reading() as session:
        rows = {
            table.name: [dict(row) for row in session.execute(select(table)).mappings()] for table in Base.metadata.sorted_tables
        }
    names = [row[column] for row in rows["avatars"] for column in ("file", "preview", "turntable") if row[column]]
    names += [name for row in rows["jobs"] if row["folder"] for name in files.names(row["folder"])]
    count = 0
    with atomic_write(out) as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        _add(archive, ROWS, json.dumps({"format": FORMAT, "rows": rows}).encode())
        for path in sorted(state.iterdir()) if state.is_dir() else []:
            if KEPT.fullmatch(path.name):
                _add(archive, STATE + path.name, path.read_bytes())
        for name in names:
            try:
                data = files.stored(name)
            except StorageError:
                if name in files.names(name.partition("/")[0]):
                    raise
                continue  # erased meanwhile
            _add(archive, FILES + name, data)
            count += 1
    return len(rows["people"]), count


def restore(database: Database, files: FileStore, state: Path, source: Path) -> tuple[int, int]:
    """Bring a backup back into an empty database, file store and state folder; returns how many people and files. Raises
    `StorageError`; then nothing was brought back."""
    with database.reading() as session:
        people = session.scalar(select(func.count()).select_from(Person))
    if people or files.names() or (state.is_dir() and any(KEPT.fullmatch(path.name) for path in state.iterdir())):
        raise StorageError("an empty state folder, database and file store were expected, these are not; choose another --state")
    written: list[str] = []
    kept: list[Path] = []
    try:
        with tarfile.open(source, "r:") as archive:
            rows = _rows(archive)
            for member in archive:
                if member.name.startswith(FILES):
                    written.append(member.name.removeprefix(FILES))
                    files.write_stored(written[-1], _read(archive, member))
                elif member.name.startswith(STATE) and KEPT.fullmatch(member.name.removeprefix(STATE)):
                    state.mkdir(parents=True, exist_ok=True, mode=0o700)
                    kept.append(state / member.name.removeprefix(STATE))
                    with atomic_write(kept[-1]) as stream:
                        stream.write(_read(archive, member))
                    kept[-1].chmod(0o600)
        with database.session() as session:
            for table in Base.metadata.sorted_tables:
                if rows.get(table.name):
                    session.execute(insert(table), rows[table.name])
                    _count_on(session, table)
    except BaseException as error:
        for name in written:
            files.delete(name)
        for path in kept:
            path.unlink(missing_ok=True)
        if isinstance(error, VisavisError) or not isinstance(error, Exception):
            raise
        raise StorageError(WRONG) from error
    return len(rows["people"]), len(written)


def _count_on(session: Session, table: Table) -> None:
    """The rows came with their numbers; those that PostgreSQL gives out go on after them, as SQLite's do by themselves."""
    column = table.autoincrement_column
    if column is not None and session.get_bind().dialect.name == "postgresql":
        last = session.scalar(select(func.max(column)))
        session.execute(select(func.setval(func.pg_get_serial_sequence(table.name, column.name), last)))


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o600
    archive.addfile(member, io.BytesIO(data))


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member) if member.isreg() and member.size <= MAX_MEMBER else None
    if stream is None:
        raise StorageError(WRONG)
    return stream.read()


def _rows(archive: tarfile.TarFile) -> dict[str, list[dict[str, Any]]]:
    member = archive.next()
    if member is None or member.name != ROWS:
        raise StorageError(WRONG)
    found = json.loads(_read(archive, member))
    if not isinstance(found, dict) or found.get("format") != FORMAT or not isinstance(found.get("rows"), dict):
        raise StorageError(WRONG)
    known = {table.name: set(table.columns.keys()) for table in Base.metadata.sorted_tables}
    rows: dict[str, list[dict[str, Any]]] = found["rows"]
    if not set(rows) <= set(known) or any(set(row) - known[name] for name, table in rows.items() for row in table):
        raise StorageError("a backup of this version of Visavis or an older one was expected, a newer one came; use that version")
    return rows
