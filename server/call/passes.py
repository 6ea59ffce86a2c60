"""Who has a link to the call, told from what comes in first, so that the door lets them in before those who have none.

A page is asked for by an address that holds its key, a socket says the key in its hello. The page's files are asked for with
the cookie that came with the page; it opens nothing, whoever has it only need not stand in line.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from models.errors import ProtocolError
from server.call.protocol import Hello, Role, decode


class Passes:
    """Of one call. All comparisons take a time that does not depend on where two texts differ."""

    def __init__(self, person_key: str, viewer_key: str) -> None:
        self._keys: dict[Role, bytes] = {"person": person_key.encode(), "viewer": viewer_key.encode()}
        digest = hmac.new(person_key.encode(), viewer_key.encode(), hashlib.sha256).hexdigest()
        name, self._ticket = f"visavis-{digest[:8]}", digest[8:40].encode()  # servers on one host share their cookies
        self.cookie = f"{name}={digest[8:40]}; Path=/; HttpOnly; SameSite=Strict"
        """For the `Set-Cookie` of a page (RFC 6265)."""
        self._cookie = re.compile(rb"\ncookie:[^\n]*\b" + name.encode() + rb"=([0-9a-f]{32})\b", re.IGNORECASE)

    def request(self, header: bytes) -> bool:
        """Whether an HTTP request, from its first line to the empty one, is from somebody who has a link."""
        if self.page(header.split(b" ", 2)[1].partition(b"?")[0]):
            return True
        shown = self._cookie.search(header)
        return shown is not None and secrets.compare_digest(shown[1], self._ticket)

    def page(self, path: bytes) -> bool:
        """Whether a path, as it stands in a request, is that of one of the call's two pages."""
        if path.startswith(b"/call/"):
            return self._is_key("person", path.removeprefix(b"/call/"))
        return path.startswith(b"/view/") and self._is_key("viewer", path.removeprefix(b"/view/"))

    def hello(self, text: str | bytes) -> bool:
        """Whether a socket's first message is a hello with the right key."""
        try:
            message = decode(text)
        except ProtocolError:
            return False
        return isinstance(message, Hello) and self._is_key(message.role, message.key.encode("utf-8", "surrogatepass"))

    def _is_key(self, role: Role, given: bytes) -> bool:
        return secrets.compare_digest(given, self._keys[role])
