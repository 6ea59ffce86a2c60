"""TURN credentials that run out, made for each join from a secret that only this server and the TURN server know.

The user is the time at which the credential ends (seconds since 1970) and a random word, the password the HMAC-SHA1 of that in
base64 (draft-uberti-behave-turn-rest-00, 2.2), as coturn's `use-auth-secret` takes it. Who is behind it is no part of it, so the
TURN server's log names nobody. A connection that stands goes on when its credential ends; a page that comes back gets another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from server.call.protocol import IceServer

LIFETIME = 3600.0
"""Seconds that a credential works."""


@dataclass(frozen=True)
class Turn:
    """A TURN server, by its URLs (RFC 7065), and the secret shared with it. lifetime: seconds. clock: seconds since 1970."""

    urls: tuple[str, ...]
    secret: str = field(repr=False)
    lifetime: float = LIFETIME
    clock: Callable[[], float] = time.time

    def credentials(self) -> IceServer:
        """New ones, for one page."""
        user = f"{int(self.clock() + self.lifetime)}:{secrets.token_hex(6)}"
        return IceServer(list(self.urls), user, password_of(user, self.secret))


def password_of(user: str, secret: str) -> str:
    """The password of a user whose name says when it ends."""
    return base64.b64encode(hmac.digest(secret.encode(), user.encode(), hashlib.sha1)).decode()
