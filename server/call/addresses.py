"""Where the rooms are: the addresses for whoever sits at the server's machine, and for others."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import ifaddr

from server.call.certificate import Certificate
from server.call.config import ServerConfig
from server.call.rules import RoomKeys, room_link

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Addresses:
    """Where the first room is: for its host, for a person with an avatar, for a viewer. All hold secrets: show them to whoever
    started the server, keep them out of logs.

    only_here: whether nobody on another machine can open them. note: a sentence about the links; may be empty. setup: where the
    first admin is made; empty once there is one, or where nothing is stored.
    """

    host: str
    person: str
    viewer: str
    only_here: bool = False
    note: str = ""
    setup: str = ""


def links_of(base_url: str, keys: RoomKeys) -> dict[str, str]:
    """The address for each role."""
    return {role: room_link(base_url, key) for role, key in asdict(keys).items()}


def notes(kept: str, secure: Certificate | None, others: str) -> str:
    """Sentences for whoever starts the server."""
    found = [kept] if kept else []
    if secure is not None and secure.fingerprint:
        found.append(
            "Browsers warn once of the self-signed certificate: choose to go on (Advanced, then Proceed or Accept). "
            f"Its SHA-256 fingerprint is {secure.fingerprint}."
        )
    name = urlsplit(others).hostname or ""
    if others.startswith("http:") and name not in LOCAL_NAMES and not name.startswith("127."):
        found.append("Browsers on other machines give no camera to a page without HTTPS; start with --tls, or use a proxy.")
    return " ".join(found)


def base_urls(config: ServerConfig, port: int, scheme: str) -> tuple[str, str]:
    """For whoever sits at this machine, by localhost where possible, because webcams need a secure page; and for others."""
    everywhere = config.host in ("", "0.0.0.0", "::")
    local = everywhere or config.host in LOCAL_NAMES
    here = config.public_url or f"{scheme}://{'localhost' if local else _bracketed(config.host)}:{port}"
    return here, config.public_url or (f"{scheme}://{_bracketed(_network_address())}:{port}" if everywhere else here)


def addresses(config: ServerConfig, here: str, others: str, keys: RoomKeys, note: str, setup_key: str = "") -> Addresses:
    """Of the first room. setup_key: of the one-time set-up link; empty without one."""
    name = urlsplit(others).hostname or ""
    only_here = not config.public_url and (name in LOCAL_NAMES or name.startswith("127."))
    links = links_of(others, keys)
    setup = f"{here}/setup/{setup_key}" if setup_key else ""
    return Addresses(room_link(here, keys.host), links["person"], links["viewer"], only_here, note, setup)


def _network_address() -> str:
    """This machine's first IPv4 address that others may reach, or localhost."""
    found = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if isinstance(ip.ip, str)]
    return next((ip for ip in found if not ip.startswith(("127.", "169.254."))), "localhost")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
