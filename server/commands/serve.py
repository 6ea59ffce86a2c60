"""`visavis serve`."""

from __future__ import annotations

from pathlib import Path

import click

from server.console import json_option, note, report


@click.command()
@click.option("--avatar", type=click.Path(path_type=Path), help="The avatar file; the built-in portrait when left out.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, help="Port to listen on; 0 for a free one.")
@json_option
def command(avatar: Path | None, host: str, port: int, as_json: bool) -> None:
    """Start a call: open the printed address in Chromium or Firefox, allow the camera, and the avatar follows you."""
    from models import avatar_file
    from models.heads.registry import by_name
    from server import builtin
    from server.app import Addresses, run
    from server.config import ServerConfig

    if avatar is None:
        avatar = builtin.avatar_path(announce=note)
    loaded = avatar_file.load(avatar)
    avatar_file.check(loaded, by_name(loaded.head))

    def announce(addresses: Addresses) -> None:
        lines = [
            "", f"  You       {addresses.person}", f"  Viewers   {addresses.viewer}", "",
            "Open the first address and allow the camera; give the second to those who watch. Ctrl-C ends the call.",
        ]  # fmt: skip
        report({"person": addresses.person, "viewer": addresses.viewer}, lines, as_json)

    run(ServerConfig(avatar=avatar, host=host, port=port), announce)
