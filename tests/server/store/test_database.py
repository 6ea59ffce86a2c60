from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic import command, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, select, text
from sqlalchemy.exc import OperationalError

from models.errors import StorageError
from server.store import database
from server.store.database import MIGRATIONS, Database, sqlite_url
from server.store.tables import Base, Person
from tests.server.store.rows import add_job

TABLES = set(Base.metadata.tables)


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    found = set(inspect(engine).get_table_names()) - {"alembic_version"}
    engine.dispose()
    return found


def run_python(code: str, url: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code, url], stdin=subprocess.PIPE, stderr=subprocess.PIPE)


def test_the_migrations_make_the_tables_of_the_models(database: Database) -> None:
    found = inspect(database._engine)
    for table in Base.metadata.sorted_tables:
        columns = {c["name"]: c["nullable"] for c in found.get_columns(table.name)}
        assert columns == {c.name: bool(c.nullable) for c in table.columns}, table.name
        indexes = {i["name"] for i in found.get_indexes(table.name) if "duplicates_constraint" not in i}
        assert indexes == {i.name for i in table.indexes}


def test_only_the_owner_of_the_process_may_look_at_the_file(tmp_path: Path) -> None:
    Database(sqlite_url(tmp_path / "state")).close()
    path = tmp_path / "state" / "visavis.db"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_migrations_lead_down_and_up_again(database: Database, database_url: str) -> None:
    add_job(database)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    steps = list(ScriptDirectory.from_config(config).walk_revisions())
    for move, target, left in ((command.downgrade, "-1", set()), (command.upgrade, "+1", TABLES)):
        for _ in steps:
            with database._engine.execution_options(visavis_writes=True).begin() as connection:
                config.attributes["connection"] = connection
                move(config, target)
        assert tables(database_url) == left
    add_job(database)


def test_a_session_is_kept_whole_or_not_at_all(database_url: str) -> None:
    opened = Database(database_url)
    with pytest.raises(ZeroDivisionError), opened.session() as session:  # noqa: PT012
        session.add(Person(name="Ada", role="guest"))
        session.flush()
        raise ZeroDivisionError
    with opened.reading() as session:  # what reads does not write
        session.add(Person(name="Ada", role="guest"))
        session.flush()
    opened.close()
    opened = Database(database_url)
    with opened.reading() as session:
        assert session.scalars(select(Person)).all() == []
    opened.close()


def test_a_migration_that_was_interrupted_leaves_nothing_and_runs_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = op.create_table
    made: list[str] = []

    def interrupted(name: str, *columns, **kw):  # type: ignore[no-untyped-def]
        if len(made) == 3:
            raise OSError("the disk is full")
        made.append(name)
        return create(name, *columns, **kw)

    monkeypatch.setattr(op, "create_table", interrupted)
    with pytest.raises(StorageError, match="cannot be opened or brought up to date"):
        Database(database_url)
    assert len(made) == 3 and tables(database_url) == set()
    monkeypatch.undo()
    Database(database_url).close()
    assert tables(database_url) == TABLES


def test_a_process_killed_in_a_migration_leaves_nothing(database_url: str) -> None:
    code = (
        "import os, sys; from alembic import op; from server.store.database import Database; create = op.create_table\n"
        "op.create_table = lambda name, *a, **k: os._exit(9) if name == 'jobs' else create(name, *a, **k)\nDatabase(sys.argv[1])"
    )
    with run_python(code, database_url) as killed:
        assert killed.wait(60) == 9
    Database(database_url).close()
    assert tables(database_url) == TABLES


def test_two_servers_that_open_one_new_database_at_once(database_url: str) -> None:
    code = "import sys; from server.store.database import Database; sys.stdin.read(1); Database(sys.argv[1])"
    processes = [run_python(code, database_url) for _ in range(2)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b".")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    assert tables(database_url) == TABLES


def test_a_database_of_a_newer_version_is_a_sentence_and_stays(database: Database, database_url: str) -> None:
    with database.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match="a newer version has used it"):
        Database(database_url)
    with database.reading() as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


def test_a_database_server_that_is_away_is_a_sentence_without_its_password() -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed (the extra `cluster`): PostgreSQL was not tried")
    with pytest.raises(StorageError, match="cannot be opened or brought up to date") as error:
        Database("postgresql+psycopg://visavis:hunter2@127.0.0.1:9/visavis")
    assert "hunter2" not in str(error.value)


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


def test_what_reads_first_and_writes_then_is_never_refused(database: Database) -> None:
    """SQLite refuses at once to let a transaction write that has read before somebody else wrote."""
    failures = []
    with database.session() as session:
        session.add(Person(id="a", name="0", role="guest"))

    def count() -> None:
        try:
            for _ in range(25):
                with database.session() as session:
                    database.alone(session)
                    person = session.get_one(Person, "a")
                    person.name = str(int(person.name) + 1)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        assert failures == [] and session.get_one(Person, "a").name == "100"


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
