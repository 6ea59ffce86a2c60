"""The database: SQLite in the state folder by default, PostgreSQL by URL; brought up to date when it is opened."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from models.errors import StorageError

log = logging.getLogger(__name__)

BUSY = 5.0
"""Seconds to wait for another writer of an SQLite file."""
MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """Sessions of one database. Safe to use from several threads; a session from one."""

    def __init__(self, url: str) -> None:
        """url: as SQLAlchemy takes it. Creates and migrates what is needed. Raises `StorageError`."""
        try:
            self._engine = _engine(url)
            _migrate(self._engine)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError):
            raise StorageError(
                "a database URL such as sqlite:////path/visavis.db or postgresql+psycopg://host/name was expected, "
                "another one came; change --database"
            ) from None
        except (SQLAlchemyError, CommandError, OSError) as error:
            raise StorageError(
                f"the database cannot be opened or brought up to date ({type(error).__name__}); "
                "look at --database, its disk and its server"
            ) from error
        self._sessions = sessionmaker(self._engine, expire_on_commit=False)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction: kept when the block ends well, undone otherwise."""
        with self._sessions.begin() as session:
            yield session

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def sqlite_url(folder: Path) -> str:
    """Of the database that a server keeps when none is named."""
    return f"sqlite:///{folder / 'visavis.db'}"


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(parsed, connect_args={"timeout": BUSY})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    if engine.url.get_backend_name() == "sqlite" and engine.url.database:
        Path(engine.url.database).chmod(0o600)
