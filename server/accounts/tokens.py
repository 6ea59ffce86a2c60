"""Access tokens: short JSON Web Tokens (RFC 7519) signed with the server's own secret."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import jwt

from models.errors import VisavisError

ISSUER, ALGORITHM = "visavis", "HS256"
LIFETIME = {"admin": 12 * 3600.0, "member": 12 * 3600.0}
"""Seconds; a guest's is in days, as a guest has nothing but the token to come back with."""
GUEST_DAYS = 30
DAY = 86400.0
LEEWAY = 60.0
"""Seconds by which clocks may differ."""
MAX_TOKEN = 2048
KNOWN_TOKENS = 1024
"""Whose signature is remembered, those shown last."""
LEAST_SECRET = 40
"""Characters."""


class InvalidTokenError(VisavisError):
    """No token of this server, or one that has expired."""


@dataclass(frozen=True)
class Claims:
    """person: id. role: as in `server.store.tables.ROLES`. generation: of the person's tokens."""

    person: str
    role: str
    generation: int


class Tokens:
    """Makes and reads tokens."""

    def __init__(self, secret: str, clock: Callable[[], float] = time.time, *, guest_days: int = GUEST_DAYS) -> None:
        self._secret, self._clock = secret, clock
        self._lifetime = LIFETIME | {"guest": guest_days * DAY}
        self._verified = lru_cache(KNOWN_TOKENS)(self._verify)  # signatures; each request is looked at twice

    def make(self, claims: Claims) -> str:
        """A token that lasts as long as its role's do."""
        now = self._clock()
        payload = {
            "iss": ISSUER, "sub": claims.person, "role": claims.role, "gen": claims.generation,
            "iat": int(now), "exp": int(now + self._lifetime[claims.role]), "jti": secrets.token_hex(8),
        }  # fmt: skip
        return jwt.encode(payload, self._secret, ALGORITHM)

    def is_one(self, token: str) -> bool:
        """Whether it is a token of this server; costs no look into the database."""
        try:
            self.read(token)
        except InvalidTokenError:
            return False
        return True

    def read(self, token: str) -> Claims:
        """What a token says. Raises `InvalidTokenError`."""
        claims, expires = self._verified(token)
        if expires + LEEWAY < self._clock():
            raise InvalidTokenError("this sign-in has expired; sign in again")
        return claims

    def _verify(self, token: str) -> tuple[Claims, float]:
        """What a token says, and when it ends, whether or not that was."""
        try:
            if len(token) > MAX_TOKEN:
                raise jwt.InvalidTokenError
            data = jwt.decode(
                token, self._secret, [ALGORITHM], issuer=ISSUER,
                options={"require": ["exp", "iat", "sub"], "verify_exp": False, "verify_iat": False},
            )  # fmt: skip
            person, role, generation, expires = data["sub"], data["role"], data["gen"], float(data["exp"])
            if not (isinstance(person, str) and role in self._lifetime and isinstance(generation, int)):
                raise jwt.InvalidTokenError
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
            raise InvalidTokenError("a token of this server was expected; sign in again") from None
        return Claims(person, role, generation), expires


def keep_secret(folder: Path) -> str:
    """The secret kept in `folder`, or a new one; servers that start at once get the same. Raises `VisavisError` where none can be
    kept."""
    path = folder / "token-secret"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for _ in range(2):
            with suppress(FileNotFoundError):
                found = path.read_text(encoding="ascii", errors="replace").strip()
                if len(found) >= LEAST_SECRET:
                    return found
                path.unlink()  # damaged: everybody signs in again
            made = folder / f"token-secret.{secrets.token_hex(4)}"
            descriptor = os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            try:
                with open(descriptor, "w", encoding="ascii") as stream:
                    stream.write(secrets.token_urlsafe(32))
                with suppress(FileExistsError):
                    os.link(made, path)  # whole or not at all, and the first one stays
            finally:
                made.unlink()
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise VisavisError(f"the server's secret cannot be kept at {path} ({error.strerror}); choose another --state") from error
