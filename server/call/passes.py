"""Who has a link to a room, told from what comes in first, so that the door lets them in before those who have none.

A page is asked for by an address that holds its key, a socket says the key in its hello. The page's files are asked for with
the cookie that came with the page; it opens nothing but avatars' previews, whoever has it only need not stand in line.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable

from models.errors import ProtocolError
from server.call.protocol import Hello, Role, decode

PAGES = (b"/room/", b"/connection-test/")
"""Where the page is served: the room, and the test of the way to it. A room's key follows."""
MEDIA = (b"/whip/", b"/whep/")
"""Where cameras and players may show the key in the same way."""
_BEARER = re.compile(rb"\nauthorization: *bearer +([!-~]+) *\r", re.IGNORECASE)


class Passes:
    """Of one server. secret: for the cookie; the same after a restart. role_of: what a link's key or a room token allows, `None`
    for neither; its time does not depend on how much of the key is right. is_token: whether somebody with an account was given
    it. is_hosts_link: whether a key may make rooms, which a room token may not."""

    def __init__(
        self,
        secret: str,
        role_of: Callable[[str], Role | None],
        is_token: Callable[[str], bool] = lambda _: False,
        is_hosts_link: Callable[[str], bool] | None = None,
    ) -> None:
        self._role_of, self._is_token = role_of, is_token
        self._is_hosts_link = is_hosts_link or (lambda key: role_of(key) == "host")
        digest = hmac.new(secret.encode(), b"visavis cookie", hashlib.sha256).hexdigest()
        name, self._ticket = f"visavis-{digest[:8]}", digest[8:40].encode()  # servers on one host share their cookies
        self.cookie = f"{name}={digest[8:40]}; Path=/; HttpOnly; SameSite=Strict"
        """For the `Set-Cookie` of a page (RFC 6265)."""
        self._cookie = re.compile(rb"\ncookie:[^\n]*\b" + name.encode() + rb"=([0-9a-f]{32})\b", re.IGNORECASE)

    def request(self, header: bytes) -> bool:
        """Whether an HTTP request, from its first line to the empty one, is from somebody who has a link."""
        if self.page(path_of(header)) or self.shows_cookie(header):
            return True
        shown = _BEARER.search(header)
        if shown is None:
            return False
        token = shown[1].decode("latin-1")
        return self._role_of(token) is not None or self._is_token(token)

    def page(self, path: bytes) -> bool:
        """Whether a path, as it stands in a request, is a room's."""
        place = next((place for place in (*PAGES, *MEDIA) if path.startswith(place)), None)
        return place is not None and self._role_of(path.removeprefix(place).decode("latin-1")) is not None

    def shows_cookie(self, header: bytes) -> bool:
        """Whether the request brings the cookie."""
        shown = self._cookie.search(header)
        return shown is not None and secrets.compare_digest(shown[1], self._ticket)

    def is_host(self, header: bytes) -> bool:
        """Whether the request brings a host's key as bearer token (RFC 6750, 2.1)."""
        shown = _BEARER.search(header)
        return shown is not None and self._is_hosts_link(shown[1].decode("latin-1"))

    def hello(self, text: str | bytes) -> bool:
        """Whether a socket's first message is a hello with a room's key."""
        try:
            message = decode(text)
        except ProtocolError:
            return False
        return isinstance(message, Hello) and self._role_of(message.key) is not None


def path_of(header: bytes) -> bytes:
    """The path of a request, as it stands there."""
    return header.split(b" ", 2)[1].partition(b"?")[0]
