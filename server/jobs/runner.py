"""A process that enrolls: takes a job from the queue, makes the avatar, puts it into the store, erases photos and clip.

`python -m server.jobs.runner` reads its `RunnerSettings` as one line of JSON from standard input, and ends when that closes. It
runs at low priority, so that calls go first; one that makes avatars better lets those go first that make instant ones. Photos and
clips are decoded here and never in the server.
"""

from __future__ import annotations

import importlib
import logging
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from sqlalchemy import case, select
from sqlalchemy.exc import OperationalError

from models.errors import StorageError, VisavisError
from server.jobs import inputs as inputs_of
from server.jobs.work_folder import WorkFolder, remove_others
from server.store.cleaning import AVATARS, erase_orphans, erase_photos
from server.store.database import Database
from server.store.files import FileStore
from server.store.queue import LEASE, MAX_ATTEMPTS, OVER, JobQueue, Leased, MadeAvatar
from server.store.tables import QUALITIES, Consent, Job, StoredAvatar

if TYPE_CHECKING:
    from enrollment.options import RefineOptions
    from models.avatar import Avatar

log = logging.getLogger(__name__)
Result = TypeVar("Result")

NICE, NICE_BETTER = 10, 19
"""Of processes that make instant avatars, and of those that make better ones."""
IDLE = 0.3
"""Seconds between two looks for a job."""
BEATS = 6
"""Signs of life in the time of a lease."""
CLEAN_EVERY, ORPHANS_EVERY = 5.0, 1800.0
"""Seconds between two looks for photos to erase, and for files that nothing refers to."""
STORE_PAUSE = 20.0
"""Seconds before an enrollment is tried again for which there was no disk."""
STOP_TIMEOUT = 5.0
"""Seconds that an enrollment has to stop by itself; then its process ends."""
DATABASE_TIMEOUT = 60.0
"""Seconds that the database may be locked when an enrollment is done."""
TIME_LIMIT = {"instant": 1200.0, "standard": 6 * 3600.0, "high": 12 * 3600.0}
"""Seconds of a job after which it hangs, by quality."""
OOM_SCORE = 500
"""Of 1000: a machine without memory ends this process before the server, see proc(5)."""
PREVIEW = "front"


class RunnerSettings(msgspec.Struct, frozen=True):
    """database, files: URLs. work: folder of jobs' own folders. key: of the file store, or empty. lease: see `JobQueue`.
    qualities: that it makes. steps: of an optimisation; what suits the input when None."""

    database: str
    files: str
    work: str
    key: str = ""
    lease: float = LEASE
    qualities: tuple[str, ...] = QUALITIES
    steps: int | None = None


class StoppedError(Exception):
    """The job was cancelled, or belongs to another runner now."""


@dataclass
class _Lease:
    """Renews a job's lease in a thread while the enrollment works, and says when to stop. overdue: ends an enrollment that does
    not stop."""

    queue: JobQueue
    job: Leased
    worker: str
    every: float
    overdue: Callable[[str], None]
    stage: str = "starting"
    part: float = 0.0
    lost: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def keep(self) -> None:
        until = time.monotonic() + TIME_LIMIT[self.job.quality]
        while not self.over.wait(self.every):
            try:
                if not self.queue.renew(self.job.id, self.worker, self.stage, self.part):
                    self.lost.set()
                    if not self.over.wait(STOP_TIMEOUT):
                        self.overdue("")
                    return
            except OperationalError:  # locked or restarted: the lease lasts for some more tries
                log.warning("a lease cannot be renewed now")
            except Exception:
                log.exception("a lease cannot be renewed")
            if time.monotonic() > until:
                self.overdue("the enrollment took longer than any should; take another photo")
                return

    def progress(self, stage: str, part: float) -> None:
        """A `ProgressCallback` that stops the work when the lease is lost."""
        self.stage, self.part = stage, part
        if self.lost.is_set():
            raise StoppedError


