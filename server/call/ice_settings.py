"""How STUN and TURN servers are named in the settings."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from server.call.protocol import IceServer

PREFIX = "VISAVIS_"
ICE_USERNAME, ICE_CREDENTIAL = f"{PREFIX}ICE_USERNAME", f"{PREFIX}ICE_CREDENTIAL"
ICE_URL = re.compile(r"stuns?:[^?:/@\[\s]+(:\d{1,5})?|turns?:[^?:/@\[\s]+(:\d{1,5})?(\?transport=(udp|tcp))?")
"""RFC 7064, 3.1 and RFC 7065, 3.1."""
MAX_ICE_FILE = 64 * 1024


def json_text(value: Any) -> Any:
    """JSON text -> what it holds; anything else as it is. The text, which may hold secrets, is not repeated."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError("JSON was expected, something else came") from None


def check_turn_urls(value: tuple[str, ...]) -> tuple[str, ...]:
    """URLs of TURN servers (RFC 7065) as they are. Raises `ValueError` for others."""
    for url in value:
        if not url.startswith("turn") or ICE_URL.fullmatch(url) is None:
            came = "one with a user or password" if "@" in url else repr(url)
            raise ValueError(f"TURN URLs such as turn:host:3478?transport=udp were expected, {came} came")
    return value


def read_ice_servers(value: Any) -> Any:
    """URLs, '@FILE' with a JSON list of RTCIceServer objects, such objects, or `IceServer`s."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = json_text(value)
    elif isinstance(value, str) and not value.startswith("@"):
        value = [part for part in value.split(",") if part]
    if not isinstance(value, list | tuple):
        value = [value]
    return tuple(server for entry in value for server in _ice_entry(entry))


def _ice_entry(entry: Any) -> list[IceServer]:
    if isinstance(entry, IceServer):
        servers = [entry]
    elif isinstance(entry, str) and entry.startswith("@"):
        servers = [server for found in _ice_file(Path(entry[1:])) for server in _ice_entry(found)]
    elif isinstance(entry, str):
        secret = (os.environ.get(ICE_USERNAME, ""), os.environ.get(ICE_CREDENTIAL, "")) if entry.startswith("turn") else ("", "")
        servers = [IceServer([entry], *secret)]
    else:
        found = entry if isinstance(entry, dict) else {}
        urls, user, secret_ = found.get("urls"), found.get("username", ""), found.get("credential", "")
        urls = [urls] if isinstance(urls, str) else urls
        if not isinstance(urls, list) or not urls or not all(isinstance(text, str) for text in [*urls, user, secret_]):
            raise ValueError("a JSON list of objects with urls, username and credential was expected, something else came")
        servers = [IceServer(urls, user, secret_)]
    for server in servers:
        for url in server.urls:
            if ICE_URL.fullmatch(url) is None:
                came = "one with a user or password" if "@" in url else repr(url)
                raise ValueError(f"ICE URLs such as stun:host:3478 were expected, {came} came")
            if url.startswith("turn") and not (server.username and server.credential):
                raise ValueError(f"a user and a credential were expected for {url}, none came")
    return servers


def _ice_file(path: Path) -> list[Any]:
    try:
        with open(path, "rb") as stream:
            found = json.loads(stream.read(MAX_ICE_FILE))
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise ValueError(f"a JSON list of objects with urls, username and credential was expected in {path}") from None
    return found if isinstance(found, list) else [found]
