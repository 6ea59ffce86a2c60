"""What the endpoints share, and who asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from server.accounts.people import Identity, People
from server.accounts.tokens import Tokens
from server.api.problems import ProblemError
from server.call.protocol import Role
from server.store.database import Database
from server.store.files import FileStore
from server.store.queue import JobQueue
from server.store.tables import AuditEntry, StoredAvatar


@dataclass(frozen=True)
class Service:
    """The parts behind the API. role_of: what a room's key allows. erased: to be told of an avatar that was erased, on any
    thread. setup_key: the secret of the one-time set-up link."""

    database: Database
    files: FileStore
    queue: JobQueue
    people: People
    tokens: Tokens
    role_of: Callable[[str], Role | None]
    erased: Callable[[str], None]
    setup_key: str


_bearer = HTTPBearer(auto_error=False, description="A token of `POST /api/sessions` or `/api/guests`, or an API key.")


def service_of(request: Request) -> Service:
    """The service that the request came to."""
    found: Service = request.app.state.service
    return found


def identity_of(request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Identity:
    """Who asks. Raises `InvalidTokenError`, `ProblemError`."""
    if credentials is None:
        raise ProblemError(401, "sign in first: a token was expected in the Authorization header")
    return service_of(request).people.identify(credentials.credentials)


def admin_of(identity: Annotated[Identity, Depends(identity_of)]) -> Identity:
    """The same for an admin. Raises `ProblemError`."""
    if not identity.is_admin:
        raise ProblemError(403, "only an admin may do that; ask one")
    return identity


ServiceDep = Annotated[Service, Depends(service_of)]
Me = Annotated[Identity, Depends(identity_of)]
Admin = Annotated[Identity, Depends(admin_of)]


def may_read(identity: Identity, avatar: StoredAvatar | None) -> StoredAvatar:
    """The avatar, for whoever may see it. Raises `ProblemError`, which does not tell whether there is one."""
    if avatar is None or not (avatar.owner_id == identity.person or avatar.shared or identity.is_admin):
        raise ProblemError(404, "there is no such avatar, or it is not yours")
    return avatar


def may_change(identity: Identity, avatar: StoredAvatar | None) -> StoredAvatar:
    """The avatar, for whoever may change it. Raises `ProblemError`."""
    found = may_read(identity, avatar)
    if found.owner_id != identity.person and not identity.is_admin:
        raise ProblemError(403, "only its owner may change an avatar")
    return found


def note(identity: Identity, act: str, subject: str = "", **detail: str | int | bool) -> AuditEntry:
    """An entry of the audit log."""
    return AuditEntry(actor=identity.person, act=act, object=subject, detail=dict(detail))