class Runner:
    """Works until told to stop. enroll: as `enrollment.enroll_to_file`, which it is when left out."""

    def __init__(self, settings: RunnerSettings, enroll: Callable[..., Any] | None = None) -> None:
        """Raises `StorageError`."""
        self._database = Database(settings.database)
        self._files = FileStore(settings.files, settings.key)
        self._queue = JobQueue(self._database, settings.lease)
        self._work, self._every, self._enroll_to_file = Path(settings.work), settings.lease / BEATS, enroll
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._qualities, self._steps = settings.qualities, settings.steps
        self._clean_at = self._orphans_at = 0.0

    def run(self, stopping: threading.Event) -> None:
        """Take one job after the other."""
        while not stopping.is_set():
            job = None
            try:
                self._clean()
                job = self._queue.take(self._name, self._qualities)
            except Exception as error:  # a database or a store that is locked or restarted
                log.warning("the queue cannot be used now (%s)", type(error).__name__)
            if job is None:
                stopping.wait(IDLE)
            elif not self.work(job):
                stopping.wait(STORE_PAUSE)

    def release(self) -> None:
        """Give the job back: the process ends in good order. Never raises."""
        with suppress(Exception):
            self._queue.release(self._name)

    def work(self, job: Leased) -> bool:
        """Do one job, whatever becomes of it; False when it was put back, because the disk or the file store cannot be used now.
        Raises `OperationalError` when the database is away for long."""
        lease = _Lease(self._queue, job, self._name, self._every, lambda error: self._leave(job, error))
        keeping = threading.Thread(target=lease.keep, name="lease", daemon=True)
        keeping.start()
        error, is_put_back = "", False
        try:
            if job.attempt > MAX_ATTEMPTS:
                error = f"the enrollment ended its process {MAX_ATTEMPTS} times; take another photo"
            else:
                self._enroll(job, lease)
        except StoppedError:
            self._insist(lambda: self._queue.cancelled(job.id, self._name))
        except StorageError as refused:  # the photos stay, so nothing is lost when there is room again
            is_put_back = job.attempt < MAX_ATTEMPTS
            error = "" if is_put_back else str(refused)
            log.warning("an enrollment cannot be kept now: %s", refused)
        except VisavisError as refused:
            error = str(refused)
        except OperationalError:
            raise  # the job is taken again once its lease is over
        except (Exception, SystemExit):
            log.exception("an enrollment failed")
            error = "the enrollment failed for a reason that the server's log tells; try another photo"
        finally:
            lease.over.set()
            keeping.join()
        if error:
            self._insist(lambda: self._queue.fail(job.id, self._name, error))
        if is_put_back:
            self._insist(lambda: self._queue.put_back(job.id, self._name))
        self._clean_at = 0.0
        return not is_put_back

    def _enroll(self, job: Leased, lease: _Lease) -> None:
        if self._enroll_to_file is None:
            from enrollment import enroll_to_file

            self._enroll_to_file = enroll_to_file
        from enrollment.options import MINUTES, EnrollOptions, RefineOptions

        with self._database.reading() as session:
            of_job = case((Consent.job_id == job.id, 0), else_=1)
            consent = session.scalar(select(Consent).where(Consent.avatar_id == job.avatar_id).order_by(of_job).limit(1))
        if consent is None:
            raise StoppedError  # erased meanwhile
        folder = WorkFolder(self._work, job.id)
        try:
            inputs, out = inputs_of.fetch(self._files, job.folder, folder.path), folder.path / "made.avatar"

            def keep_first(_: str) -> None:
                lease.progress(lease.stage, lease.part)
                if not job.is_better:  # what is there already may be better than this
                    self._keep(job, out.read_bytes(), "instant", [], [], last=False)

            watch = inputs_of.Watch(self._files, job.folder, lambda: self._queue.show(job.id, self._name))
            refinement = RefineOptions() if inputs.clip is None else MINUTES
            options = EnrollOptions(
                job.quality,  # type: ignore[arg-type]
                consent=f"{consent.subject}: {consent.text}",
                refinement=replace(refinement, watch=watch, **self._fewer(refinement)),
                sheet=False,  # nobody would see it
            )
            made = self._enroll_to_file(inputs.photos, inputs.clip, out, options, progress=lease.progress, notify=keep_first)
            lease.progress(lease.stage, lease.part)
            self._keep(job, out.read_bytes(), job.quality, made.warnings, made.report, last=True)
        finally:
            folder.remove()

    def _keep(
        self, job: Leased, data: bytes, quality: str, notes: list[str], report: list[dict[str, Any]], *, last: bool
    ) -> None:
        from models import avatar_file

        stem = f"{AVATARS}/{job.id}{quality}"  # the same when the job is repeated, so that nothing is left over
        avatar = avatar_file.loads(data)
        preview = avatar.previews.get(PREVIEW, b"")
        turntable = self._turntable(avatar) if last else b""
        made = MadeAvatar(
            f"{stem}.avatar", f"{stem}.png" if preview else "", quality, notes, f"{stem}.webp" if turntable else "", report
        )
        for name, content in ((made.file, data), (made.preview, preview), (made.turntable, turntable)):
            if name:
                self._files.write(name, content)
        old = self._insist(lambda: self._queue.keep(job.id, self._name, made, last=last))
        if old is None:
            with self._database.reading() as session:
                others = session.scalar(select(Job.id).where(Job.id == job.id, Job.cancel.is_(False)))
                used = session.scalar(select(StoredAvatar.id).where(StoredAvatar.file == made.file))
            if others is None and used is None:  # erased or cancelled; otherwise another runner's, which writes the same names
                self._erase(sorted(made.names))
            raise StoppedError
        self._erase(old)

    def _fewer(self, refinement: RefineOptions) -> dict[str, Any]:
        """Where the settings say how many steps, those, and no more pictures than steps look at."""
        if self._steps is None:
            return {}
        return {"steps": self._steps, "learned_frames": min(refinement.learned_frames, self._steps)}

    @staticmethod
    def _turntable(avatar: Avatar) -> bytes:
        from enrollment.report import turntable
        from models.heads.registry import by_name

        try:
            return turntable(avatar, by_name(avatar.head))
        except Exception:  # the avatar matters more
            log.exception("a turntable cannot be drawn")
            return b""

    def _erase(self, names: list[str]) -> None:
        for name in filter(None, names):
            self._files.delete(name)

    def _leave(self, job: Leased, error: str) -> None:
        """End this process, as its enrollment does not stop."""
        with suppress(Exception):
            if error:
                self._queue.fail(job.id, self._name, error)
            else:
                self._queue.cancelled(job.id, self._name)
        os._exit(1)  # the next process cleans

    def _insist(self, act: Callable[[], Result]) -> Result:
        """Do it, also while the database is locked for a while."""
        until = time.monotonic() + DATABASE_TIMEOUT
        while True:
            try:
                return act()
            except OperationalError:
                if time.monotonic() > until:
                    raise
            time.sleep(IDLE)

    def _clean(self) -> None:
        now = time.monotonic()
        if now < self._clean_at:
            return
        self._clean_at = now + CLEAN_EVERY
        erase_photos(self._database, self._files)
        with self._database.reading() as session:
            working = set(session.scalars(select(Job.id).where(Job.state.not_in(OVER))))
        remove_others(self._work, working)
        if now >= self._orphans_at:
            self._orphans_at = now + ORPHANS_EVERY
            erase_orphans(self._database, self._files)


def main(enroll: Callable[..., Any] | None = None) -> None:
    """The process's entry point. enroll: see `Runner`."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a terminal or systemd sends them to all; the server ends this process
    try:
        settings = msgspec.json.decode(sys.stdin.readline(), type=RunnerSettings)
        os.nice(NICE if "instant" in settings.qualities else NICE_BETTER)
        runner = Runner(settings, enroll)
    except VisavisError as error:
        log.error("a runner cannot start: %s", error)
        sys.exit(1)
    except msgspec.DecodeError:
        sys.exit(1)  # the server ended meanwhile
    stopping = threading.Event()

    def watch() -> None:
        sys.stdin.read()  # it ends when the server does, however that ends
        stopping.set()
        runner.release()
        os._exit(0)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
    if enroll is None and "instant" in settings.qualities:
        importlib.import_module("enrollment.to_file")  # the first job would wait for it
    runner.run(stopping)


if __name__ == "__main__":
    main()
