from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic import op
from sqlalchemy import inspect, select
from sqlalchemy.exc import OperationalError

from models.errors import StorageError
from server.store import database
from server.store.database import Database, sqlite_url
from server.store.tables import Base, Person

TABLES = set(Base.metadata.tables)


def tables(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in found} - {"alembic_version", "sqlite_sequence"}


def test_the_migrations_make_the_tables_of_the_models(tmp_path: Path) -> None:
    opened = Database(sqlite_url(tmp_path / "state"))
    found = inspect(opened._engine)
    for table in Base.metadata.sorted_tables:
        columns = {c["name"]: c["nullable"] for c in found.get_columns(table.name)}
        assert columns == {c.name: bool(c.nullable) for c in table.columns}, table.name
        assert {i["name"] for i in found.get_indexes(table.name)} == {i.name for i in table.indexes}
    path = tmp_path / "state" / "visavis.db"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    opened.close()


def test_a_session_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    opened = Database(sqlite_url(tmp_path))
    with pytest.raises(ZeroDivisionError), opened.session() as session:  # noqa: PT012
        session.add(Person(name="Ada", role="guest"))
        session.flush()
        raise ZeroDivisionError
    with opened.reading() as session:  # what reads does not write
        session.add(Person(name="Ada", role="guest"))
        session.flush()
    opened.close()
    opened = Database(sqlite_url(tmp_path))
    with opened.reading() as session:
        assert session.scalars(select(Person)).all() == []
    opened.close()


def test_a_migration_that_was_interrupted_leaves_nothing_and_runs_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create, made = op.create_table, []

    def interrupted(name: str, *columns, **kw):  # type: ignore[no-untyped-def]
        if len(made) == 3:
            raise OSError("the disk is full")
        made.append(name)
        return create(name, *columns, **kw)

    monkeypatch.setattr(op, "create_table", interrupted)
    with pytest.raises(StorageError, match="cannot be opened or brought up to date"):
        Database(sqlite_url(tmp_path))
    assert len(made) == 3 and tables(tmp_path / "visavis.db") == set()
    monkeypatch.undo()
    Database(sqlite_url(tmp_path)).close()
    assert tables(tmp_path / "visavis.db") == TABLES


def test_a_process_killed_in_a_migration_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import os, sys; from alembic import op; from server.store.database import Database; create = op.create_table\n"
        "op.create_table = lambda name, *a, **k: os._exit(9) if name == 'jobs' else create(name, *a, **k)\nDatabase(sys.argv[1])"
    )
    ended = subprocess.run([sys.executable, "-c", code, sqlite_url(tmp_path)], timeout=60)
    assert ended.returncode == 9
    Database(sqlite_url(tmp_path)).close()
    assert tables(tmp_path / "visavis.db") == TABLES


def test_two_servers_that_open_one_new_database_at_once(tmp_path: Path) -> None:
    code = "import sys; from server.store.database import Database; sys.stdin.read(1); Database(sys.argv[1])"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, sqlite_url(tmp_path)], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b".")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    assert tables(tmp_path / "visavis.db") == TABLES


def test_a_database_of_a_newer_version_is_a_sentence_and_stays(tmp_path: Path) -> None:
    Database(sqlite_url(tmp_path)).close()
    with sqlite3.connect(tmp_path / "visavis.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageError, match="a newer version has used it"):
        Database(sqlite_url(tmp_path))
    with sqlite3.connect(tmp_path / "visavis.db") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)


@pytest.mark.parametrize(
    "url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "oracle+none://host/name", "sqlite:////proc/x/y"]
)
def test_what_is_no_database_is_a_sentence(url: str) -> None:
    with pytest.raises(StorageError, match="--database"):
        Database(url)


def test_a_file_that_is_no_database_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "visavis.db"
    path.write_bytes(b"a letter, not a database" * 100)
    with pytest.raises(StorageError, match="--database"):
        Database(sqlite_url(tmp_path))
    assert path.read_bytes() == b"a letter, not a database" * 100


def test_who_writes_waits_for_a_lock_and_who_reads_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY", 10.0)
    opened = Database(sqlite_url(tmp_path))
    other = sqlite3.connect(tmp_path / "visavis.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.5, lambda: other.execute("COMMIT"))
    with opened.reading() as session:
        assert session.scalars(select(Person)).all() == []
        assert other.in_transaction
    timer.start()
    with opened.session() as session:
        session.add(Person(name="Ada", role="guest"))
    assert not other.in_transaction
    timer.join()
    other.close()
    opened.close()


def test_a_lock_that_stays_is_an_error_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY", 0.1)
    opened = Database(sqlite_url(tmp_path))
    with sqlite3.connect(tmp_path / "visavis.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="locked"), opened.session() as session:
            session.add(Person(name="Ada", role="guest"))
        other.execute("ROLLBACK")
    with opened.session() as session:
        session.add(Person(name="Ada", role="guest"))
    opened.close()


def test_what_reads_first_and_writes_then_is_never_refused(tmp_path: Path) -> None:
    """SQLite refuses at once to let a transaction write that has read before somebody else wrote."""
    opened, failures = Database(sqlite_url(tmp_path)), []
    with opened.session() as session:
        session.add(Person(id="a", name="0", role="guest"))

    def count() -> None:
        try:
            for _ in range(25):
                with opened.session() as session:
                    person = session.get_one(Person, "a")
                    person.name = str(int(person.name) + 1)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with opened.reading() as session:
        assert failures == [] and session.get_one(Person, "a").name == "100"
    opened.close()


def test_what_was_erased_is_nowhere_in_the_files(tmp_path: Path) -> None:
    opened = Database(sqlite_url(tmp_path))
    with opened.session() as session:
        session.add(Person(id="a", name="a name to be erased", role="guest"))

    def is_there() -> bool:
        return any(b"a name to be erased" in path.read_bytes() for path in tmp_path.iterdir())

    assert is_there()
    with opened.session() as session:
        session.delete(session.get_one(Person, "a"))
    opened.scrub()
    assert not is_there()
    opened.close()
