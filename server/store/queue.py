"""The queue of enrollments, in the database: workers take jobs, prove that they live, and lose what they let lie.

A job has one worker at a time, which counts the job's `beats` up. Who looks for a job and has seen no new beat for the time of a
lease, by a clock of its own that nobody sets, may take the job over. So clocks that are set back or differ between machines do no
harm, and a worker that was killed costs a repetition and no job. What a worker does with a job is refused once another has it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from server.store.database import Database
from server.store.tables import QUALITIES, Job, StoredAvatar

LEASE = 15.0
"""Seconds without a sign of life after which a job is free again."""
MAX_ATTEMPTS = 3
"""A job that ended its worker's process so often is given up."""
OVER = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class Leased:
    """A job that a worker has. attempt: 1 for the first; more than `MAX_ATTEMPTS` for a job to give up. is_better: it makes an
    avatar better that is there already."""

    id: str
    avatar_id: str
    quality: str
    folder: str
    attempt: int
    is_better: bool = False


@dataclass(frozen=True)
class MadeAvatar:
    """What an enrollment has made. file, preview, turntable: names in the file store; the last two may be empty. notes:
    sentences. report: see `StoredAvatar`."""

    file: str
    preview: str
    quality: str
    notes: list[str]
    turntable: str = ""
    report: list[dict[str, Any]] = field(default_factory=list)

    @property
    def names(self) -> set[str]:
        """The files that there are."""
        return {self.file, self.preview, self.turntable} - {""}


