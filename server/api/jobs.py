"""/api/jobs: how far enrollments are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from models.errors import StorageError
from server.accounts.people import Identity
from server.api.enrolling import check_busy, check_not_improving
from server.api.paging import After, Limit, Page, page_of
from server.api.problems import ProblemError
from server.api.service import Credential, Me, Service, ServiceDep, as_json, note
from server.jobs.inputs import PICTURE
from server.store.cleaning import erase_photos
from server.store.queue import OVER
from server.store.tables import Job, StoredAvatar

router = APIRouter(prefix="/api/jobs", tags=["jobs"])

LOOK = 0.4
"""Seconds between two looks at a job whose events somebody listens to."""
MAX_LISTENING = 600.0
"""Seconds after which a listener has to ask again."""


class JobOut(BaseModel):
    """An enrollment. progress: 0 to 1. ahead: jobs that come first. error: one sentence, of a job that failed. usable: whether
    its avatar can be used already. previews: counts the pictures of what it is at. may_retry: whether it can begin anew with the
    photos that it came with. owner: for admins only."""

    id: str
    avatar: str
    quality: str
    state: str
    stage: str
    progress: float
    ahead: int
    error: str
    usable: bool = False
    previews: int = 0
    may_retry: bool = False
    owner: str | None = None


def _read(service: Service, me: Identity, job_id: str) -> JobOut:
    with service.database.reading() as session:
        job = _own(session, me, job_id)
        usable = _usable(session, [job])
    return _out(service, me, job, usable)


def _own(session: Session, me: Identity, job_id: str) -> Job:
    job = session.get(Job, job_id)
    if job is None or (job.owner_id != me.person and not me.is_admin):
        raise ProblemError(404, "there is no such job, or it is not yours")
    return job


def _usable(session: Session, jobs: Sequence[Job]) -> set[str]:
    """The avatars of these jobs that can be used."""
    ids = [job.avatar_id for job in jobs]
    return set(session.scalars(select(StoredAvatar.id).where(StoredAvatar.id.in_(ids), StoredAvatar.file != "")))


def _out(service: Service, me: Identity, job: Job, usable: set[str]) -> JobOut:
    ahead = service.queue.ahead_of(job.id) if job.state == "waiting" else 0
    return JobOut(
        id=job.id, avatar=job.avatar_id, quality=job.quality, state=job.state, stage=job.stage, progress=job.progress,
        ahead=ahead, error=job.error, usable=job.avatar_id in usable, previews=job.previews,
        may_retry=job.state == "failed" and job.folder != "", owner=job.owner_id if me.is_admin else None,
    )  # fmt: skip


@router.get("")
def list_jobs(me: Me, service: ServiceDep, after: After = "", limit: Limit = 100) -> Page[JobOut]:
    """One's own jobs, of everybody for an admin, the newest first."""
    with service.database.reading() as session:
        query = select(Job).order_by(Job.created.desc(), Job.id.desc()).limit(limit + 1)
        if not me.is_admin:
            query = query.where(Job.owner_id == me.person)
        if after:
            last = _own(session, me, after)
            query = query.where((Job.created < last.created) | ((Job.created == last.created) & (Job.id < last.id)))
        found = session.scalars(query).all()
        usable = _usable(session, found)
    return page_of(found, limit, lambda job: _out(service, me, job, usable), lambda job: job.id)


@router.get("/{job_id}", response_model=JobOut)
def read_job(credential: Credential, service: ServiceDep, job_id: str) -> Response:
    """One job."""
    return as_json(_read(service, service.people.identify(credential), job_id))


@router.get("/{job_id}/preview", response_class=Response)
def read_preview(me: Me, service: ServiceDep, job_id: str) -> Response:
    """A PNG of the avatar as it is in the middle of the work; there is a new one when the job's `previews` counts on."""
    with service.database.reading() as session:
        job = _own(session, me, job_id)
    if not job.previews or not job.folder:
        raise ProblemError(404, "there is no picture of this job yet, or none any more")
    try:
        return Response(service.files.read(f"{job.folder}/{PICTURE}"), media_type="image/png")
    except StorageError:
        raise ProblemError(404, "there is no picture of this job any more") from None


@router.post("/{job_id}/cancel")
def cancel_job(me: Me, service: ServiceDep, job_id: str) -> JobOut:
    """Stop a job; what it has made so far stays."""
    _read(service, me, job_id)
    service.queue.cancel(job_id)
    erase_photos(service.database, service.files)
    with service.database.session() as session:
        session.add(note(me, "job.cancel", job_id))
    return _read(service, me, job_id)


@router.post("/{job_id}/retry")
def retry_job(me: Me, service: ServiceDep, job_id: str) -> JobOut:
    """Begin a job anew that has failed. Its photos have to be there: those whose consent does not let us keep them are erased as
    soon as a job is over, and come with a new order."""
    with service.database.reading() as session:
        job = _own(session, me, job_id)
        check_busy(session, job.owner_id)
        if job.quality != "instant":
            check_not_improving(session, job.avatar_id)
    if not service.queue.retry(job_id):
        raise ProblemError(409, "a job that has failed and still has its photos was expected; order a new one with the photos")
    with service.database.session() as session:
        session.add(note(me, "job.retry", job_id))
    return _read(service, me, job_id)


@router.get("/{job_id}/events", response_class=StreamingResponse)
async def job_events(me: Me, service: ServiceDep, job_id: str) -> StreamingResponse:
    """Server-sent events: the job whenever it has changed, until it is over."""
    first = await asyncio.to_thread(_read, service, me, job_id)

    async def events() -> AsyncIterator[str]:
        shown, current = None, first
        for _ in range(int(MAX_LISTENING / LOOK)):
            if current != shown:
                yield f"data: {json.dumps(current.model_dump())}\n\n"
                shown = current
            if current.state in OVER:
                return
            await asyncio.sleep(LOOK)
            try:
                current = await asyncio.to_thread(_read, service, me, job_id)
            except ProblemError:  # erased meanwhile
                return
            except SQLAlchemyError:  # locked: the next look may see it
                continue

    return StreamingResponse(events(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})
