"""Who may come in by HTTP, as what: the one place where credentials of WHIP and WHEP are looked at."""

from __future__ import annotations

import re
from dataclasses import dataclass

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

    A bearer token (RFC 6750) is either the key of a room, or the token of an account beside the key in the address. Raises
    `ProblemError`: 401 without a credential that works, 404 for an address that is no room's.
    """
    credential = bearer_of(authorization)
    role = rooms.role_of(credential) if credential else None
    if role is not None:
        return Admission(Hello(credential), role, credential)
    role = rooms.role_of(place) if place else None
    if role is None and credential:
        raise ProblemError(401, "the key of a room was expected as bearer token, this one opens none; ask for a new link")
    if role is None and place:
        raise ProblemError(404, "there is no room at this address; ask for a new link")
    if role is None:
        raise ProblemError(401, "the key of a room was expected as bearer token; it is the last part of the room's link")
    hello = Hello(place, token=credential)
    if credential and not await rooms.person_of(hello):
        raise ProblemError(401, "the token of an account was expected beside the room's key, this one is not valid any more")
    return Admission(hello, role, credential)


def bearer_of(authorization: str) -> str:
    """The token of an Authorization header; empty when there is none."""
    match = _BEARER.fullmatch(authorization) if len(authorization) <= MAX_CREDENTIAL + 16 else None
    return match[1] if match else ""
