from __future__ import annotations

from pathlib import Path

from server.store.cleaning import ORPHAN, erase_orphans, erase_photos
from server.store.database import Database
from server.store.files import FileStore
from server.store.queue import JobQueue, MadeAvatar
from tests.server.store.rows import add_job, read_job


def test_photos_go_when_the_job_is_over_unless_the_consent_keeps_them_and_nobody_cancelled(
    tmp_path: Path, database: Database
) -> None:
    files = FileStore(str(tmp_path / "files"))
    queue, expected = JobQueue(database), set()
    for index, (keep, ending) in enumerate(
        (k, e) for k in (False, True) for e in ("done", "failed", "cancelled", "runs", "waits")
    ):
        job = add_job(database, keep_photo=keep, folder=f"jobs{index}", priority=-(ending == "waits"))
        files.write(f"jobs{index}/photo0", b"a face")
        if ending != "waits":
            assert queue.take("w")
        if ending == "done":
            assert queue.keep(job.id, "w", MadeAvatar(f"avatars/{job.id}", "", "instant", []), last=True) == []
        elif ending == "failed":
            assert queue.fail(job.id, "w", "No face.")
        elif ending == "cancelled":
            queue.cancel(job.id)
            queue.cancelled(job.id, "w")
        if ending in ("runs", "waits") or (keep and ending in ("done", "failed")):
            expected.add(f"jobs{index}/photo0")
    for _ in range(2):
        erase_photos(database, files)
        assert set(files.names()) == expected


def test_files_that_nothing_refers_to_go_after_a_while(tmp_path: Path, database: Database) -> None:
    files = FileStore(str(tmp_path / "files"))
    waits, done = (add_job(database, folder=f"jobs{i}") for i in range(2))
    assert read_job(database, waits.id).state == "waiting"
    with database.session() as session:
        session.get_one(type(done), done.id).state = "running"
        session.get_one(type(done), done.id).worker = "w"
    made = MadeAvatar(f"avatars/{done.id}instant.avatar", f"avatars/{done.id}instant.png", "instant", [])
    assert JobQueue(database).keep(done.id, "w", made, last=True) == []
    kept = ["jobs0/photo0", "jobs1/photo0", made.file, made.preview, f"avatars/{waits.id}instant.avatar"]
    left = ["jobs2/photo0", "avatars/0123456789abcdefinstant.avatar", f"avatars/{done.id}high.png"]
    for name in (*kept, *left):
        files.write(name, b"")
    erase_orphans(database, files, ORPHAN)
    assert set(files.names()) == {*kept, *left}
    erase_orphans(database, files, -60.0)
    assert set(files.names()) == set(kept)
