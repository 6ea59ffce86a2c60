"""/api/me: the own password, and the sign-ins at an OpenID provider that are linked to the own account."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from server.accounts import identities, passwords
from server.accounts.oidc import ProviderError
from server.api.accounts import Password, Token, address_of
from server.api.external import BACK, DESK, provider_of, remember_begun
from server.api.problems import ProblemError
from server.api.service import Me, Service, ServiceDep
from server.store.tables import Person

router = APIRouter(prefix="/api/me", tags=["accounts"])
OwnPassword = Annotated[str, Field(max_length=passwords.MOST, description="The own password, as it is now.")]


class PasswordChange(BaseModel):
    """current: the password as it is now. password: the new one."""

    current: OwnPassword
    password: Password


class NewLink(BaseModel):
    """A sign-in to link. password: the own one. back: path of the page to come back to."""

    password: OwnPassword
    back: Annotated[str, Field(pattern=BACK)] = DESK


class LinkBegun(BaseModel):
    """address: of the provider, to go to with this browser, whose cookie knows of it."""

    address: str


class LinkedOut(BaseModel):
    """A sign-in at an OpenID provider. provider: its host name. created: seconds since 1970."""

    id: str
    provider: str
    created: float


class LinkedList(BaseModel):
    """All of them; a person has few."""

    items: list[LinkedOut]


@router.put("/password", status_code=201)
def change_password(request: Request, me: Me, service: ServiceDep, change: PasswordChange) -> Token:
    """Another password. All sign-ins of the person end; the answer is a new one."""
    person = _prove(request, service, me.person, change.current)
    service.people.set_password(person.id, change.password, actor=me.person)
    return Token(token=service.people.token_of(person.id))


@router.get("/identities")
def list_identities(me: Me, service: ServiceDep) -> LinkedList:
    """The sign-ins at an OpenID provider that lead to this account."""
    with service.database.reading() as session:
        found = identities.identities_of(session, me.person)
    return LinkedList(items=[LinkedOut(id=i.id, provider=urlsplit(i.issuer).hostname or "", created=i.created) for i in found])


@router.post("/identities", status_code=201)
def begin_link(request: Request, response: Response, me: Me, service: ServiceDep, new: NewLink) -> LinkBegun:
    """Begin to link this account with a sign-in at the OpenID provider: the browser goes to the address, signs in there, and
    comes back. Only whoever is signed in on both sides can link them; e-mail addresses do not count."""
    provider = provider_of(service)
    person = _prove(request, service, me.person, new.password)
    try:
        place, cookie = provider.begin(new.back, link=(person.id, person.generation))
    except ProviderError as error:
        raise ProblemError(503, str(error), retry_after=10) from None
    remember_begun(request, response, cookie)
    return LinkBegun(address=place)


@router.delete("/identities/{identity_id}", status_code=201)
def unlink(me: Me, service: ServiceDep, identity_id: str) -> Token:
    """That sign-in leads to this account no longer. All sign-ins of the person end; the answer is a new one."""
    issuer = "" if service.provider is None else service.provider.issuer
    identities.unlink(service.database, me.person, identity_id, issuer=issuer, passwords=service.passwords)
    return Token(token=service.people.token_of(me.person))


def _prove(request: Request, service: Service, person: str, password: str) -> Person:
    """The person, who has shown the own password. Raises `ProblemError`."""
    with service.database.reading() as session:
        found = session.get(Person, person)
    if found is None or found.login is None or not service.passwords:
        raise ProblemError(403, "an account with a password was expected; this one signs in without one")
    service.limits.sign_in.take(f"{address_of(request)} {found.login}")
    service.limits.hashes.take()
    if not passwords.matches(password, found.password):
        raise ProblemError(403, "the password of this account was expected, another one came; try again")
    return found
