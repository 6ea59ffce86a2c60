"""Takes files out of the store that nothing refers to: photos once an enrollment is over, and what a killed process left."""

from __future__ import annotations

from sqlalchemy import select

from server.store.database import Database
from server.store.files import FileStore
from server.store.queue import OVER
from server.store.tables import Consent, Job, StoredAvatar

ORPHAN = 3600.0
"""Seconds after which a file that nothing refers to is no upload that is just coming in."""
PHOTOS, AVATARS = "jobs", "avatars"
"""Beginnings of names in the file store: the folder of a job's photos, and the folder of all avatars."""


def erase_photos(database: Database, files: FileStore) -> None:
    """Erase photos and clips of jobs that are over, all but those whose consent lets us keep them, unless somebody cancelled the
    job. Those of a job that failed can be tried again."""
    named = Consent.job_id.is_not(None)
    of_job = Job.id.in_(select(Consent.job_id).where(named, Consent.keep_photo))
    # those that an older version has recorded, of a backup, name no job
    of_avatar = Job.avatar_id.in_(select(Consent.avatar_id).where(~named, Consent.keep_photo))
    kept = of_job | (of_avatar & Job.id.not_in(select(Consent.job_id).where(named)))
    due = (Job.state.in_(OVER), Job.folder != "", (Job.state == "cancelled") | ~kept)
    with database.reading() as session:
        found = session.execute(select(Job.id, Job.folder).where(*due)).all()
    for identity, folder in found:
        files.delete(folder)
        with database.session() as session:
            job = session.get(Job, identity)
            if job is not None:
                job.folder = ""


def erase_orphans(database: Database, files: FileStore, age: float = ORPHAN) -> None:
    """Erase files that no row refers to, which are left when a process is killed between the file and its row."""
    names = files.names()  # first: a row that is written meanwhile is seen
    with database.reading() as session:
        folders = set(session.scalars(select(Job.folder)))
        columns = (StoredAvatar.file, StoredAvatar.preview, StoredAvatar.turntable)
        known = {name for row in session.execute(select(*columns)) for name in row}
        working = set(session.scalars(select(Job.id).where(Job.state.not_in(OVER))))
    for name in names:
        folder, _, file = name.partition("/")
        is_photo = folder.startswith(PHOTOS) and folder not in folders
        is_avatar = folder == AVATARS and name not in known and file[:16] not in working
        if (is_photo or is_avatar) and files.age(name) > age:
            files.delete(name)
