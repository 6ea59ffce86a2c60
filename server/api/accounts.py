"""/api/setup, /api/guests, /api/sessions, /api/me: who one is."""

from __future__ import annotations

import json
import secrets
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from sqlalchemy import select

from models.errors import StorageError
from server.accounts import passwords
from server.accounts.identities import identities_of
from server.accounts.people import Identity
from server.api.erasing import erase_person
from server.api.latest import read_latest
from server.api.paging import After, Limit, Page, page_of
from server.api.problems import ProblemError
from server.api.service import Credential, Me, Service, ServiceDep, as_json
from server.store.tables import ApiKey, Consent, Job, Person, StoredAvatar

router = APIRouter(prefix="/api", tags=["accounts"])
Password = Annotated[str, Field(min_length=passwords.LEAST, max_length=passwords.MOST)]
Name = Annotated[str, Field(min_length=1, max_length=64)]
IN_MEMORY = 8 << 20
"""Bytes of an export; a longer one is put on the disk."""


class SignIn(BaseModel):
    """Login and password of an account."""

    login: Annotated[str, Field(max_length=64)]
    password: Annotated[str, Field(max_length=passwords.MOST)]


class Setup(BaseModel):
    """The first admin. key: of the set-up link."""

    key: Annotated[str, Field(max_length=256)]
    login: Name
    name: Name
    password: Password


class NewGuest(BaseModel):
    """Who came by a room's link. key: of that link, the host's or a person's."""

    key: Annotated[str, Field(max_length=256)]
    name: Annotated[str, Field(max_length=64)] = ""


class Token(BaseModel):
    """For the Authorization header: `Bearer TOKEN`."""

    token: str


class PersonOut(BaseModel):
    """Somebody on this server. signs_in: with a `password`, at the OpenID `provider`, or not at all, having come by a `link`.
    version: for `If-Match`."""

    id: str
    login: str | None
    name: str
    role: str
    signs_in: str
    disabled: bool
    version: int


class NewKey(BaseModel):
    """An API key to make."""

    name: Name = "key"


class KeyOut(BaseModel):
    """An API key. owner: whose it is. key: for the Authorization header, shown when it is made and never again."""

    id: str
    name: str
    owner: str
    created: float
    key: str | None = None


def person_out(person: Person) -> PersonOut:
    """What is shown of somebody."""
    signs_in = "password" if person.login is not None else "link" if person.role == "guest" else "provider"
    return PersonOut(
        id=person.id, login=person.login, name=person.name, role=person.role, signs_in=signs_in, disabled=person.disabled,
        version=person.version,
    )  # fmt: skip


@router.post("/setup", status_code=201)
def set_up(service: ServiceDep, setup: Setup) -> Token:
    """Make the first admin; works once."""
    _check_passwords(service)
    service.limits.hashes.take()
    if service.people.has_admin():
        raise ProblemError(409, "this server has an admin already; sign in")
    if not secrets.compare_digest(setup.key.encode(), service.setup_key.encode()):
        raise ProblemError(403, "the link that the server printed when it started was expected; open that")
    service.people.set_up(setup.login, setup.name, setup.password)
    return Token(token=service.people.sign_in(setup.login, setup.password))


@router.post("/guests", status_code=201)
def add_guest(request: Request, service: ServiceDep, guest: NewGuest) -> Token:
    """A token for somebody with a room's link, whose avatars then are theirs."""
    if service.rooms.role_of(guest.key) not in ("host", "person"):
        raise ProblemError(403, "the link of a room for people with an avatar was expected; ask for one")
    service.limits.guests.take(address_of(request))
    return Token(token=service.people.guest(guest.name))


@router.post("/sessions", status_code=201)
def sign_in(request: Request, service: ServiceDep, account: SignIn) -> Token:
    """Sign in with a password."""
    _check_passwords(service)
    service.limits.sign_in.take(f"{address_of(request)} {account.login}")
    service.limits.hashes.take()
    return Token(token=service.people.sign_in(account.login, account.password))


@router.post("/sessions/renewal", status_code=201)
def renew(me: Me, service: ServiceDep) -> Token:
    """A guest's next token, which lasts from now; the page asks for it once a day."""
    return Token(token=service.people.renew(me.person))


@router.delete("/sessions", status_code=204)
def sign_out(me: Me, service: ServiceDep) -> Response:
    """Sign out everywhere: all tokens of the person end. API keys stay."""
    service.people.sign_out_everywhere(me.person)
    return Response(status_code=204)


@router.get("/me", response_model=PersonOut)
def read_me(credential: Credential, service: ServiceDep) -> Response:
    """Who one is."""
    with service.database.reading() as session:
        me = service.people.identify_in(session, credential)
        return as_json(person_out(_person(session.get(Person, me.person))))


@router.get("/me/keys")
def list_keys(me: Me, service: ServiceDep, after: After = "", limit: Limit = 100) -> Page[KeyOut]:
    """One's API keys."""
    return keys_of(service, me.person, after, limit)


@router.post("/me/keys", status_code=201)
def add_key(me: Me, service: ServiceDep, new: NewKey) -> KeyOut:
    """Make an API key, for programs; it works until it is deleted."""
    return make_key(service, me, me.person, new.name)


