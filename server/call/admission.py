"""Who may come in by HTTP, as what: the one place where credentials of WHIP and WHEP are looked at."""

from __future__ import annotations

import re
from dataclasses import dataclass

from models.errors import VisavisError
from server.accounts.tokens import InvalidTokenError
from server.api.problems import ProblemError
from server.call.protocol import Hello, Role
from server.call.rooms import Rooms

MAX_CREDENTIAL = 2048
"""Characters."""
_BEARER = re.compile(r"bearer +([!-~]+) *", re.IGNORECASE)


@dataclass(frozen=True)
class Admission:
    """hello: what opens the room. role: what it allows there. credential: what was shown in the header, empty for nothing."""

    hello: Hello
    role: Role
    credential: str = ""


async def admit(rooms: Rooms, place: str, authorization: str) -> Admission:
    """Look at a request. place: a room's key from its address, empty where it has none. authorization: its header.

    A bearer token (RFC 6750) is a link's key, a room token, or the token of an account beside the key in the address. Raises
    `ProblemError`: 401 without a credential that works, 404 for an address that is no room's.
    """
    credential = bearer_of(authorization)
    if credential and not (place and rooms.role_of(credential) is None):
        return Admission(Hello(credential), await _role(rooms, credential, 401), credential)
    if not place:
        raise ProblemError(401, "the key of a room was expected as bearer token; it is the last part of the room's link")
    role, hello = await _role(rooms, place, 404), Hello(place, token=credential)
    if credential and not await rooms.person_of(hello):
        raise ProblemError(401, "the token of an account was expected beside the room's key, this one is not valid any more")
    return Admission(hello, role, credential)


async def _role(rooms: Rooms, shown: str, unknown: int) -> Role:
    """What a link's key or a room token allows. unknown: status where it is neither. Raises `ProblemError`."""
    try:
        _, visitor = await rooms.admit(shown)
    except InvalidTokenError as error:
        raise ProblemError(unknown, str(error)) from None
    except VisavisError as error:
        raise ProblemError(503, str(error), retry_after=5) from None
    if visitor.is_late:
        raise ProblemError(401, "the room token has expired; ask for a new one")
    return visitor.role


def bearer_of(authorization: str) -> str:
    """The token of an Authorization header; empty when there is none."""
    match = _BEARER.fullmatch(authorization) if len(authorization) <= MAX_CREDENTIAL + 16 else None
    return match[1] if match else ""
