"""POST /api/avatars: make an avatar of photos or of a clip; POST /api/avatars/ID/better: make one better that is there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Header, UploadFile
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.accounts.limits import read_limits
from server.accounts.people import Identity, clean_name
from server.api.avatars import AvatarOut, avatar_out
from server.api.problems import ProblemError
from server.api.service import Me, Service, ServiceDep, may_change, note
from server.jobs.inputs import CLIP, PHOTO
from server.store.cleaning import PHOTOS
from server.store.queue import OVER
from server.store.tables import Consent, Job, Person, StoredAvatar, new_id

router = APIRouter(prefix="/api/avatars", tags=["avatars"])

MAX_PHOTO, MAX_CLIP = 24 << 20, 48 << 20
"""Bytes."""
MAX_PHOTOS = 8
RETRY_AFTER = 10
"""Seconds after which an enrollment may be over."""
PRIORITY = {"instant": 2, "standard": 1, "high": 0}
CONSENT = (
    "I am the person in the photo, or the person has agreed. An avatar is made of it, which I can see, share, export and erase. "
    "The photo is deleted afterwards."
)
"""The words that somebody agrees to in the page."""
CONSENT_TO_KEEP = CONSENT.replace("The photo is deleted afterwards.", "The photo is kept with it until the avatar is erased.")
"""The same for somebody who lets the photo be kept."""


@dataclass(frozen=True)
class Agreement:
    """What whoever is seen has agreed to, cleaned. text: the words."""

    subject: str
    text: str
    keep_photo: bool


async def agreement_of(
    subject: Annotated[str, Form(min_length=1, max_length=128, description="Who is seen, and has agreed.")],
    agreed: Annotated[bool, Form(description="Must be true: the subject agrees to `consent`.")],
    consent: Annotated[str, Form(max_length=4000, description="The words that were agreed to; the server's when empty.")] = "",
    keep_photo: Annotated[bool, Form(description="Whether photos and clip may be kept.")] = False,
) -> Agreement:
    """The consent that comes with photos or a clip. Raises `ProblemError`."""
    return check_agreement(subject, consent, agreed=agreed, keep_photo=keep_photo)


def check_agreement(subject: str, consent: str, *, agreed: bool, keep_photo: bool) -> Agreement:
    """A consent as it is kept. Raises `ProblemError` without one."""
    if not agreed:
        raise ProblemError(422, "the consent of who is in the photo was expected; nothing is made without it")
    if not clean_name(subject):
        raise ProblemError(422, "the name of who is in the photo was expected, an empty one came")
    return Agreement(clean_name(subject), consent.strip() or (CONSENT_TO_KEEP if keep_photo else CONSENT), keep_photo)


@dataclass(frozen=True)
class Uploads:
    """What an avatar is made of, still on its way: files on the disk of this machine."""

    photos: list[UploadFile]
    clip: UploadFile | None

    def read(self) -> Iterator[tuple[str, bytes]]:
        """Name in the job's folder and content, one after the other, so that one is in memory. Raises `ProblemError`."""
        for index, photo in enumerate(self.photos):
            yield f"{PHOTO}{index}", _content(photo, MAX_PHOTO, "a photo", "photos")
        if self.clip is not None:
            yield CLIP, _content(self.clip, MAX_CLIP, "a clip", "clips")


async def uploads_of(
    photos: Annotated[
        list[UploadFile], File(description="JPEG, PNG, HEIC, AVIF, TIFF or WebP; the most frontal one leads.")
    ] = [],  # noqa: B006 (FastAPI's way)
    clip: Annotated[
        UploadFile | None, File(description="WebM, MP4 or MOV of the person, some 15 seconds; standard quality.")
    ] = None,
) -> Uploads:
    """Photos, a clip, or both. Raises `ProblemError`."""
    return check_uploads(photos, clip)


