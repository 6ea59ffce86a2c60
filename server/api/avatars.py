"""/api/avatars: make one of a photo, look at it, share it, erase it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Header, Response, UploadFile
from pydantic import BaseModel, Field
from sqlalchemy import bindparam, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.accounts.limits import read_limits
from server.accounts.people import Identity, clean_name
from server.api import erasing
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
from server.store.cleaning import PHOTOS
from server.store.queue import OVER
from server.store.tables import Consent, Job, Person, StoredAvatar, new_id

router = APIRouter(prefix="/api/avatars", tags=["avatars"])

MAX_PHOTO = 24 << 20
MAX_PHOTOS = 8
RETRY_AFTER = 10
"""Seconds after which an enrollment may be over."""
CONSENT = (
    "I am the person in the photo, or the person has agreed. An avatar is made of it, which I can see, share, export and erase. "
    "The photo is deleted afterwards."
)
"""The words that somebody agrees to in the page."""
CONSENT_TO_KEEP = CONSENT.replace("The photo is deleted afterwards.", "The photo is kept with it until the avatar is erased.")
"""The same for somebody who lets the photo be kept."""


class AvatarOut(BaseModel):
    """An avatar. state: waiting, ready or failed. notes: what is weak about it. version: for `If-Match`. owner: for
    admins only."""

    id: str
    name: str
    state: str
    quality: str
    notes: list[str]
    shared: bool
    mine: bool
    version: int
    job: str | None = None
    owner: str | None = None


class AvatarChange(BaseModel):
    """What is left out stays."""

    name: str | None = Field(None, min_length=1, max_length=64)
    shared: bool | None = None


_SHOWN = (
    StoredAvatar.id, StoredAvatar.name, StoredAvatar.state, StoredAvatar.quality, StoredAvatar.notes, StoredAvatar.shared,
    StoredAvatar.owner_id, StoredAvatar.version,
)  # fmt: skip
_ALL = select(*_SHOWN).where(StoredAvatar.id > bindparam("after")).order_by(StoredAvatar.id).limit(bindparam("most"))
_SEEN = _ALL.where(or_(StoredAvatar.owner_id == bindparam("me"), StoredAvatar.shared))
"""What a list shows, of all avatars and of those that somebody may take; made once, as each request asks."""


def _out(avatar: StoredAvatar | Any, identity: Identity, job: str | None = None) -> AvatarOut:
    return AvatarOut(
        id=avatar.id, name=avatar.name, state=avatar.state, quality=avatar.quality, notes=avatar.notes, shared=avatar.shared,
        mine=avatar.owner_id == identity.person, version=avatar.version, job=job,
        owner=avatar.owner_id if identity.is_admin else None,
    )  # fmt: skip


@router.get("", response_model=Page[AvatarOut])
def list_avatars(credential: Credential, service: ServiceDep, after: After = "", limit: Limit = 50) -> Response:
    """One's own avatars and those shared with everybody; all of them for an admin. In the order of their ids."""
    with service.database.reading() as session:
        me = service.people.identify_in(session, credential)
        found = session.execute(_ALL if me.is_admin else _SEEN, {"me": me.person, "after": after, "most": limit + 1})
        return as_json(page_of(found, limit, lambda avatar: _out(avatar, me), lambda avatar: avatar.id))


@dataclass(frozen=True)
class Agreement:
    """What whoever is in the photo has agreed to, cleaned. text: the words."""

    subject: str
    text: str
    keep_photo: bool


async def agreement_of(
    subject: Annotated[str, Form(min_length=1, max_length=128, description="Who is in the photo, and has agreed.")],
    agreed: Annotated[bool, Form(description="Must be true: the subject agrees to `consent`.")],
    consent: Annotated[str, Form(max_length=4000, description="The words that were agreed to; the server's when empty.")] = "",
    keep_photo: Annotated[bool, Form()] = False,
) -> Agreement:
    """The consent that comes with photos. Raises `ProblemError`."""
    if not agreed:
        raise ProblemError(422, "the consent of who is in the photo was expected; nothing is made without it")
    if not clean_name(subject):
        raise ProblemError(422, "the name of who is in the photo was expected, an empty one came")
    return Agreement(clean_name(subject), consent.strip() or (CONSENT_TO_KEEP if keep_photo else CONSENT), keep_photo)


