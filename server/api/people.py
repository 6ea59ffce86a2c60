"""/api/people and /api/audit: what admins see and do."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import select

from server.accounts import passwords
from server.accounts.people import ConflictError, clean_name, keeps_an_admin
from server.api import erasing
from server.api.accounts import KeyOut, Name, NewKey, Password, PersonOut, keys_of, make_key, person_out
from server.api.paging import After, Limit, Page, page_of
from server.api.problems import ProblemError
from server.api.service import MAX_INTEGER, Admin, IfMatch, ServiceDep, check_version, note
from server.store.tables import AuditEntry, Person

router = APIRouter(prefix="/api", tags=["admin"])
Role = Annotated[str, Field(pattern="^(admin|member)$")]


class NewPerson(BaseModel):
    """An account that an admin makes."""

    login: Name
    name: Name
    password: Password
    role: Role = "member"


class PersonChange(BaseModel):
    """What is left out stays."""

    name: Name | None = None
    role: Role | None = None
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


@router.get("/people")
def list_people(_: Admin, service: ServiceDep, after: After = "", limit: Limit = 100) -> Page[PersonOut]:
    """Everybody on this server, in the order of their ids."""
    with service.database.reading() as session:
        found = session.scalars(select(Person).where(Person.id > after).order_by(Person.id).limit(limit + 1))
        return page_of(found, limit, person_out, lambda person: person.id)


@router.post("/people", status_code=201)
def add_person(admin: Admin, service: ServiceDep, new: NewPerson) -> PersonOut:
    """Make an account."""
    return person_out(service.people.add(new.login, new.name, new.password, new.role, actor=admin.person))


@router.patch("/people/{person_id}")
def change_person(admin: Admin, service: ServiceDep, person_id: str, change: PersonChange, if_match: IfMatch = None) -> PersonOut:
    """Rename, promote, disable, or set a new password; the person's tokens end with the last two. With `If-Match: VERSION` only
    when nobody else has changed the person meanwhile."""
    kept = None if change.password is None else passwords.hashed(change.password)
    with service.database.session() as session:
        service.database.alone(session)
        person = session.get(Person, person_id)
        if person is None:
            raise ProblemError(404, "there is no such person")
        check_version(person, if_match)
        if (person.role == "guest" and change.role) or (person.login is None and kept):
            raise ProblemError(409, "somebody without a login has no password, and a guest no other role; make an account")
        person.name = clean_name(change.name or "") or person.name
        person.role = change.role or person.role
        if change.disabled is not None:
            person.disabled = change.disabled
        person.password = kept or person.password
        person.generation += kept is not None or bool(change.disabled)
        if not keeps_an_admin(session):
            raise ConflictError("the last admin cannot give up these rights; make another one first")
        secret = {} if kept is None else {"password": True}
        session.add(note(admin, "person.change", person_id, disabled=person.disabled, role=person.role, **secret))
        changed = person_out(person)
    if change.disabled:
        service.rooms.put_out(person_id)
    return changed


@router.delete("/people/{person_id}", status_code=204)
def erase_person(admin: Admin, service: ServiceDep, person_id: str) -> Response:
    """Erase somebody and everything that is theirs."""
    erasing.erase_person(service, admin, person_id)
    return Response(status_code=204)


@router.get("/people/{person_id}/keys")
def list_keys(_: Admin, service: ServiceDep, person_id: str, after: After = "", limit: Limit = 100) -> Page[KeyOut]:
    """Somebody's API keys."""
    return keys_of(service, person_id, after, limit)


@router.get("/keys")
def list_all_keys(_: Admin, service: ServiceDep, after: After = "", limit: Limit = 100) -> Page[KeyOut]:
    """Everybody's API keys."""
    return keys_of(service, None, after, limit)


@router.post("/people/{person_id}/keys", status_code=201)
def add_key(admin: Admin, service: ServiceDep, person_id: str, new: NewKey) -> KeyOut:
    """An API key for somebody."""
    return make_key(service, admin, person_id, new.name)


@router.delete("/people/{person_id}/keys/{key_id}", status_code=204)
def delete_key(admin: Admin, service: ServiceDep, person_id: str, key_id: str) -> Response:
    """The key works no longer."""
    service.people.delete_key(person_id, key_id, actor=admin.person)
    return Response(status_code=204)


@router.get("/audit")
def read_audit(
    _: Admin,
    service: ServiceDep,
    after: Annotated[int | None, Query(ge=0, le=MAX_INTEGER, description="`next` of the part before.")] = None,
    limit: Limit = 100,
) -> Page[AuditOut]:
    """The audit log, newest first."""
    with service.database.reading() as session:
        query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit + 1)
        found = session.scalars(query if after is None else query.where(AuditEntry.id < after))
        return page_of(found, limit, _audit_out, lambda entry: entry.id)


def _audit_out(entry: AuditEntry) -> AuditOut:
    return AuditOut(id=entry.id, at=entry.at, actor=entry.actor, act=entry.act, object=entry.object, detail=entry.detail)
