"""The database: SQLite in the state folder by default, PostgreSQL by URL; brought up to date when it is opened."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from models.errors import StorageError

log = logging.getLogger(__name__)

BUSY = 5.0
"""Seconds to wait for another writer of an SQLite file."""
MIGRATIONS = Path(__file__).parent / "migrations"
CONNECTIONS = 48
"""At the most; a server answers 40 requests at a time."""
LOCK = 0x5669736176
"""Of PostgreSQL's advisory locks, the one that makes migrations and `Database.alone` wait for each other."""


class Database:
    """Sessions of one database. Safe to use from several threads and processes; a session from one thread."""

    def __init__(self, url: str) -> None:
        """url: as SQLAlchemy takes it. Creates and migrates what is needed. Raises `StorageError`."""
        try:
            self._engine = _engine(url)
            _migrate(self._engine)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError):
            raise StorageError(
                "a database URL such as sqlite:////path/visavis.db or postgresql+psycopg://host/name was expected, "
                "another one came, or its driver is not installed; change --database"
            ) from None
        except (SQLAlchemyError, CommandError, OSError) as error:
            raise StorageError(
                f"the database cannot be opened or brought up to date ({type(error).__name__}); "
                "look at --database, its disk and its server"
            ) from error
        self.kind = self._engine.dialect.name
        """Such as sqlite or postgresql."""
        self.is_sqlite = self.kind == "sqlite"
        self._writing = sessionmaker(self._engine.execution_options(visavis_writes=True), expire_on_commit=False)
        self._reading = sessionmaker(self._engine, expire_on_commit=False)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction that writes: kept when the block ends well, undone otherwise. Of SQLite's there is one at a time."""
        with self._writing.begin() as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that only reads; on SQLite it waits for nobody."""
        with self._reading() as session:
            yield session

    def alone(self, session: Session) -> None:
        """Until its end, no other transaction that calls this runs; for a rule over several rows, such as "there is an admin"."""
        if self._engine.dialect.name == "postgresql":
            session.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))

    def scrub(self) -> None:
        """Overwrite what was erased in SQLite's own log, which holds older versions of the pages. Gives up when others read."""
        if self.is_sqlite:
            with suppress(OperationalError), self._engine.connect() as connection:
                connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def sqlite_url(folder: Path) -> str:
    """Of the database that a server keeps when none is named."""
    return f"sqlite:///{folder / 'visavis.db'}"


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    options = {"pool_size": 8, "max_overflow": CONNECTIONS - 8, "hide_parameters": True}  # names are no part of an error
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True, **options)
    if not parsed.database or parsed.database == ":memory:":
        raise ArgumentError("a file")
    _make_file(Path(parsed.database))
    # The driver leaves transactions to us: it would begin them late, and commit before it changes a table.
    engine = create_engine(parsed, connect_args={"timeout": BUSY, "isolation_level": None}, **options)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        # erased rows are overwritten; a transaction that was kept outlives a power cut
        for pragma in ("foreign_keys=ON", "secure_delete=ON", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("visavis_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    _use_wal(engine)
    return engine


def _make_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _use_wal(engine: Engine) -> None:
    """Write-ahead logging, which the file remembers: readers then wait for nobody. SQLite does not wait for that lock itself."""
    until = time.monotonic() + BUSY
    while True:
        try:
            with engine.connect() as connection:
                connection.connection.cursor().execute("PRAGMA journal_mode=WAL")
            return
        except OperationalError:
            if time.monotonic() > until:
                raise
        except Exception as error:  # the driver's own, as the cursor is the driver's
            if "locked" not in str(error) or time.monotonic() > until:
                raise StorageError(
                    f"an SQLite database that can be used was expected ({error}); look at --database and its disk"
                ) from error
        time.sleep(0.05)


def _migrate(engine: Engine) -> None:
    """All steps in one transaction, so that one that was interrupted leaves nothing, and a second server waits for the first."""
    known, newest = _revisions()
    with engine.execution_options(visavis_writes=True).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        heads = set(MigrationContext.configure(connection).get_current_heads())
        if not heads <= known:
            raise StorageError(
                "a database of this version of Visavis or an older one was expected, a newer version has used it; "
                "start that version, or restore a backup"
            )
        if heads != newest:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


@cache
def _revisions() -> tuple[frozenset[str], frozenset[str]]:
    """All that this version of Visavis knows, and the newest, which nothing leads on from."""
    scripts = ScriptDirectory.from_config(_config())
    return frozenset(script.revision for script in scripts.walk_revisions()), frozenset(scripts.get_heads())
