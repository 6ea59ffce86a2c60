"""/api/avatars: look at them, share them, erase them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlalchemy import bindparam, func, or_, select
from sqlalchemy.orm import Session

from server.accounts.people import Identity, clean_name
from server.api import erasing
from server.api.latest import read_latest
from server.api.paging import After, Limit, Page, page_of
from server.api.problems import ProblemError
from server.api.service import (
    Credential,
    IfMatch,
    Me,
    Service,
    ServiceDep,
    as_json,
    check_version,
    may_change,
    may_read,
    note,
)
from server.store.queue import OVER
from server.store.tables import Job, StoredAvatar

router = APIRouter(prefix="/api/avatars", tags=["avatars"])


class RemarkOut(BaseModel):
    """Something good or weak about an avatar. topic: such as light. advice: one sentence; may be empty."""

    topic: str
    good: bool
    sentence: str
    advice: str = ""


class AvatarOut(BaseModel):
    """An avatar. state: waiting, ready or failed. notes: what is weak about it. report: what is good and weak, and what to do.
    turntable: whether there is one. improving: the job that makes it better now. may_improve: whether it can be made better.
    version: for `If-Match`. owner: for admins only."""

    id: str
    name: str
    state: str
    quality: str
    notes: list[str]
    report: list[RemarkOut] = []
    turntable: bool = False
    improving: str | None = None
    may_improve: bool = False
    shared: bool
    mine: bool
    version: int
    job: str | None = None
    owner: str | None = None


class AvatarChange(BaseModel):
    """What is left out stays."""

    name: str | None = Field(None, min_length=1, max_length=64)
    shared: bool | None = None


_BETTER = select(func.min(Job.id)).where(
    Job.avatar_id == StoredAvatar.id, Job.quality != "instant", Job.state.not_in(OVER)
)  # fmt: skip
_SHOWN = (
    StoredAvatar.id, StoredAvatar.name, StoredAvatar.state, StoredAvatar.quality, StoredAvatar.notes, StoredAvatar.report,
    StoredAvatar.turntable, StoredAvatar.file, StoredAvatar.shared, StoredAvatar.owner_id, StoredAvatar.version,
    _BETTER.correlate(StoredAvatar).scalar_subquery().label("improving"),
)  # fmt: skip
_ALL = select(*_SHOWN).where(StoredAvatar.id > bindparam("after")).order_by(StoredAvatar.id).limit(bindparam("most"))
_SEEN = _ALL.where(or_(StoredAvatar.owner_id == bindparam("me"), StoredAvatar.shared))
"""What a list shows, of all avatars and of those that somebody may take; made once, as each request asks."""


def avatar_out(service: Service, session: Session, avatar: StoredAvatar, identity: Identity, job: str | None = None) -> AvatarOut:
    """What a client is told of an avatar. job: that makes it, for whoever has just ordered it."""
    better = select(Job.id).where(Job.avatar_id == avatar.id, Job.quality != "instant", Job.state.not_in(OVER))
    return _out(service, avatar, identity, session.scalar(better.limit(1)), job)


def _out(
    service: Service, avatar: StoredAvatar | Any, identity: Identity, improving: str | None, job: str | None = None
) -> AvatarOut:
    return AvatarOut(
        id=avatar.id, name=avatar.name, state=avatar.state, quality=avatar.quality, notes=avatar.notes,
        report=[RemarkOut.model_validate(remark) for remark in avatar.report], turntable=avatar.turntable != "",
        improving=improving, may_improve=service.better != "never" and avatar.file != "" and improving is None,
        shared=avatar.shared, mine=avatar.owner_id == identity.person, version=avatar.version, job=job,
        owner=avatar.owner_id if identity.is_admin else None,
    )  # fmt: skip


@router.get("", response_model=Page[AvatarOut])
def list_avatars(credential: Credential, service: ServiceDep, after: After = "", limit: Limit = 50) -> Response:
    """One's own avatars and those shared with everybody; all of them for an admin. In the order of their ids."""
    with service.database.reading() as session:
        me = service.people.identify_in(session, credential)
        found = session.execute(_ALL if me.is_admin else _SEEN, {"me": me.person, "after": after, "most": limit + 1})
        return as_json(
            page_of(found, limit, lambda avatar: _out(service, avatar, me, avatar.improving), lambda avatar: avatar.id)
        )


@router.get("/{avatar_id}")
def read_avatar(me: Me, service: ServiceDep, avatar_id: str) -> AvatarOut:
    """One avatar."""
    with service.database.reading() as session:
        return avatar_out(service, session, may_read(me, session.get(StoredAvatar, avatar_id)), me)


@router.patch("/{avatar_id}")
def change_avatar(me: Me, service: ServiceDep, avatar_id: str, change: AvatarChange, if_match: IfMatch = None) -> AvatarOut:
    """Rename or share. With `If-Match: VERSION` only when nobody else has changed it meanwhile."""
    with service.database.session() as session:
        avatar = may_change(me, session.get(StoredAvatar, avatar_id))
        check_version(avatar, if_match)
        name = clean_name(change.name or "") or avatar.name
        if name != avatar.name:
            avatar.name = name
            session.add(note(me, "avatar.rename", avatar.id))
        if change.shared is not None and change.shared != avatar.shared:
            avatar.shared = change.shared
            session.add(note(me, "avatar.share", avatar.id, shared=change.shared))
        session.flush()
        return avatar_out(service, session, avatar, me)


@router.delete("/{avatar_id}", status_code=204)
def erase_avatar(me: Me, service: ServiceDep, avatar_id: str) -> Response:
    """Erase an avatar: its file, preview, photos, consent and jobs. Calls that show it end with it."""
    erasing.erase_avatar(service, me, avatar_id)
    return Response(status_code=204)


@router.get("/{avatar_id}/file", response_class=Response)
def read_file(me: Me, service: ServiceDep, avatar_id: str) -> Response:
    """The .avatar file."""
    with service.database.session() as session:
        avatar = may_change(me, session.get(StoredAvatar, avatar_id))
        if avatar.file and avatar.owner_id != me.person:
            session.add(note(me, "avatar.download", avatar_id))
    return _file(service, me, avatar_id, "file", "application/octet-stream")


@router.get("/{avatar_id}/preview", response_class=Response)
def read_preview(me: Me, service: ServiceDep, avatar_id: str) -> Response:
    """A PNG of the avatar from the front."""
    return _file(service, me, avatar_id, "preview", "image/png")


@router.get("/{avatar_id}/turntable", response_class=Response)
def read_turntable(me: Me, service: ServiceDep, avatar_id: str) -> Response:
    """A WebP of the avatar from all around: square pictures side by side, the first from the front."""
    return _file(service, me, avatar_id, "turntable", "image/webp")


def _file(service: Service, me: Identity, avatar_id: str, which: str, media_type: str) -> Response:
    """One of the avatar's files. When a better avatar takes its place just now, that one's."""
    _, data = read_latest(lambda: file_name(service, me, avatar_id, which), lambda name: service.files.read(name))
    return Response(data, media_type=media_type)


def file_name(service: Service, me: Identity, avatar_id: str, which: str = "file") -> str:
    """The name in the store of one of the avatar's files as it is now, for whoever may see it. Raises `ProblemError`."""
    with service.database.reading() as session:
        name: str = getattr(may_read(me, session.get(StoredAvatar, avatar_id)), which)
    if not name:
        raise ProblemError(404, "this avatar is not made yet; wait for its job")
    return name