@router.post("", status_code=202)
def enroll(
    me: Me,
    service: ServiceDep,
    photos: Annotated[list[UploadFile], File(description="JPEG, PNG, HEIC, AVIF, TIFF or WebP; the most frontal one leads.")],
    name: Annotated[str, Form(min_length=1, max_length=64)],
    agreement: Annotated[Agreement, Depends(agreement_of)],
    quality: Annotated[str, Form(pattern="^(instant|standard|high)$")] = "instant",
    owner: Annotated[str, Form(max_length=32, description="For an admin: whose avatar it becomes.")] = "",
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=128)] = None,
) -> AvatarOut:
    """Make an avatar. The same `Idempotency-Key` again answers with the avatar of the first time."""
    if owner and owner != me.person and not me.is_admin:
        raise ProblemError(403, "only an admin may make avatars for others")
    owner = owner or me.person
    hashes = [hashlib.sha256(photo).hexdigest() for photo in _read(photos)]
    with service.database.reading() as session:
        known = _check(session, me, owner, idempotency_key, hashes)
    if known is not None:
        return known
    job = Job(
        owner_id=owner, quality=quality, folder=f"{PHOTOS}{new_id()}", key=idempotency_key,
        priority=2 if quality == "instant" else 0,
    )  # fmt: skip
    consent = Consent(
        subject=agreement.subject, recorded_by=me.person, text=agreement.text, keep_photo=agreement.keep_photo,
        photo_sha256=hashes,
    )  # fmt: skip
    kept = False
    try:
        for index, photo in enumerate(_read(photos)):
            service.files.write(f"{job.folder}/photo{index}", photo)
        with service.database.session() as session:
            known = _check(session, me, owner, idempotency_key, hashes)  # another request may have come meanwhile
            if known is not None:
                return known
            avatar = StoredAvatar(owner_id=owner, name=clean_name(name) or "Avatar", quality=quality)
            session.add(avatar)
            session.flush()
            job.avatar_id = consent.avatar_id = avatar.id
            session.add_all([consent, job])
            session.flush()
            session.add(note(me, "avatar.enroll", avatar.id, quality=quality))
        kept = True
        return _out(avatar, me, job.id)
    except IntegrityError:
        with service.database.reading() as session:
            known = _check(session, me, owner, idempotency_key, hashes)
        if known is None:
            raise
        return known
    finally:
        if not kept:
            service.files.delete(job.folder)


def _check(session: Session, me: Identity, owner: str, key: str | None, hashes: list[str]) -> AvatarOut | None:
    """What an earlier request with that key has made. Raises `ProblemError` when no more is made for the owner now."""
    if session.get(Person, owner) is None:
        raise ProblemError(422, "there is no such person; make the account first")
    job = None if key is None else session.scalar(select(Job).where(Job.owner_id == owner, Job.key == key))
    if job is not None:
        if session.scalar(select(Consent.photo_sha256).where(Consent.avatar_id == job.avatar_id)) != hashes:
            raise ProblemError(422, "another key was expected: this Idempotency-Key came with other photos before")
        return _out(session.get_one(StoredAvatar, job.avatar_id), me, job.id)
    limits = read_limits(session)
    busy = select(func.count()).select_from(Job).where(Job.owner_id == owner, Job.state.not_in(OVER))
    if int(session.scalar(busy) or 0) >= limits.jobs:
        sentence = f"at most {limits.jobs} avatars are made for one person at the same time; wait for one of them"
        raise ProblemError(429, sentence, retry_after=RETRY_AFTER)
    made = select(func.count()).select_from(StoredAvatar).where(StoredAvatar.owner_id == owner)
    if int(session.scalar(made) or 0) >= limits.avatars:
        raise ProblemError(409, f"at most {limits.avatars} avatars of one person are kept; erase one first")
    return None


def _read(photos: list[UploadFile]) -> Iterator[bytes]:
    """One photo after the other, so that one is in memory."""
    if len(photos) > MAX_PHOTOS:
        raise ProblemError(422, f"1 to {MAX_PHOTOS} photos were expected, {len(photos)} came")
    for photo in photos:
        photo.file.seek(0)
        data = photo.file.read(MAX_PHOTO + 1)
        if len(data) > MAX_PHOTO:
            raise ProblemError(413, f"photos of at most {MAX_PHOTO >> 20} MB were expected; send a smaller one")
        if not data:
            raise ProblemError(422, "a photo was expected, an empty file came")
        yield data


@router.get("/{avatar_id}")
def read_avatar(me: Me, service: ServiceDep, avatar_id: str) -> AvatarOut:
    """One avatar."""
    with service.database.reading() as session:
        return _out(may_read(me, session.get(StoredAvatar, avatar_id)), me)


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
        return _out(avatar, me)


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
        name = avatar.file
        if name and avatar.owner_id != me.person:
            session.add(note(me, "avatar.download", avatar_id))
    return _file(service, name, "application/octet-stream")


@router.get("/{avatar_id}/preview", response_class=Response)
def read_preview(me: Me, service: ServiceDep, avatar_id: str) -> Response:
    """A PNG of the avatar from the front."""
    with service.database.reading() as session:
        name = may_read(me, session.get(StoredAvatar, avatar_id)).preview
    return _file(service, name, "image/png")


def _file(service: Service, name: str, media_type: str) -> Response:
    if not name:
        raise ProblemError(404, "this avatar is not made yet; wait for its job")
    return Response(service.files.read(name), media_type=media_type)
