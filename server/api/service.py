"""What the endpoints share, and who asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Protocol

from fastapi import Depends, Header, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from server.accounts.oidc import OpenIdProvider
from server.accounts.people import Identity, People
from server.accounts.room_tokens import RoomTokens
from server.accounts.tokens import InvalidTokenError, Tokens
from server.api.directory import NoRooms, RoomDirectory
from server.api.limits import RateLimit
from server.api.problems import ProblemError
from server.store.database import Database
from server.store.files import FileStore
from server.store.queue import JobQueue
from server.store.tables import AuditEntry, StoredAvatar
from server.web_avatar_files import WEB_AVATARS, WebAvatarFiles

MAX_INTEGER = (1 << 53) - 1


@dataclass(frozen=True)
class Limits:
    """How often what costs much may be asked for: sign-ins by login and address, all sign-ins and set-ups together (each is a
    slow hash), new guests by address, and the two halves of sign-ins at the provider by address."""

    sign_in: RateLimit = field(default_factory=lambda: RateLimit(10, 6.0))
    hashes: RateLimit = field(default_factory=lambda: RateLimit(20, 0.25))
    guests: RateLimit = field(default_factory=lambda: RateLimit(30, 2.0))
    external: RateLimit = field(default_factory=lambda: RateLimit(20, 3.0))


@dataclass(frozen=True)
class Service:
    """The parts behind the API. setup_key: the secret of the one-time set-up link. folder: where the state is. provider:
    where people sign in, if not here only. passwords: whether they may with one. admin_email: whose first sign-in there makes an
    admin. better: whether instant avatars are made better: "offer" to their owners, "always", or "never"."""

    database: Database
    files: FileStore
    queue: JobQueue
    people: People
    tokens: Tokens
    room_tokens: RoomTokens
    setup_key: str
    folder: Path | None = None
    rooms: RoomDirectory = field(default_factory=NoRooms)
    provider: OpenIdProvider | None = None
    passwords: bool = True
    admin_email: str = ""
    limits: Limits = field(default_factory=Limits)
    better: str = "offer"
    web_avatars: WebAvatarFiles = WEB_AVATARS


_bearer = HTTPBearer(auto_error=False, description="A token of `POST /api/sessions` or `/api/guests`, or an API key.")


async def service_of(request: Request) -> Service:
    """The service that the request came to."""
    found: Service = request.app.state.service
    return found


async def credential_of(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> str:
    """What a request shows. Raises `InvalidTokenError` when it shows nothing."""
    if credentials is None:
        raise InvalidTokenError("sign in first: a token was expected in the Authorization header")
    return credentials.credentials


def identity_of(request: Request, credential: Annotated[str, Depends(credential_of)]) -> Identity:
    """Who asks. Raises `InvalidTokenError`."""
    service: Service = request.app.state.service
    return service.people.identify(credential)


async def admin_of(identity: Annotated[Identity, Depends(identity_of)]) -> Identity:
    """The same for an admin. Raises `ProblemError`."""
    if not identity.is_admin:
        raise ProblemError(403, "only an admin may do that; ask one")
    return identity


ServiceDep = Annotated[Service, Depends(service_of)]
Credential = Annotated[str, Depends(credential_of)]
"""For endpoints that are asked often: they identify who asks in their own thread, and answer with `as_json`, which saves two
changes of thread."""
Me = Annotated[Identity, Depends(identity_of)]
Admin = Annotated[Identity, Depends(admin_of)]
IfMatch = Annotated[str | None, Header(max_length=64, description="The `version` that was read (RFC 9110, 13.1.1).")]


class Versioned(Protocol):
    """What counts its changes."""

    @property
    def version(self) -> int:
        """How often it was changed."""


def as_json(body: BaseModel) -> Response:
    """An answer that is not checked again."""
    return Response(body.model_dump_json(), media_type="application/json")


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


def check_version(row: Versioned, if_match: str | None) -> None:
    """Raises `ProblemError` (412) when the row is not of the version that the client has read."""
    if if_match is not None and if_match.strip() != "*":
        versions = {tag.strip().removeprefix("W/").strip('"') for tag in if_match.split(",")}
        if str(row.version) not in versions:
            raise ProblemError(412, "somebody else has changed this meanwhile; read it again")


def note(identity: Identity, act: str, subject: str = "", **detail: str | int | bool) -> AuditEntry:
    """An entry of the audit log."""
    return AuditEntry(actor=identity.person, act=act, object=subject[:64], detail=dict(detail))
