"""/api/setup, /api/guests, /api/sessions, /api/me, /api/people, /api/audit."""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import select

from server.accounts import passwords
from server.api.avatars import erase
from server.api.problems import ProblemError
from server.api.service import Admin, Me, ServiceDep, note
from server.store.tables import AuditEntry, Consent, Person, StoredAvatar

router = APIRouter(prefix="/api", tags=["accounts"])
Password = Annotated[str, Field(min_length=passwords.LEAST, max_length=passwords.MOST)]
Name = Annotated[str, Field(min_length=1, max_length=64)]


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


class NewPerson(BaseModel):
    """An account that an admin makes."""

    login: Name
    name: Name
    password: Password
    role: Annotated[str, Field(pattern="^(admin|member)$")] = "member"


class Token(BaseModel):
    """For the Authorization header: `Bearer TOKEN`."""

    token: str


class PersonOut(BaseModel):
    """Somebody on this server."""

    id: str
    login: str | None
    name: str
    role: str
    disabled: bool


class PersonChange(BaseModel):
    """What is left out stays."""

    name: Name | None = None
    role: Annotated[str, Field(pattern="^(admin|member)$")] | None = None
    disabled: bool | None = None
    password: Password | None = None


class AuditOut(BaseModel):
    """What somebody did."""

    id: int
    at: float
    actor: str
    act: str
    object: str
    detail: dict[str, str | int | bool]


def _out(person: Person) -> PersonOut:
    return PersonOut(id=person.id, login=person.login, name=person.name, role=person.role, disabled=person.disabled)


@router.post("/setup", status_code=201)
def set_up(service: ServiceDep, setup: Setup) -> Token:
    """Make the first admin; works once."""
    if service.people.has_admin():
        raise ProblemError(409, "this server has an admin already; sign in")
    if not secrets.compare_digest(setup.key.encode(), service.setup_key.encode()):
        raise ProblemError(403, "the link that the server printed when it started was expected; open that")
    service.people.add(setup.login, setup.name, setup.password, "admin")
    return Token(token=service.people.sign_in(setup.login, setup.password))


@router.post("/guests", status_code=201)
def add_guest(service: ServiceDep, guest: NewGuest) -> Token:
    """A token for somebody with a room's link, whose avatars then are theirs."""
    if service.role_of(guest.key) not in ("host", "person"):
        raise ProblemError(403, "the link of a room for people with an avatar was expected; ask for one")
    return Token(token=service.people.guest(guest.name))


@router.post("/sessions", status_code=201)
def sign_in(service: ServiceDep, account: SignIn) -> Token:
    """Sign in."""
    return Token(token=service.people.sign_in(account.login, account.password))


@router.delete("/sessions", status_code=204)
def sign_out(me: Me, service: ServiceDep) -> Response:
    """Sign out everywhere: all tokens of the person end."""
    service.people.sign_out_everywhere(me.person)
    return Response(status_code=204)


@router.get("/me")
def read_me(me: Me, service: ServiceDep) -> PersonOut:
    """Who one is."""
    with service.database.session() as session:
        return _out(session.get_one(Person, me.person))


@router.get("/me/export", response_class=Response)
def export_me(me: Me, service: ServiceDep) -> Response:
    """Everything that is the person's, as a ZIP: avatars, previews, consents."""
    out = io.BytesIO()
    with service.database.session() as session, zipfile.ZipFile(out, "w") as archive:
        person = session.get_one(Person, me.person)
        avatars = session.scalars(select(StoredAvatar).where(StoredAvatar.owner_id == me.person)).all()
        consents = session.scalars(select(Consent).where(Consent.avatar_id.in_([a.id for a in avatars]))).all()
        about = {
            "person": _out(person).model_dump(),
            "avatars": [{"id": a.id, "name": a.name, "quality": a.quality, "shared": a.shared} for a in avatars],
            "consents": [
                {"avatar": c.avatar_id, "subject": c.subject, "text": c.text, "photo_sha256": c.photo_sha256, "at": c.at}
                for c in consents
            ],
        }
        archive.writestr("about.json", json.dumps(about, indent=2))
        for avatar in avatars:
            for name, suffix in ((avatar.file, "avatar"), (avatar.preview, "png")):
                if name:
                    archive.writestr(f"{avatar.id}.{suffix}", service.files.read(name))
    return Response(
        out.getvalue(), media_type="application/zip", headers={"content-disposition": "attachment; filename=visavis.zip"}
    )


