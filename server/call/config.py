"""How the server is set up; checked once, when it is made."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from models.errors import VisavisError
from realtime.encoder import DEFAULT_BITRATE
from server.call.links import new_key
from server.call.page_folder import page_folder
from server.call.protocol import IceServer

WEB_DIR = page_folder()
ICE_URL = re.compile(r"stuns?:[^?:/@\[\s]+(:\d{1,5})?|turns?:[^?:/@\[\s]+(:\d{1,5})?(\?transport=(udp|tcp))?")
"""RFC 7064, 3.1 and RFC 7065, 3.1."""


@dataclass(frozen=True)
class ServerConfig:
    """Settings of one server with one avatar. Raises `VisavisError` for a value that cannot work.

    avatar: the avatar file. host, port: where to listen; port 0 takes a free one. public_url: how others reach the server
    ('https://call.example.org'), when that is not host and port. person_key, viewer_key: the secrets in the two addresses;
    those kept in the folder `state` (see `server.call.links`) take their place unless it is `None`, or new ones with `new_links`.
    max_viewers: besides the person. width, height: of the avatar's picture, pixels, even. max_bitrate: bits a second for
    each page's picture. heartbeat: seconds between a page's pings; dead_after: seconds without one after which it is gone;
    media_timeout: seconds from an offer to the first ping. ice_servers: given to the pages and used by the server; none
    unless set. ice_addresses: offer only these addresses of the machine (all but loopback when empty; loopback when it has
    no other). ice_ports: first and last UDP port for media; any free one when `None`. factory: what makes the pipeline in
    the render process, with `factory_options` as its arguments; when they are left out, it gets the avatar file's bytes.
    """

    avatar: Path | str = ""
    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = ""
    web_dir: Path = WEB_DIR
    person_key: str = field(default_factory=new_key, repr=False)
    viewer_key: str = field(default_factory=new_key, repr=False)
    state: Path | None = None
    new_links: bool = False
    max_viewers: int = 8
    width: int = 512
    height: int = 512
    max_bitrate: int = DEFAULT_BITRATE
    heartbeat: float = 1.0
    dead_after: float = 3.0
    media_timeout: float = 15.0
    ice_servers: tuple[IceServer, ...] = ()
    ice_addresses: tuple[str, ...] = ()
    ice_ports: tuple[int, int] | None = None
    factory: str = "realtime.pipeline:LivePipeline"
    factory_options: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        _check(0 <= self.port <= 65535, f"a port from 0 to 65535 was expected, {self.port} came")
        _check(1 <= self.max_viewers <= 64, f"1 to 64 viewers were expected, {self.max_viewers} came")
        for name, value in (("width", self.width), ("height", self.height)):
            _check(64 <= value <= 2048 and value % 2 == 0, f"an even {name} from 64 to 2048 was expected, {value} came")
        _check(self.max_bitrate >= 200_000, f"at least 200000 bits a second were expected, {self.max_bitrate} came")
        _check(0 < self.heartbeat < self.dead_after, "dead_after must be longer than heartbeat, and both above 0")
        for key in (self.person_key, self.viewer_key):
            _check(len(key) >= 16 and key.isascii(), "keys of at least 16 plain characters were expected; a shorter one came")
        _check(self.person_key != self.viewer_key, "the person's key and the viewers' key are the same; they must differ")
        for address in self.ice_addresses:
            _check(_is_address(address), f"an IP address was expected in ice_addresses, {address!r} came")
        for server in self.ice_servers:
            for url in server.urls:
                _check(ICE_URL.fullmatch(url) is not None, f"ICE URLs such as stun:host:3478 were expected, {url!r} came")
                needs = url.startswith("turn") and not (server.username and server.credential)
                _check(not needs, f"a user and a credential were expected for {url}, none came")
        if self.public_url:
            parts = urlsplit(self.public_url)
            plain = parts.scheme in ("http", "https") and bool(parts.hostname)
            plain = plain and parts.path.strip("/") == "" and not (parts.query or parts.fragment or parts.username)
            _check(plain, f"a public URL such as https://call.example.org was expected, {self.public_url!r} came")
        if self.ice_ports is not None:
            first, last = self.ice_ports
            _check(0 < first <= last <= 65535, f"a port range such as 50000-50100 was expected, {first}-{last} came")

    @property
    def pipeline_options(self) -> dict[str, Any]:
        """The arguments of the pipeline's factory, besides width and height."""
        return {} if self.factory_options is None else self.factory_options

    def read_avatar(self) -> bytes:
        """The avatar file's bytes; none when the pipeline has arguments of its own. Raises `AvatarFileError`."""
        from models import avatar_file

        return avatar_file.read_bytes(Path(self.avatar)) if self.factory_options is None else b""


def _check(ok: bool, sentence: str) -> None:
    if not ok:
        raise VisavisError(f"{sentence}; change the setting and start again")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
