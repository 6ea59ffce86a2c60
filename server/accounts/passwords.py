"""Passwords: argon2id (RFC 9106) with the parameters of OWASP's Password Storage Cheat Sheet, which leave the cores to calls."""

from __future__ import annotations

import secrets
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from models.errors import VisavisError

LEAST, MOST = 10, 256
"""Characters."""
AT_ONCE = 2
"""Hashes made at the same time."""
_turns = threading.BoundedSemaphore(AT_ONCE)
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_NOBODYS = _hasher.hash(secrets.token_urlsafe())


def hashed(password: str) -> str:
    """What is kept of a password. Raises `VisavisError` for one that is too short or too long."""
    if not LEAST <= len(password) <= MOST:
        raise VisavisError(f"a password of {LEAST} to {MOST} characters was expected, one of {len(password)} came")
    with _turns:
        return _hasher.hash(password)


def matches(password: str, kept: str | None) -> bool:
    """Whether it is the password; takes as long for an account that does not exist."""
    try:
        with _turns:
            return _hasher.verify(kept or _NOBODYS, password[:MOST]) and bool(kept)
    except (VerificationError, InvalidHashError, UnicodeError):
        return False
