"""A room's link, taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from models.errors import VisavisError

PLACES = ("room", "connection-test")
LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class RoomLink:
    """secure: https. key: of the room; keep it out of whatever is printed."""

    secure: bool
    host: str
    port: int
    key: str

    @property
    def netloc(self) -> str:
        """'host:port'"""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def socket(self) -> str:
        """The address of the signalling socket."""
        return f"{'wss' if self.secure else 'ws'}://{self.netloc}/ws"

    @property
    def is_local(self) -> bool:
        """Whether it opens on the server's own machine only."""
        return self.host in LOCAL


def read_link(text: str) -> RoomLink:
    """A link such as https://call.example.org/room/KEY. Raises `VisavisError`, which repeats nothing of the key."""
    wrong = "a room's link such as https://call.example.org/room/KEY was expected"
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise VisavisError(f"{wrong}, its address cannot be read; copy the whole link") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise VisavisError(f"{wrong}, one without http:// or https:// came; copy the whole link")
    places = [part for part in parts.path.split("/") if part]
    if len(places) != 2 or places[0] not in PLACES:
        raise VisavisError(f"{wrong}, one without a room came; `visavis serve` prints the links of its rooms")
    secure = parts.scheme == "https"
    return RoomLink(secure, parts.hostname, port or (443 if secure else 80), unquote(places[1]))
