"""/api/avatars: make one of a photo, look at it, share it, erase it."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, File, Form, Header, Query, Response, UploadFile
from pydantic import BaseModel, Field
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from server.accounts.people import Identity
from server.api.problems import ProblemError
from server.api.service import Me, Service, ServiceDep, may_change, may_read, note
from server.store.tables import Consent, Job, Person, StoredAvatar, new_id

router = APIRouter(prefix="/api/avatars", tags=["avatars"])

MAX_PHOTO = 24 << 20
MAX_PHOTOS = 8
MAX_WAITING = 3
"""Enrollments of one person that wait or run."""
CONSENT = (
    "I am the person in the photo, or the person has agreed. An avatar is made of it, which I can see, share, export and erase. "
    "The photo is deleted afterwards."
)
"""The words that somebody agrees to in the page."""


class AvatarOut(BaseModel):
    """An avatar. state: waiting, ready or failed. notes: what is weak about it. version: for `If-Match`."""

    id: str
    name: str
    state: str
    quality: str
    notes: list[str]
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


def _out(avatar: StoredAvatar, identity: Identity, job: str | None = None) -> AvatarOut:
    return AvatarOut(
        id=avatar.id, name=avatar.name, state=avatar.state, quality=avatar.quality, notes=avatar.notes, shared=avatar.shared,
        mine=avatar.owner_id == identity.person, version=avatar.version, job=job,
    )  # fmt: skip


@router.get("")
def list_avatars(me: Me, service: ServiceDep, after: str = "", limit: Annotated[int, Query(ge=1, le=100)] = 50) -> Page:
    """One's own avatars and those shared with everybody; all of them for an admin. In the order of their ids."""
    with service.database.session() as session:
        query = select(StoredAvatar).where(StoredAvatar.id > after).order_by(StoredAvatar.id).limit(limit + 1)
        if not me.is_admin:
            query = query.where(or_(StoredAvatar.owner_id == me.person, StoredAvatar.shared))
        found = list(session.scalars(query))
        more = len(found) > limit
        return Page(items=[_out(a, me) for a in found[:limit]], next=found[limit - 1].id if more else None)


@router.post("", status_code=202)
def enroll(
    me: Me,
    service: ServiceDep,
    photos: Annotated[list[UploadFile], File(description="JPEG, PNG, HEIC, AVIF, TIFF or WebP; the most frontal one leads.")],
    name: Annotated[str, Form(min_length=1, max_length=64)],
    subject: Annotated[str, Form(min_length=1, max_length=128, description="Who is in the photo, and has agreed.")],
    agreed: Annotated[bool, Form(description="Must be true: the subject agrees to `consent`.")],
    consent: Annotated[str, Form(min_length=10, max_length=4000, description="The words that were agreed to.")] = CONSENT,
    keep_photo: Annotated[bool, Form()] = False,
    quality: Annotated[str, Form(pattern="^(instant|standard|high)$")] = "instant",
    owner: Annotated[str, Form(max_length=32, description="For an admin: whose avatar it becomes.")] = "",
    idempotency_key: Annotated[str | None, Header(max_length=128)] = None,
) -> AvatarOut:
    """Make an avatar. The same `Idempotency-Key` again answers with the avatar of the first time."""
    if not agreed:
        raise ProblemError(422, "the consent of who is in the photo was expected; nothing is made without it")
    if owner and owner != me.person and not me.is_admin:
        raise ProblemError(403, "only an admin may make avatars for others")
    with service.database.session() as session:
        known = _known(session, me, idempotency_key)
        if known is not None:
            return known
        _check_limits(session, me)
        if owner and session.get(Person, owner) is None:
            raise ProblemError(422, "there is no such person; make the account first")
    data = _read(photos)
    folder = f"jobs{new_id()}"
    for index, photo in enumerate(data):
        service.files.write(f"{folder}/photo{index}", photo)
    with service.database.session() as session:
        avatar = StoredAvatar(owner_id=owner or me.person, name=name.strip() or "Avatar", quality=quality)
        session.add(avatar)
        session.flush()
        session.add(
            Consent(
                avatar_id=avatar.id, subject=subject.strip(), recorded_by=me.person, text=consent, keep_photo=keep_photo,
                photo_sha256=hashlib.sha256(data[0]).hexdigest(),
            )
        )  # fmt: skip
        job = Job(
            owner_id=me.person, avatar_id=avatar.id, quality=quality, folder=folder, key=idempotency_key,
            priority=2 if quality == "instant" else 0,
        )  # fmt: skip
        session.add(job)
        session.flush()
        session.add(note(me, "avatar.enroll", avatar.id, quality=quality))
        return _out(avatar, me, job.id)


