"""From one kind of store into the other; what the verbs do is in tests/server/commands/test_admin.py."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from server.store.backup import backup, restore
from server.store.database import Database, sqlite_url
from server.store.files import FileStore
from server.store.tables import AuditEntry, Job
from tests.server.store.rows import add_job


def test_a_backup_of_one_machine_is_restored_into_another_kind_of_store(tmp_path: Path, database: Database, s3_url: str) -> None:
    """And both go on: numbers that the database gives out do not begin again."""
    first, there, back = Database(sqlite_url(tmp_path / "first")), FileStore(s3_url), FileStore(str(tmp_path / "back"))
    files = FileStore(str(tmp_path / "files"))
    job = add_job(first, folder="jobs1", keep_photo=True)
    files.write("jobs1/photo0", b"a face")
    with first.session() as session:
        session.add_all([AuditEntry(actor="a", act="one"), AuditEntry(actor="a", act="two")])
    (tmp_path / "first" / "token-secret").write_text("secret")
    assert backup(first, files, tmp_path / "first", tmp_path / "one.tar") == (1, 1)
    first.close()
    assert restore(database, there, tmp_path / "second", tmp_path / "one.tar") == (1, 1)
    with database.session() as session:
        session.add(AuditEntry(actor="a", act="three"))
    assert backup(database, there, tmp_path / "second", tmp_path / "two.tar") == (1, 1)
    third = Database(sqlite_url(tmp_path / "third"))
    assert restore(third, back, tmp_path / "third", tmp_path / "two.tar") == (1, 1)
    with third.reading() as session:
        assert session.scalars(select(AuditEntry.act).order_by(AuditEntry.id)).all() == ["one", "two", "three"]
        assert session.get_one(Job, job.id).folder == "jobs1"
    assert back.read("jobs1/photo0") == b"a face" and (tmp_path / "third" / "token-secret").read_text() == "secret"
    third.close()
