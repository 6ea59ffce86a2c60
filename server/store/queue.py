"""The queue of enrollments, in the database: workers take jobs, prove that they live, and lose what they let lie.

Jobs are done in the order of a number, the smallest first: when the job came, with `PRIORITY_WORTH` less for each step of its
priority and `TURN_WORTH` more for each job of the same person that comes before it. So who orders many does not make others wait
for all of them, and nothing waits for ever.

A job has one worker at a time, which counts the job's `beats` up. Who looks for a job and has seen no new beat for the time of a
lease, by a clock of its own that nobody sets, may take the job over. So clocks that are set back or differ between machines do no
harm, and a worker that was killed costs a repetition and no job. What a worker does with a job is refused once another has it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select, update
from sqlalchemy.orm import Session

from server.store.database import Database
from server.store.tables import QUALITIES, Job, StoredAvatar

LEASE = 15.0
"""Seconds without a sign of life after which a job is free again."""
MAX_ATTEMPTS = 3
"""A job that ended its worker's process so often is given up."""
OVER = ("done", "failed", "cancelled")
MOST_LOOKED_AT = 8
"""Jobs that are tried, one after the other, when others take them at the same time."""
PRIORITY_WORTH, TURN_WORTH = 3600.0, 900.0
"""Seconds of waiting that make up for a step of priority, and for a job of the same person that comes first."""


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
        line = _in_line(Job.quality.in_(qualities)).subquery()
        first = select(line).order_by(line.c.place, line.c.id)
        with self._database.reading() as session:
            waiting = session.execute(first.where(line.c.state == "waiting").limit(MOST_LOOKED_AT)).all()
            running = session.execute(first.where(line.c.state == "running")).all()
        now, known = self._clock(), self._seen
        self._seen = {
            job.id: seen if (seen := known.get(job.id)) and seen[:2] == (job.worker, job.beats) else (job.worker, job.beats, now)
            for job in running
        }
        silent = [job for job in running if now - self._seen[job.id][2] >= self._lease]
        found = sorted([*waiting, *silent], key=lambda job: (job.place, job.id))
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

    def retry(self, job: str) -> bool:
        """A failed job begins anew, at the end of the line. False when it has not failed, or its photos are erased."""
        with self._database.session() as session:
            found = session.scalar(select(Job).where(Job.id == job).with_for_update())
            if found is None or found.state != "failed" or not found.folder:
                return False
            found.state, found.stage, found.progress, found.error, found.worker = "waiting", "", 0.0, "", ""
            found.attempts, found.cancel, found.created, found.finished = 0, False, time.time(), None
            avatar = session.get(StoredAvatar, found.avatar_id)
            if avatar is not None and not avatar.file:
                avatar.state = "waiting"
            return True

    def put_back(self, job: str, worker: str) -> None:
        """The worker cannot do the job now, such as for want of disk; it is tried again, and counts as an attempt."""
        with self._database.session() as session:
            found = self._of(session, job, worker)
            if found is not None:
                found.state, found.worker, found.beats = "waiting", "", found.beats + 1

    def ahead_of(self, job: str) -> int:
        """How many jobs come before a waiting one."""
        with self._database.reading() as session:
            found = session.get(Job, job)
            if found is None or found.state != "waiting":
                return 0
            # instant ones have workers of their own
            alike = (Job.quality == "instant") if found.quality == "instant" else (Job.quality != "instant")
            line = _in_line(alike).subquery()
            place = select(line.c.place).where(line.c.id == job).scalar_subquery()
            before = (line.c.state == "running") | (line.c.place < place) | ((line.c.place == place) & (line.c.id < job))
            return int(session.scalar(select(func.count()).select_from(line).where(before)) or 0)

    @staticmethod
    def _of(session: Session, job: str, worker: str) -> Job | None:
        return session.scalar(select(Job).where(Job.id == job, Job.worker == worker, Job.state == "running").with_for_update())


def _in_line(which: ColumnElement[bool]) -> Select[str, str, str, int, float]:
    """Jobs that are not over, as id, state, worker, beats and place in the line."""
    order = (case((Job.state == "running", 0), else_=1), Job.priority.desc(), Job.created, Job.id)
    turn = func.row_number().over(partition_by=Job.owner_id, order_by=order) - 1
    place = Job.created - PRIORITY_WORTH * Job.priority + TURN_WORTH * turn
    columns = (Job.id, Job.state, Job.worker, Job.beats, place.label("place"))
    return select(*columns).where(which, Job.state.not_in(OVER))


def _end(session: Session, job: Job, state: str, error: str = "") -> None:
    job.state, job.error, job.worker, job.finished = state, error, "", time.time()
    avatar = session.get(StoredAvatar, job.avatar_id)
    if state == "done":
        job.progress = 1.0
    elif avatar is not None and not avatar.file:
        avatar.state = "failed"
