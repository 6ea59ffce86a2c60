"""Room tokens: short JSON Web Tokens (RFC 7519) that let one somebody into one room, and say what they may do there.

They are signed as access tokens are (`server.accounts.tokens`), but for another audience, so neither passes for the other.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import jwt

from server.accounts.tokens import ALGORITHM, ISSUER, LEEWAY, MAX_TOKEN, InvalidTokenError

Grant = Literal["watch", "publish", "host", "subscribe"]
AUDIENCE = "visavis-room"
DEFAULT_LIFETIME, MOST_LIFETIME = 3600, 86_400
"""Seconds in which a room can be entered; a call that runs goes on."""
MAX_NAME = 64


class ExpiredTokenError(InvalidTokenError):
    """A room token of this server whose time is over."""


@dataclass(frozen=True)
class Grants:
    """What a room token says. room: id. person: id of whose it is, empty for somebody without an account. name: what others see.

    watch: come in without an avatar. publish: with one, or without. host: publish, and mute, remove, lock and end. subscribe: get
    the pictures and voices of the others; without it only sending is allowed (WHIP). generation: of the person's tokens. issuer:
    id of the account that made the token. id: of the token, `jti`. expires: seconds since 1970.
    """

    room: str
    person: str = ""
    name: str = ""
    watch: bool = False
    publish: bool = False
    host: bool = False
    subscribe: bool = True
    generation: int = 0
    issuer: str = ""
    id: str = ""
    expires: float = 0.0

    @property
    def role(self) -> Literal["host", "person", "viewer"] | None:
        """The most that it allows, as a link would; `None` for nothing."""
        return "host" if self.host else "person" if self.publish else "viewer" if self.watch else None


class RoomTokens:
    """Makes and reads room tokens; knows nothing of people and rooms, which may be gone meanwhile."""

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._secret, self._clock = secret, clock

    def make(self, grants: Grants, lifetime: int = DEFAULT_LIFETIME) -> tuple[str, Grants]:
        """A token for `lifetime` seconds, and what it says: `id` and `expires` are its own."""
        now = int(self._clock())
        made = Grants(**vars(grants) | {"id": secrets.token_hex(8), "expires": float(now + lifetime)})
        payload = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": made.person, "name": made.name, "room": made.room,
            "grants": [name for name in get_args(Grant) if getattr(made, name)],
            "gen": made.generation, "by": made.issuer, "iat": now, "exp": now + lifetime, "jti": made.id,
        }  # fmt: skip
        return jwt.encode(payload, self._secret, ALGORITHM), made

    def read(self, token: str) -> Grants:
        """What a token of this server says, also one that has expired. Raises `InvalidTokenError`."""
        try:
            if len(token) > MAX_TOKEN:
                raise jwt.InvalidTokenError
            data = jwt.decode(
                token, self._secret, [ALGORITHM], issuer=ISSUER, audience=AUDIENCE,
                options={"require": ["exp", "iat", "sub", "jti"], "verify_exp": False, "verify_iat": False},
            )  # fmt: skip
            granted, expires = data["grants"], data["exp"]
            texts = {name: data[claim] for name, claim in _TEXTS.items()}
            known = isinstance(granted, list) and all(name in get_args(Grant) for name in granted)
            if not (known and all(isinstance(text, str) for text in texts.values()) and isinstance(data["gen"], int)):
                raise jwt.InvalidTokenError
            allowed: dict[str, bool] = {name: name in granted for name in get_args(Grant)}
            values: dict[str, Any] = {**texts, **allowed}
            return Grants(**values, generation=data["gen"], expires=float(expires))
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
            raise InvalidTokenError("a token of this server's rooms was expected; ask for a new one") from None

    def has_expired(self, grants: Grants) -> bool:
        """Whether the token's time is over."""
        return grants.expires + LEEWAY < self._clock()

    def verify(self, token: str, room: str) -> Grants:
        """What a token allows in that room (its id) now. Raises `InvalidTokenError`, `ExpiredTokenError`. Who was erased,
        disabled or removed since is not known here: see `server.call.visitors`."""
        grants = self.read(token)
        if grants.room != room:
            raise InvalidTokenError("a token for this room was expected, one for another room came; ask for a new one")
        if self.has_expired(grants):
            raise ExpiredTokenError("this token has expired; ask for a new one")
        return grants


_TEXTS = {"room": "room", "person": "sub", "name": "name", "issuer": "by", "id": "jti"}
