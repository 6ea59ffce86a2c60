"""`visavis serve`."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from models.errors import VisavisError
from server.console import json_option, note, report

if TYPE_CHECKING:
    from server.call.app import Addresses
    from server.call.protocol import IceServer

ICE_USERNAME, ICE_CREDENTIAL = "VISAVIS_ICE_USERNAME", "VISAVIS_ICE_CREDENTIAL"
MAX_ICE_FILE = 64 * 1024


@click.command()
@click.option("--avatar", type=click.Path(path_type=Path), help="The avatar file; the built-in portrait when left out.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 to be reached by others.")
@click.option("--port", default=8080, show_default=True, help="Port to listen on; 0 for a free one.")
@click.option("--public-url", default="", metavar="URL", help="How others reach this server, such as https://call.example.org.")
@click.option("--max-viewers", default=8, show_default=True, help="How many may watch at the same time.")
@click.option("--size", default="512", show_default=True, metavar="N|WxH", help="The picture's size in pixels, even numbers.")
@click.option(
    "--ice-server",
    "ice_servers",
    multiple=True,
    metavar="URL|@FILE",
    help="A STUN or TURN server (stun:host:3478, turn:host:3478?transport=tcp), or @FILE with a JSON list of RTCIceServer "
    f"objects. May be repeated. The user and credential of a turn: URL come from {ICE_USERNAME} and {ICE_CREDENTIAL}.",
)
@click.option(
    "--ice-ports", default="", metavar="FIRST-LAST", help="UDP ports for media, such as 50000-50100; any when left out."
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the links are kept, so that they outlive a restart: one pair for each avatar and port. A folder of your "
    "user's when left out.",
)
@click.option("--new-links", is_flag=True, help="Make new links; those that were given away no longer work.")
@json_option
def command(
    avatar: Path | None, host: str, port: int, public_url: str, max_viewers: int, size: str, ice_servers: tuple[str, ...],
    ice_ports: str, state: Path | None, new_links: bool, as_json: bool,
) -> None:  # fmt: skip
    """Start a call: open the printed address in Chromium or Firefox, allow the camera, and the avatar follows you."""
    import cv2  # noqa: F401 - the render process needs it; where it cannot be loaded, `server.installation` says so here, once

    from models import avatar_file
    from models.heads.registry import by_name
    from server import builtin
    from server.call import links
    from server.call.app import run
    from server.call.config import ServerConfig

    width, height = _size(size)
    settings: dict[str, Any] = {
        "host": host, "port": port, "public_url": public_url, "max_viewers": max_viewers, "width": width, "height": height,
        "ice_servers": tuple(server for text in ice_servers for server in _ice_servers(text)), "ice_ports": _ports(ice_ports),
        "state": state or links.state_folder(), "new_links": new_links,
    }  # fmt: skip
    ServerConfig(**settings)  # refuses what cannot work before anything is loaded
    if avatar is None:
        avatar = builtin.avatar_path(announce=note)
    loaded = avatar_file.load(avatar)
    avatar_file.check(loaded, by_name(loaded.head))
    run(ServerConfig(avatar=avatar, **settings), lambda addresses: _announce(addresses, as_json))


def _announce(addresses: Addresses, as_json: bool) -> None:
    if addresses.note:
        note(addresses.note)
    hint = "give the second to those who watch"
    if addresses.only_here:
        hint = "the second works on this machine only (--host 0.0.0.0 or --public-url lets others in)"
    lines = [
        "", f"  You       {addresses.person}", f"  Viewers   {addresses.viewer}", "",
        f"Open the first address and allow the camera; {hint}. Ctrl-C ends the call.",
    ]  # fmt: skip
    result = {"person": addresses.person, "viewer": addresses.viewer, "only_here": addresses.only_here}
    report(result, lines, as_json)


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})(?:[xX](\d{1,5}))?", text, re.ASCII)
    if match is None:
        raise VisavisError(f"a size such as 512 or 640x480 was expected, {text!r} came; change --size")
    return int(match[1]), int(match[2] or match[1])


def _ports(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text, re.ASCII)
    if match is None:
        raise VisavisError(f"a port range such as 50000-50100 was expected, {text!r} came; change --ice-ports")
    return int(match[1]), int(match[2])


def _ice_servers(text: str) -> list[IceServer]:
    """Of one `--ice-server`. Secrets come from a file or the environment, never from the command line, which all may read."""
    from server.call.protocol import IceServer

    if not text.startswith("@"):
        if text.startswith("turn"):
            return [IceServer([text], os.environ.get(ICE_USERNAME, ""), os.environ.get(ICE_CREDENTIAL, ""))]
        return [IceServer([text])]
    path = Path(text[1:])
    try:
        with open(path, "rb") as stream:
            found = json.loads(stream.read(MAX_ICE_FILE))
    except OSError as error:
        raise VisavisError(f"{path} cannot be read ({error.strerror}); change --ice-server") from None
    except (ValueError, RecursionError):
        found = None
    servers = [_ice_server(entry) for entry in (found if isinstance(found, list) else [found])]
    if None in servers:
        raise VisavisError(
            f"a JSON list of objects with urls, username and credential was expected in {path}, something else is there; mend it"
        )
    return [server for server in servers if server is not None]


def _ice_server(entry: object) -> IceServer | None:
    from server.call.protocol import IceServer

    if not isinstance(entry, dict):
        return None
    urls, user, secret = entry.get("urls"), entry.get("username", ""), entry.get("credential", "")
    urls = [urls] if isinstance(urls, str) else urls
    if not isinstance(urls, list) or not urls or not all(isinstance(text, str) for text in [*urls, user, secret]):
        return None
    return IceServer(urls, user, secret)