def check_uploads(photos: list[UploadFile], clip: UploadFile | None) -> Uploads:
    """Photos, a clip, or both. Raises `ProblemError` for none, or too many."""
    if len(photos) > MAX_PHOTOS:
        raise ProblemError(422, f"1 to {MAX_PHOTOS} photos were expected, {len(photos)} came")
    if not photos and clip is None:
        raise ProblemError(422, "photos or a clip were expected, none came")
    return Uploads(photos, clip)


Quality = Annotated[str, Form(pattern="^(instant|standard|high)$")]
Key = Annotated[str | None, Header(alias="idempotency-key", min_length=1, max_length=128)]


@router.post("", status_code=202)
def enroll(
    me: Me,
    service: ServiceDep,
    uploads: Annotated[Uploads, Depends(uploads_of)],
    name: Annotated[str, Form(min_length=1, max_length=64)],
    agreement: Annotated[Agreement, Depends(agreement_of)],
    quality: Quality = "instant",
    owner: Annotated[str, Form(max_length=32, description="For an admin: whose avatar it becomes.")] = "",
    idempotency_key: Key = None,
) -> AvatarOut:
    """Make an avatar of photos or of a clip. From a clip, or with a better quality than instant, an instant avatar can be used
    while the better one is made. The same `Idempotency-Key` again answers with the avatar of the first time."""
    if owner and owner != me.person and not me.is_admin:
        raise ProblemError(403, "only an admin may make avatars for others")
    order = _Order(service, me, owner or me.person, uploads, agreement, quality, idempotency_key)

    def new(session: Session) -> StoredAvatar:
        avatar = StoredAvatar(owner_id=order.owner, name=clean_name(name) or "Avatar", quality=quality)
        session.add(avatar)
        session.flush()
        session.add(note(me, "avatar.enroll", avatar.id, quality=quality))
        return avatar

    return order.place(new)


@router.post("/{avatar_id}/better", status_code=202)
def improve(
    me: Me,
    service: ServiceDep,
    avatar_id: str,
    uploads: Annotated[Uploads, Depends(uploads_of)],
    agreement: Annotated[Agreement, Depends(agreement_of)],
    quality: Annotated[str, Form(pattern="^(standard|high)$")] = "standard",
    idempotency_key: Key = None,
) -> AvatarOut:
    """Make an avatar better that is there, from the photo again or from a clip. It can be used meanwhile; the better one takes
    its place, also in running calls. Photos are deleted after each enrollment, so they come once more."""
    if service.better == "never":
        raise ProblemError(403, "avatars are not made better on this server; ask whoever runs it")
    with service.database.reading() as session:
        owner = may_change(me, session.get(StoredAvatar, avatar_id)).owner_id
    order = _Order(service, me, owner, uploads, agreement, quality, idempotency_key, better=True)

    def found(session: Session) -> StoredAvatar:
        avatar = may_change(me, session.get(StoredAvatar, avatar_id, with_for_update=True))
        if not avatar.file:
            raise ProblemError(409, "this avatar is not made yet; wait for its job")
        check_not_improving(session, avatar.id)
        session.add(note(me, "avatar.improve", avatar.id, quality=quality))
        return avatar

    return order.place(found)


