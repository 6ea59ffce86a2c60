"""A process that enrolls: takes a job from the queue, makes the avatar, puts it into the store, erases the photos.

`python -m server.jobs.runner` reads its `RunnerSettings` as one line of JSON from standard input, and ends when that closes. It
runs at low priority, so that calls go first. Photos are decoded here and never in the server.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from models.errors import VisavisError
from server.store.database import Database
from server.store.files import FileStore
from server.store.queue import JobQueue, Leased
from server.store.tables import Consent, StoredAvatar

log = logging.getLogger(__name__)

NICE = 10
IDLE = 0.3
"""Seconds between two looks for a job."""
RENEW = 2.0
"""Seconds between two signs of life."""
PREVIEW = "front"


class RunnerSettings(msgspec.Struct, frozen=True):
    """database, files: URLs. key: of the file store, or empty."""

    database: str
    files: str
    key: str = ""


class StoppedError(Exception):
    """The job was cancelled, or belongs to another runner now."""


@dataclass
class _Lease:
    """Renews a job's lease in a thread while the enrollment works, and says when to stop."""

    queue: JobQueue
    job: Leased
    worker: str
    stage: str = "starting"
    part: float = 0.0
    lost: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def keep(self) -> None:
        while not self.over.wait(RENEW):
            try:
                if not self.queue.renew(self.job.id, self.worker, self.stage, self.part):
                    self.lost.set()
                    return
            except Exception as error:  # a database that is locked or restarted: the lease lasts for some more tries
                log.warning("a lease cannot be renewed now (%s)", type(error).__name__)

    def progress(self, stage: str, part: float) -> None:
        """A `ProgressCallback` that stops the work when the lease is lost."""
        self.stage, self.part = stage, part
        if self.lost.is_set():
            raise StoppedError


class Runner:
    """Works until told to stop."""

    def __init__(self, settings: RunnerSettings) -> None:
        self._database = Database(settings.database)
        self._files = FileStore(settings.files, settings.key)
        self._queue = JobQueue(self._database)
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"

    def run(self, stopping: threading.Event) -> None:
        """Take one job after the other."""
        while not stopping.is_set():
            try:
                job = self._queue.take(self._name)
            except Exception as error:
                log.warning("the queue cannot be read now (%s)", type(error).__name__)
                job = None
            if job is None:
                stopping.wait(IDLE)
            else:
                self.work(job)

    def work(self, job: Leased) -> None:
        """Do one job, whatever becomes of it."""
        lease = _Lease(self._queue, job, self._name)
        keeping = threading.Thread(target=lease.keep, name="lease", daemon=True)
        keeping.start()
        error = ""
        try:
            self._enroll(job, lease)
        except StoppedError:
            self._queue.cancelled(job.id, self._name)
            self._files.delete(job.folder)
            return
        except VisavisError as refused:
            error = str(refused)
        except Exception:
            log.exception("an enrollment failed")
            error = "the enrollment failed for a reason that the server's log tells; try another photo"
        finally:
            lease.over.set()
            keeping.join()
        if error:
            self._failed(job)
        if self._queue.finish(job.id, self._name, error) and not error:
            self._erase_inputs(job)

    def _enroll(self, job: Leased, lease: _Lease) -> None:
        from enrollment import EnrollOptions, enroll_to_file
        from models import avatar_file

        with self._database.session() as session:
            avatar = session.get(StoredAvatar, job.avatar_id)
            consent = session.query(Consent).filter(Consent.avatar_id == job.avatar_id).first()
            if avatar is None or consent is None:
                raise StoppedError  # erased meanwhile
            said = f"{consent.subject}: {consent.text}"
        with tempfile.TemporaryDirectory(prefix="visavis-") as folder:
            photos = []
            for name in self._files.names(job.folder):
                path = Path(folder) / Path(name).name
                path.write_bytes(self._files.read(name))
                photos.append(path)
            out = Path(folder) / "made.avatar"
            options = EnrollOptions(job.quality, consent=said)  # type: ignore[arg-type]
            made = enroll_to_file(photos, None, out, options, progress=lease.progress)
            if lease.lost.is_set():
                raise StoppedError
            data = out.read_bytes()
            previews = avatar_file.loads(data).previews
        self._keep(job, data, previews.get(PREVIEW, b""), made.warnings)

    def _keep(self, job: Leased, data: bytes, preview: bytes, notes: list[str]) -> None:
        stem = secrets.token_hex(8)
        names = f"avatars/{stem}.avatar", f"avatars/{stem}.png"
        self._files.write(names[0], data)
        if preview:
            self._files.write(names[1], preview)
        with self._database.session() as session:
            avatar = session.get(StoredAvatar, job.avatar_id)
            if avatar is None:  # erased meanwhile
                old = list(names)
            else:
                old = [name for name in (avatar.file, avatar.preview) if name]
                avatar.file, avatar.preview = names[0], names[1] if preview else ""
                avatar.state, avatar.quality, avatar.notes = "ready", job.quality, notes
        for name in old:
            self._files.delete(name)

    def _failed(self, job: Leased) -> None:
        with self._database.session() as session:
            avatar = session.get(StoredAvatar, job.avatar_id)
            if avatar is not None and not avatar.file:
                avatar.state = "failed"

    def _erase_inputs(self, job: Leased) -> None:
        with self._database.session() as session:
            kept = session.query(Consent).filter(Consent.avatar_id == job.avatar_id, Consent.keep_photo).first()
        if kept is None:
            self._files.delete(job.folder)


def main() -> None:
    """The process's entry point."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    os.nice(NICE)
    settings = msgspec.json.decode(sys.stdin.readline(), type=RunnerSettings)
    stopping = threading.Event()

    def watch() -> None:
        sys.stdin.read()  # it ends when the server does, however that ends
        stopping.set()
        time.sleep(1.0)
        os._exit(0)  # the lease runs out, and another runner begins anew

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
    Runner(settings).run(stopping)


if __name__ == "__main__":
    main()
