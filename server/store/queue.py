"""The queue of enrollments, in the database: workers lease jobs, prove that they live, and lose what they let lie.

A job is taken by one worker at a time. Whoever has it must renew its lease; a lease that ran out makes the job free again, so a
worker that was killed, or a machine that went down, costs a repetition and no job. A job that ended workers `MAX_ATTEMPTS` times
is given up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import func, or_, select, update

from server.store.database import Database
from server.store.tables import Job, StoredAvatar

LEASE = 15.0
"""Seconds without a sign of life after which a job is free again."""
MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class Leased:
    """A job that a worker has."""

    id: str
    avatar_id: str
    quality: str
    folder: str
    attempt: int


class JobQueue:
    """Of one database. clock: seconds since 1970."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database, self._clock = database, clock

    def take(self, worker: str) -> Leased | None:
        """The next job: of the highest priority, then the oldest; `None` when there is none. worker: a name of its own."""
        now = self._clock()
        with self._database.session() as session:
            free = or_(Job.state == "waiting", (Job.state == "running") & (Job.lease_until < now))
            found = session.scalars(select(Job.id).where(free).order_by(Job.priority.desc(), Job.created).limit(8)).all()
            for identity in found:
                taken = session.execute(
                    update(Job)
                    .where(Job.id == identity, free)
                    .values(state="running", worker=worker, lease_until=now + LEASE, attempts=Job.attempts + 1)
                )
                if taken.rowcount == 0:  # type: ignore[attr-defined]
                    continue  # another worker was first
                job = session.get_one(Job, identity, populate_existing=True)
                if job.attempts > MAX_ATTEMPTS:
                    self._end(job, "failed", f"the enrollment ended its process {MAX_ATTEMPTS} times; take another photo")
                    avatar = session.get(StoredAvatar, job.avatar_id)
                    if avatar is not None and not avatar.file:
                        avatar.state = "failed"
                    continue
                return Leased(job.id, job.avatar_id, job.quality, job.folder, job.attempts)
        return None

    def renew(self, job: str, worker: str, stage: str, progress: float) -> bool:
        """A sign of life. False when the job is not this worker's any more or should stop: leave it."""
        with self._database.session() as session:
            kept = session.execute(
                update(Job)
                .where(Job.id == job, Job.worker == worker, Job.state == "running", Job.cancel.is_(False))
                .values(lease_until=self._clock() + LEASE, stage=stage[:128], progress=min(max(progress, 0.0), 1.0))
            )
            return bool(kept.rowcount)  # type: ignore[attr-defined]

    def finish(self, job: str, worker: str, error: str = "") -> bool:
        """The job is done, or failed for good with a sentence. False when it is not this worker's any more."""
        with self._database.session() as session:
            found = session.get(Job, job)
            if found is None or found.worker != worker or found.state != "running":
                return False
            self._end(found, "failed" if error else "done", error)
            return True

    def cancel(self, job: str) -> None:
        """Stop a job; one that waits is over at once, one that runs when its worker next asks."""
        with self._database.session() as session:
            found = session.get(Job, job)
            if found is not None and found.state in ("waiting", "running"):
                found.cancel = True
                if found.state == "waiting" or found.lease_until < self._clock():
                    self._end(found, "cancelled", "")

    def cancelled(self, job: str, worker: str) -> None:
        """The worker has stopped a job that was cancelled."""
        with self._database.session() as session:
            found = session.get(Job, job)
            if found is not None and found.worker == worker and found.state == "running" and found.cancel:
                self._end(found, "cancelled", "")

    def ahead_of(self, job: str) -> int:
        """How many jobs come before a waiting one."""
        with self._database.session() as session:
            found = session.get(Job, job)
            if found is None or found.state != "waiting":
                return 0
            before = (Job.priority > found.priority) | ((Job.priority == found.priority) & (Job.created < found.created))
            running = Job.state == "running"
            waiting = (Job.state == "waiting") & before
            return int(session.scalar(select(func.count()).select_from(Job).where(running | waiting)) or 0)

    def _end(self, job: Job, state: str, error: str) -> None:
        job.state, job.error, job.worker, job.lease_until, job.finished = state, error, "", 0.0, self._clock()
        if state == "done":
            job.progress = 1.0
