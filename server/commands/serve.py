"""`visavis serve`. Its options are the fields of `server.call.config.ServerConfig`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from models.errors import VisavisError
from server.console import json_option, note, report

if TYPE_CHECKING:
    from server.call.app import Addresses

Function = TypeVar("Function", bound=Callable[..., Any])
GROUPS = {
    "The rooms": (
        "avatars",
        "avatar_folder",
        "max_rooms",
        "max_people",
        "max_viewers",
        "least_rate",
        "width",
        "height",
        "max_bitrate",
    ),
    "The address": (
        "host",
        "port",
        "public_url",
        "embed_from",
        "trusted_proxies",
        "state",
        "new_links",
        "tls",
        "tls_certificate",
        "tls_key",
    ),
    "Accounts and enrollment": (
        "database",
        "storage",
        "storage_key",
        "enrollments",
        "better_enrollments",
        "better_avatars",
        "better_steps",
        "oidc_issuer",
        "oidc_client_id",
        "oidc_client_secret",
        "oidc_admin",
        "no_passwords",
        "guest_days",
    ),
    "The network": (
        "ice_servers",
        "turn_urls",
        "turn_secret",
        "turn_lifetime",
        "ice_addresses",
        "ice_ports",
        "heartbeat",
        "dead_after",
        "media_timeout",
    ),
    "Operations": ("drain_time", "metrics", "least_disk", "log_format"),
    "For developers": ("web_dir", "factory", "factory_options"),
}
REPEATED = ("avatars", "ice_servers", "turn_urls", "embed_from")


class _GroupedCommand(click.Command):
    """Lists its options in groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See `click.Command`."""
        rows = {p.name: row for p in self.get_params(ctx) if (row := p.get_help_record(ctx)) is not None}
        for title, names in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([rows.pop(name) for name in names if name in rows])
        with formatter.section("Other"):
            formatter.write_dl(list(rows.values()))


def _settings(function: Function) -> Function:
    """An option for each field of the settings, which checks what it is given."""
    from server.call.config import ServerConfig

    for name, field in reversed(ServerConfig.model_fields.items()):
        flag, default = f"--{name.replace('_', '-')}", field.get_default()
        shown = (
            ""
            if default is None or default in ("", (), {}) or field.default_factory or name == "web_dir"
            else f"  [default: {default}]"
        )
        text = f"{field.description}{'' if field.annotation is bool else shown}"
        if field.annotation is bool:
            option = click.option(flag, name, is_flag=True, default=None, help=text)
        elif name in REPEATED:
            option = click.option(flag.rstrip("s"), name, multiple=True, metavar="VALUE", help=f"{text} May be repeated.")
        else:
            option = click.option(flag, name, metavar="VALUE", help=text)
        function = option(function)
    return function


@click.command(cls=_GroupedCommand)
@_settings
@click.option("--size", metavar="N|WxH", help="Width and height together.")
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    help="TOML file of settings. Options go before VISAVIS_* environment variables, and these before the file.",
)
@json_option
def command(size: str | None, file: Path | None, as_json: bool, **given: Any) -> None:
    """Start a room: open the printed address in Chromium or Firefox, take an avatar, and invite others with a link."""
    from models import avatar_file
    from models.heads.registry import by_name
    from server import builtin
    from server.call import avatars
    from server.call.app import run
    from server.call.config import load, state_folder

    options = {name: value for name, value in given.items() if value not in (None, ())}
    if size is not None:
        options["width"], options["height"] = _size(size)
    config = load(options, file)  # refuses what cannot work before anything is loaded
    folder = config.avatar_folder or avatars.default_folder()
    config = config.with_values(avatar_folder=folder)
    if not config.avatars and not any(folder.glob(f"*{avatars.SUFFIX}")):
        config = config.with_values(avatars=(builtin.avatar_path(announce=note),))
    for avatar in config.avatars:
        loaded = avatar_file.load(avatar)
        avatar_file.check(loaded, by_name(loaded.head))
    config = config.with_values(state=config.state or state_folder())
    run(config, lambda addresses: _announce(addresses, as_json))


def _announce(addresses: Addresses, as_json: bool) -> None:
    if addresses.note:
        note(addresses.note)
    tell = "give the second to people with an avatar, the third to those who watch"
    if addresses.only_here:
        tell = "the others work on this machine only (--host 0.0.0.0 or --public-url lets others in)"
    lines = [
        "", f"  You       {addresses.host}", f"  People    {addresses.person}", f"  Viewers   {addresses.viewer}", "",
        f"Open the first address; {tell}. Ctrl-C ends the call.",
    ]  # fmt: skip
    if addresses.setup:
        lines += ["", f"This server has no admin yet; to become its admin, open  {addresses.setup}"]
    result = {
        "host": addresses.host, "person": addresses.person, "viewer": addresses.viewer, "only_here": addresses.only_here,
        "setup": addresses.setup,
    }  # fmt: skip
    report(result, lines, as_json)


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})(?:[xX](\d{1,5}))?", text, re.ASCII)
    if match is None:
        raise VisavisError(f"a size such as 512 or 640x480 was expected, {text!r} came; change --size")
    return int(match[1]), int(match[2] or match[1])