@router.delete("/me", status_code=204)
def erase_me(me: Me, service: ServiceDep) -> Response:
    """Erase the person and everything that is theirs."""
    _erase_person(service, me.person)
    return Response(status_code=204)


def _erase_person(service: ServiceDep, person: str) -> None:
    names: list[str] = []
    gone: list[str] = []
    with service.database.session() as session:
        found = session.get(Person, person)
        if found is None:
            raise ProblemError(404, "there is no such person")
        if found.role == "admin" and session.scalar(select(Person.id).where(Person.role == "admin", Person.id != person)) is None:
            raise ProblemError(409, "the last admin cannot be erased; make another one first")
        for avatar in session.scalars(select(StoredAvatar).where(StoredAvatar.owner_id == person)):
            names += erase(session, avatar)
            gone.append(avatar.id)
        session.flush()
        session.delete(found)
        session.add(AuditEntry(actor=person, act="person.erase", object=person))
    for avatar_id in gone:
        service.erased(avatar_id)
    for name in names:
        service.files.delete(name)


@router.get("/people", tags=["admin"])
def list_people(
    _: Admin, service: ServiceDep, after: str = "", limit: Annotated[int, Query(ge=1, le=200)] = 100
) -> list[PersonOut]:
    """Everybody on this server, by id."""
    with service.database.session() as session:
        return [_out(p) for p in session.scalars(select(Person).where(Person.id > after).order_by(Person.id).limit(limit))]


@router.post("/people", status_code=201, tags=["admin"])
def add_person(admin: Admin, service: ServiceDep, new: NewPerson) -> PersonOut:
    """Make an account."""
    return _out(service.people.add(new.login, new.name, new.password, new.role, actor=admin.person))


@router.patch("/people/{person_id}", tags=["admin"])
def change_person(admin: Admin, service: ServiceDep, person_id: str, change: PersonChange) -> PersonOut:
    """Rename, promote, disable, or set a new password; the person's tokens end with the last two."""
    with service.database.session() as session:
        person = session.get(Person, person_id)
        if person is None:
            raise ProblemError(404, "there is no such person")
        if person.id == admin.person and (change.disabled or change.role == "member"):
            raise ProblemError(409, "admins cannot take away their own rights; another admin can")
        person.name = change.name or person.name
        person.role = change.role or person.role
        if change.disabled is not None:
            person.disabled = change.disabled
        if change.password is not None:
            person.password = passwords.hashed(change.password)
        person.generation += change.password is not None or bool(change.disabled)
        session.add(note(admin, "person.change", person_id, disabled=person.disabled, role=person.role))
        return _out(person)


@router.delete("/people/{person_id}", status_code=204, tags=["admin"])
def erase_person(admin: Admin, service: ServiceDep, person_id: str) -> Response:
    """Erase somebody and everything that is theirs."""
    _erase_person(service, person_id)
    with service.database.session() as session:
        session.add(note(admin, "person.erase", person_id))
    return Response(status_code=204)


@router.get("/audit", tags=["admin"])
def read_audit(
    _: Admin, service: ServiceDep, before: int | None = None, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> list[AuditOut]:
    """The audit log, newest first."""
    with service.database.session() as session:
        query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
        found = session.scalars(query if before is None else query.where(AuditEntry.id < before))
        return [AuditOut(id=e.id, at=e.at, actor=e.actor, act=e.act, object=e.object, detail=e.detail) for e in found]