def _known(session: Session, me: Identity, key: str | None) -> AvatarOut | None:
    if key is None:
        return None
    job = session.scalar(select(Job).where(Job.owner_id == me.person, Job.key == key))
    avatar = None if job is None else session.get(StoredAvatar, job.avatar_id)
    return None if avatar is None or job is None else _out(avatar, me, job.id)


def _check_limits(session: Session, me: Identity) -> None:
    busy = select(func.count()).select_from(Job).where(Job.owner_id == me.person, Job.state.in_(("waiting", "running")))
    if not me.is_admin and int(session.scalar(busy) or 0) >= MAX_WAITING:
        raise ProblemError(429, f"at most {MAX_WAITING} avatars are made for one person at the same time; wait for one of them")


def _read(photos: list[UploadFile]) -> list[bytes]:
    if not 1 <= len(photos) <= MAX_PHOTOS:
        raise ProblemError(422, f"1 to {MAX_PHOTOS} photos were expected, {len(photos)} came")
    data = [photo.file.read(MAX_PHOTO + 1) for photo in photos]
    if any(len(photo) > MAX_PHOTO for photo in data):
        raise ProblemError(413, f"photos of at most {MAX_PHOTO >> 20} MB were expected; send a smaller one")
    if not all(data):
        raise ProblemError(422, "a photo was expected, an empty file came")
    return data


@router.get("/{avatar_id}")
def read_avatar(me: Me, service: ServiceDep, avatar_id: str) -> AvatarOut:
    """One avatar."""
    with service.database.session() as session:
        return _out(may_read(me, session.get(StoredAvatar, avatar_id)), me)


@router.patch("/{avatar_id}")
def change_avatar(
    me: Me, service: ServiceDep, avatar_id: str, change: AvatarChange, if_match: Annotated[str | None, Header()] = None
) -> AvatarOut:
    """Rename or share. With `If-Match: VERSION` only when nobody else has changed it meanwhile."""
    with service.database.session() as session:
        avatar = may_change(me, session.get(StoredAvatar, avatar_id))
        if if_match is not None and if_match.strip('"') != str(avatar.version):
            raise ProblemError(412, "somebody else has changed this avatar meanwhile; read it again")
        if change.name is not None:
            avatar.name = change.name.strip() or avatar.name
        if change.shared is not None and change.shared != avatar.shared:
            avatar.shared = change.shared
            session.add(note(me, "avatar.share", avatar.id, shared=change.shared))
        session.flush()
        return _out(avatar, me)


@router.delete("/{avatar_id}", status_code=204)
def erase_avatar(me: Me, service: ServiceDep, avatar_id: str) -> Response:
    """Erase an avatar: its file, preview, photos, consent and jobs. Calls that show it end with it."""
    with service.database.session() as session:
        avatar = may_change(me, session.get(StoredAvatar, avatar_id))
        names = erase(session, avatar)
        session.add(note(me, "avatar.erase", avatar_id))
    service.erased(avatar_id)
    for name in names:
        service.files.delete(name)
    return Response(status_code=204)


def erase(session: Session, avatar: StoredAvatar) -> list[str]:
    """Take an avatar out of the database; returns the names of files to delete once that is kept."""
    folders = session.scalars(select(Job.folder).where(Job.avatar_id == avatar.id)).all()
    names = [name for name in (avatar.file, avatar.preview, *folders) if name]
    session.delete(avatar)
    return names


@router.get("/{avatar_id}/file", response_class=Response)
def read_file(me: Me, service: ServiceDep, avatar_id: str) -> Response:
    """The .avatar file."""
    with service.database.session() as session:
        avatar = may_change(me, session.get(StoredAvatar, avatar_id))
        name = avatar.file
    return _file(service, name, "application/octet-stream")


@router.get("/{avatar_id}/preview", response_class=Response)
def read_preview(me: Me, service: ServiceDep, avatar_id: str) -> Response:
    """A PNG of the avatar from the front."""
    with service.database.session() as session:
        name = may_read(me, session.get(StoredAvatar, avatar_id)).preview
    return _file(service, name, "image/png")


def _file(service: Service, name: str, media_type: str) -> Response:
    if not name:
        raise ProblemError(404, "this avatar is not made yet; wait for its job")
    return Response(service.files.read(name), media_type=media_type)
