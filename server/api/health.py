"""/api/health: how the server is, for admins. Whether it answers at all is said at /healthz and /readyz."""

from __future__ import annotations

import platform
import shutil
import sys
import time
from pathlib import Path

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.orm import Session

import models
from server.api.service import Admin, ServiceDep
from server.store.tables import Job, Person, StoredAvatar

router = APIRouter(prefix="/api/health", tags=["admin"])
_started = time.monotonic()
LOW_DISK = 1 << 30
"""Bytes below which enrollments may fail."""


class DiskOut(BaseModel):
    """Of the state folder, bytes. low: whether too little is left."""

    free: int
    total: int
    low: bool


class QueueOut(BaseModel):
    """Enrollments. oldest: seconds that the first one in line has waited."""

    waiting: int
    running: int
    failed: int
    oldest: float


class StoreOut(BaseModel):
    """What is kept. database: its kind."""

    database: str
    encrypted: bool
    people: int
    guests: int
    avatars: int


class RoomsOut(BaseModel):
    """The rooms. pictures: drawn a second in all of them."""

    kept: int
    open: int
    people: int
    viewers: int
    pictures: float


class HealthOut(BaseModel):
    """How the server is. uptime: seconds."""

    uptime: float
    versions: dict[str, str]
    disk: DiskOut | None
    queue: QueueOut
    store: StoreOut
    rooms: RoomsOut


@router.get("")
def read_health(_: Admin, service: ServiceDep) -> HealthOut:
    """How the server is."""
    rooms = service.rooms.all()
    with service.database.reading() as session:
        roles = {role: int(count) for role, count in session.execute(select(Person.role, func.count()).group_by(Person.role))}
        avatars = int(session.scalar(select(func.count()).select_from(StoredAvatar)) or 0)
        queue = _queue(session)
    guests = roles.pop("guest", 0)
    return HealthOut(
        uptime=round(time.monotonic() - _started, 1),
        versions={
            "visavis": models.__version__,
            "python": ".".join(map(str, sys.version_info[:3])),
            "system": f"{platform.system()} {platform.release()}",
        },
        disk=_disk(service.folder),
        queue=queue,
        store=StoreOut(
            database=service.database.kind,
            encrypted=service.files.is_encrypted,
            people=sum(roles.values()),
            guests=guests,
            avatars=avatars,
        ),
        rooms=RoomsOut(
            kept=len(rooms),
            open=sum(room.is_open for room in rooms),
            people=sum(room.people for room in rooms),
            viewers=sum(room.viewers for room in rooms),
            pictures=round(sum(room.pictures for room in rooms), 1),
        ),
    )


def _queue(session: Session) -> QueueOut:
    states = {state: int(count) for state, count in session.execute(select(Job.state, func.count()).group_by(Job.state))}
    first = session.scalar(select(func.min(Job.created)).where(Job.state == "waiting"))
    oldest = 0.0 if first is None else max(0.0, time.time() - first)
    return QueueOut(
        waiting=states.get("waiting", 0),
        running=states.get("running", 0),
        failed=states.get("failed", 0),
        oldest=round(oldest, 1),
    )


def _disk(folder: Path | None) -> DiskOut | None:
    if folder is None:
        return None
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return DiskOut(free=usage.free, total=usage.total, low=usage.free < LOW_DISK)