class JobQueue:
    """Of one database. lease: seconds. clock: seconds since any time; it must not be set."""

    def __init__(self, database: Database, lease: float = LEASE, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._lease, self._clock = database, lease, clock
        self._seen: dict[str, tuple[str, int, float]] = {}  # running job -> worker, beats, since when

    def take(self, worker: str, qualities: Sequence[str] = QUALITIES) -> Leased | None:
        """The next job: of the highest priority, then the oldest; `None` when there is none. worker: a name of its own.
        qualities: that it makes."""
        for identity, owner, beats in self._free(qualities):
            with self._database.session() as session:
                taken = session.execute(
                    update(Job)
                    .where(Job.id == identity, Job.worker == owner, Job.beats == beats, Job.state.not_in(OVER))
                    .values(state="running", worker=worker, beats=Job.beats + 1, attempts=Job.attempts + 1)
                )
                if taken.rowcount:  # type: ignore[attr-defined]
                    job = session.get_one(Job, identity, populate_existing=True)
                    avatar = session.get(StoredAvatar, job.avatar_id)
                    is_better = avatar is not None and avatar.file != ""
                    return Leased(job.id, job.avatar_id, job.quality, job.folder, job.attempts, is_better)
        return None  # another worker was first

    def _free(self, qualities: Sequence[str]) -> list[tuple[str, str, int]]:
        """Jobs to take, as id, worker and beats. Running ones count once they were seen without a beat for a lease's time."""
        jobs = select(Job).where(Job.quality.in_(qualities)).order_by(Job.priority.desc(), Job.created, Job.id)
        with self._database.reading() as session:
            waiting = session.scalars(jobs.where(Job.state == "waiting").limit(8)).all()
            running = session.scalars(jobs.where(Job.state == "running")).all()
        now, known = self._clock(), self._seen
        self._seen = {
            job.id: seen if (seen := known.get(job.id)) and seen[:2] == (job.worker, job.beats) else (job.worker, job.beats, now)
            for job in running
        }
        silent = [job for job in running if now - self._seen[job.id][2] >= self._lease]
        found = sorted([*waiting, *silent], key=lambda job: (-job.priority, job.created, job.id))
        return [(job.id, job.worker, job.beats) for job in found]

    def renew(self, job: str, worker: str, stage: str, progress: float) -> bool:
        """A sign of life. False when the job is not this worker's any more or should stop: leave it."""
        with self._database.session() as session:
            kept = session.execute(
                update(Job)
                .where(Job.id == job, Job.worker == worker, Job.state == "running", Job.cancel.is_(False))
                .values(beats=Job.beats + 1, stage=stage[:128], progress=min(max(progress, 0.0), 1.0))
            )
            return bool(kept.rowcount)  # type: ignore[attr-defined]

    def show(self, job: str, worker: str) -> None:
        """There is a new picture of what the job is at."""
        with self._database.session() as session:
            session.execute(update(Job).where(Job.id == job, Job.worker == worker).values(previews=Job.previews + 1))

    def keep(self, job: str, worker: str, made: MadeAvatar, *, last: bool) -> list[str] | None:
        """The avatar is these files from now on, unless it is better already; with `last` the job is done. Returns the files
        that nothing refers to any more, or `None` when the job is not this worker's: then those are the new ones."""
        with self._database.session() as session:
            found = self._of(session, job, worker)
            avatar = None if found is None else session.get(StoredAvatar, found.avatar_id)
            if found is None or avatar is None or found.cancel:
                return None
            if avatar.file and QUALITIES.index(made.quality) < QUALITIES.index(avatar.quality):  # a better one was faster
                if last:
                    _end(session, found, "done")
                return sorted(made.names)
            old = {avatar.file, avatar.preview, avatar.turntable} - {*made.names, ""}
            avatar.file, avatar.preview, avatar.turntable = made.file, made.preview, made.turntable
            avatar.quality, avatar.notes, avatar.report, avatar.state = made.quality, made.notes, made.report, "ready"
            if last:
                _end(session, found, "done")
            return sorted(old)

    def fail(self, job: str, worker: str, error: str) -> bool:
        """The job failed for good. error: one sentence. False when it is not this worker's any more."""
        with self._database.session() as session:
            found = self._of(session, job, worker)
            if found is not None:
                _end(session, found, "failed", error)
            return found is not None

    def cancel(self, job: str) -> None:
        """Stop a job; one that waits is over at once, one that runs when its worker next asks."""
        with self._database.session() as session:
            found = session.get(Job, job)
            if found is not None and found.state not in OVER:
                found.cancel = True
                if found.state == "waiting":
                    _end(session, found, "cancelled")

    def cancelled(self, job: str, worker: str) -> None:
        """The worker has stopped a job that was cancelled."""
        with self._database.session() as session:
            found = self._of(session, job, worker)
            if found is not None and found.cancel:
                _end(session, found, "cancelled")

    def release(self, worker: str) -> None:
        """The worker stops in good order: others may take its job at once, and it counts as no attempt."""
        with self._database.session() as session:
            session.execute(
                update(Job)
                .where(Job.worker == worker, Job.state == "running")
                .values(state="waiting", worker="", beats=Job.beats + 1, attempts=Job.attempts - 1)
            )

    def ahead_of(self, job: str) -> int:
        """How many jobs come before a waiting one."""
        with self._database.reading() as session:
            found = session.get(Job, job)
            if found is None or found.state != "waiting":
                return 0
            before = (Job.priority > found.priority) | ((Job.priority == found.priority) & (Job.created < found.created))
            earlier = (Job.state == "running") | ((Job.state == "waiting") & before)
            # instant ones have workers of their own
            alike = (Job.quality == "instant") if found.quality == "instant" else (Job.quality != "instant")
            return int(session.scalar(select(func.count()).select_from(Job).where(earlier, alike)) or 0)

    @staticmethod
    def _of(session: Session, job: str, worker: str) -> Job | None:
        return session.scalar(select(Job).where(Job.id == job, Job.worker == worker, Job.state == "running").with_for_update())


def _end(session: Session, job: Job, state: str, error: str = "") -> None:
    job.state, job.error, job.worker, job.finished = state, error, "", time.time()
    avatar = session.get(StoredAvatar, job.avatar_id)
    if state == "done":
        job.progress = 1.0
    elif avatar is not None and not avatar.file:
        avatar.state = "failed"
