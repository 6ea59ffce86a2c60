"""/api/avatars: look at them, share them, erase them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from models.errors import StorageError
from server.accounts.people import Identity, clean_name
from server.api import erasing
from server.api.problems import ProblemError
from server.api.service import (
    After,
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
    version: for `If-Match`."""

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


class AvatarChange(BaseModel):
    """What is left out stays."""

    name: str | None = Field(None, min_length=1, max_length=64)
    shared: bool | None = None


class Page(BaseModel):
    """A part of a list. next: for `?after=`, or None at the end."""

    items: list[AvatarOut]
    next: str | None = None


def avatar_out(service: Service, session: Session, avatar: StoredAvatar, identity: Identity, job: str | None = None) -> AvatarOut:
    """What a client is told of an avatar. job: that makes it, for whoever has just ordered it."""
    return _outs(service, session, [avatar], identity, job)[0]


def _outs(
    service: Service, session: Session, avatars: list[StoredAvatar], identity: Identity, job: str | None = None
) -> list[AvatarOut]:
    ids = [avatar.id for avatar in avatars]
    better = select(Job).where(Job.avatar_id.in_(ids), Job.quality != "instant", Job.state.not_in(OVER))
    improving = {found.avatar_id: found.id for found in session.scalars(better)}
    return [
        AvatarOut(
            id=avatar.id, name=avatar.name, state=avatar.state, quality=avatar.quality, notes=avatar.notes,
            report=[RemarkOut.model_validate(remark) for remark in avatar.report], turntable=avatar.turntable != "",
            improving=improving.get(avatar.id), shared=avatar.shared, mine=avatar.owner_id == identity.person,
            may_improve=service.better != "never" and avatar.file != "" and avatar.id not in improving,
            version=avatar.version, job=job,
        )
        for avatar in avatars
    ]  # fmt: skip


@router.get("", response_model=Page)
def list_avatars(
    credential: Credential, service: ServiceDep, after: After = "", limit: Annotated[int, Query(ge=1, le=100)] = 50
) -> Response:
    """One's own avatars and those shared with everybody; all of them for an admin. In the order of their ids."""
    me = service.people.identify(credential)
    with service.database.reading() as session:
        query = select(StoredAvatar).where(StoredAvatar.id > after).order_by(StoredAvatar.id).limit(limit + 1)
        if not me.is_admin:
            query = query.where(or_(StoredAvatar.owner_id == me.person, StoredAvatar.shared))
        found = list(session.scalars(query))
        items = _outs(service, session, found[:limit], me)
    return as_json(Page(items=items, next=found[limit - 1].id if len(found) > limit else None))


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
        avatar.name = clean_name(change.name or "") or avatar.name
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
    before = None
    while True:
        with service.database.reading() as session:
            name: str = getattr(may_read(me, session.get(StoredAvatar, avatar_id)), which)
        if not name:
            raise ProblemError(404, "this avatar is not made yet; wait for its job")
        try:
            return Response(service.files.read(name), media_type=media_type)
        except StorageError:
            if name == before:
                raise
            before = name