@router.delete("/me/keys/{key_id}", status_code=204)
def delete_key(me: Me, service: ServiceDep, key_id: str) -> Response:
    """The key works no longer."""
    service.people.delete_key(me.person, key_id)
    return Response(status_code=204)


@router.get("/me/export", response_class=StreamingResponse)
def export_me(me: Me, service: ServiceDep) -> StreamingResponse:
    """Everything that is the person's, as a ZIP: avatars, previews, photos and clips that were kept, consents, enrollments."""
    out = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (closed once it is sent)
    try:
        _write_export(service, me.person, out)
    except BaseException:
        out.close()
        raise
    headers = {"content-disposition": "attachment; filename=visavis.zip", "content-length": str(out.tell())}
    return StreamingResponse(_chunks(out), media_type="application/zip", headers=headers)


@router.delete("/me", status_code=204)
def erase_me(me: Me, service: ServiceDep) -> Response:
    """Erase the person and everything that is theirs."""
    erase_person(service, me, me.person)
    return Response(status_code=204)


def _check_passwords(service: Service) -> None:
    if not service.passwords:
        raise ProblemError(403, "passwords are not used here; sign in at the OpenID provider")


def keys_of(service: Service, person: str | None, after: str, limit: int) -> Page[KeyOut]:
    """Somebody's API keys, or everybody's, in the order of their ids."""
    with service.database.reading() as session:
        query = select(ApiKey).where(ApiKey.id > after).order_by(ApiKey.id).limit(limit + 1)
        found = session.scalars(query if person is None else query.where(ApiKey.person_id == person))
        return page_of(found, limit, lambda key: key_out(key), lambda key: key.id)


def key_out(found: ApiKey, key: str | None = None) -> KeyOut:
    """What is shown of an API key."""
    return KeyOut(id=found.id, name=found.name, owner=found.person_id, created=found.created, key=key)


def make_key(service: Service, me: Identity, person: str, name: str) -> KeyOut:
    """An API key for somebody. Raises `VisavisError`."""
    made, key = service.people.add_key(person, name, actor=me.person)
    return key_out(made, key)


def address_of(request: Request) -> str:
    """Where a request comes from, for limits."""
    return request.client.host if request.client is not None else ""


def _person(found: Person | None) -> Person:
    if found is None:
        raise ProblemError(401, "this sign-in is not valid any more; sign in again")  # erased in this moment
    return found


def _write_export(service: Service, person: str, out: IO[bytes]) -> None:
    with service.database.reading() as session:
        found = _person(session.get(Person, person))
        avatars = session.scalars(select(StoredAvatar).where(StoredAvatar.owner_id == person)).all()
        ids = [avatar.id for avatar in avatars]
        consents = session.scalars(select(Consent).where(Consent.avatar_id.in_(ids))).all()
        jobs = session.scalars(select(Job).where(Job.avatar_id.in_(ids))).all()
        linked = identities_of(session, person)
    about = {
        "person": person_out(found).model_dump(),
        "sign_ins": [{"issuer": i.issuer, "subject": i.subject, "linked": i.created} for i in linked],
        "avatars": [
            {
                "id": a.id,
                "name": a.name,
                "quality": a.quality,
                "shared": a.shared,
                "notes": a.notes,
                "report": a.report,
            }
            for a in avatars
        ],
        "consents": [
            {"avatar": c.avatar_id, "subject": c.subject, "text": c.text, "photo_sha256": c.photo_sha256, "at": c.at}
            for c in consents
        ],
        "enrollments": [
            {"avatar": j.avatar_id, "quality": j.quality, "state": j.state, "at": j.created, "error": j.error} for j in jobs
        ],
    }
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("about.json", json.dumps(about, indent=2))
        for avatar in avatars:
            for which, suffix in (("file", "avatar"), ("preview", "png"), ("turntable", "webp")):
                name_of = partial(_name_now, service, avatar.id, which)
                _add(service, archive, name_of, f"{avatar.id}.{suffix}")
        for job in jobs:
            for name in service.files.names(job.folder) if job.folder else []:
                _add(service, archive, partial(str, name), f"{job.avatar_id}-{job.id}-{name.rpartition('/')[2]}")


def _name_now(service: Service, avatar_id: str, which: str) -> str:
    """Of an avatar's file; empty for one that was erased meanwhile."""
    with service.database.reading() as session:
        avatar = session.get(StoredAvatar, avatar_id)
        return "" if avatar is None else str(getattr(avatar, which))


def _add(service: Service, archive: zipfile.ZipFile, name_of: Callable[[], str], member: str) -> None:
    try:
        _, data = read_latest(name_of, lambda name: service.files.read(name) if name else b"")
    except StorageError:
        name = name_of()
        if name in service.files.names(name.partition("/")[0]):
            raise
        return  # erased meanwhile
    if data:
        archive.writestr(member, data)


def _chunks(out: IO[bytes]) -> Iterator[bytes]:
    with out:
        out.seek(0)
        while data := out.read(1 << 16):
            yield data