class _Order:
    """One request for an enrollment. Raises `ProblemError` for what cannot be ordered."""

    def __init__(
        self,
        service: Service,
        me: Identity,
        owner: str,
        uploads: Uploads,
        agreement: Agreement,
        quality: str,
        key: str | None,
        *,
        better: bool = False,
    ) -> None:
        if uploads.clip is not None and quality == "high":
            raise ProblemError(422, "high quality is for photos, and a clip came; choose standard quality to learn from the clip")
        self.service, self.me, self.owner, self.uploads, self.agreement = service, me, owner, uploads, agreement
        self.quality, self.key, self.better = quality, key, better
        self.hashes = [hashlib.sha256(content).hexdigest() for _, content in uploads.read()]

    def place(self, avatar_of: Callable[[Session], StoredAvatar]) -> AvatarOut:
        """Keep the files and the rows. avatar_of: the avatar that is to be made, within the transaction."""
        with self.service.database.reading() as session:
            known = self._check(session)
        if known is not None:
            return known
        jobs = [self._job(self.quality, self.key)]
        if self.quality == "instant" and self.service.better == "always":
            jobs.append(self._job("standard", None))
        kept = False
        try:
            for name, content in self.uploads.read():
                for job in jobs:
                    self.service.files.write(f"{job.folder}/{name}", content)
            with self.service.database.session() as session:
                known = self._check(session)  # another request may have come meanwhile
                if known is not None:
                    return known
                avatar = avatar_of(session)
                for job in jobs:
                    job.avatar_id = avatar.id
                session.add_all(jobs)
                session.flush()
                session.add_all([self._consent(job) for job in jobs])
                session.flush()
                made = avatar_out(self.service, session, avatar, self.me, jobs[0].id)
            kept = True
            return made
        except IntegrityError:
            with self.service.database.reading() as session:
                known = self._check(session)
            if known is None:
                raise
            return known
        finally:
            if not kept:
                for job in jobs:
                    self.service.files.delete(job.folder)

    def _job(self, quality: str, key: str | None) -> Job:
        return Job(owner_id=self.owner, quality=quality, folder=f"{PHOTOS}{new_id()}", key=key, priority=PRIORITY[quality])

    def _consent(self, job: Job) -> Consent:
        given = self.agreement
        return Consent(
            avatar_id=job.avatar_id, job_id=job.id, subject=given.subject, recorded_by=self.me.person, text=given.text,
            keep_photo=given.keep_photo, photo_sha256=self.hashes,
        )  # fmt: skip

    def _check(self, session: Session) -> AvatarOut | None:
        """What an earlier request with that key has made. Raises `ProblemError` when no more is made for the owner now."""
        owner = self.owner
        if session.get(Person, owner) is None:
            raise ProblemError(422, "there is no such person; make the account first")
        job = None if self.key is None else session.scalar(select(Job).where(Job.owner_id == owner, Job.key == self.key))
        if job is not None:
            given = session.scalars(select(Consent.photo_sha256).where(Consent.avatar_id == job.avatar_id))
            if self.hashes not in list(given):
                raise ProblemError(422, "another key was expected: this Idempotency-Key came with other photos before")
            return avatar_out(self.service, session, session.get_one(StoredAvatar, job.avatar_id), self.me, job.id)
        check_busy(session, owner)
        limits = read_limits(session)
        made = select(func.count()).select_from(StoredAvatar).where(StoredAvatar.owner_id == owner)
        if not self.better and int(session.scalar(made) or 0) >= limits.avatars:
            raise ProblemError(409, f"at most {limits.avatars} avatars of one person are kept; erase one first")
        return None


def check_busy(session: Session, owner: str) -> None:
    """Raises `ProblemError` when as many enrollments of one person wait or run as may."""
    most = read_limits(session).jobs
    busy = select(func.count()).select_from(Job).where(Job.owner_id == owner, Job.state.not_in(OVER))
    if int(session.scalar(busy) or 0) >= most:
        sentence = f"at most {most} avatars are made for one person at the same time; wait for one of them"
        raise ProblemError(429, sentence, retry_after=RETRY_AFTER)


def check_not_improving(session: Session, avatar: str) -> None:
    """Raises `ProblemError` while an avatar is made better."""
    busy = select(Job.id).where(Job.avatar_id == avatar, Job.quality != "instant", Job.state.not_in(OVER))
    if session.scalar(busy) is not None:
        raise ProblemError(409, "this avatar is being made better already; wait for that, or cancel it")


def _content(upload: UploadFile, most: int, what: str, many: str) -> bytes:
    upload.file.seek(0)
    data = upload.file.read(most + 1)
    if len(data) > most:
        raise ProblemError(413, f"{many} of at most {most >> 20} MB were expected; send a smaller one")
    if not data:
        raise ProblemError(422, f"{what} was expected, an empty file came")
    return data
