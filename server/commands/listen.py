"""`visavis listen`."""

from __future__ import annotations

import math
from pathlib import Path

import click

from models.errors import VisavisError
from server.console import json_option, note, progress, report

RECORDED = 60.0
"""Seconds of a recording, when nothing else is said."""
REFUSED = "packets were none of Live Link Face, or came from another sender"


@click.command()
@click.argument("out", type=click.Path(path_type=Path), required=False)
@click.option("--room", help="A room's link: take a seat there whose avatar follows the phone, in place of recording.")
@click.option("--name", default="", help="What others in the room see.")
@click.option("--avatar", default="", help="Its id in the room; the first one that there is when left out.")
@click.option("--seconds", type=click.FloatRange(0.1, 86_400.0),
              help="How long to listen; 60 for a recording, until it is stopped in a room.")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True,
              help="Address of this machine to listen at; 0.0.0.0 for a phone in the same network.")  # fmt: skip
@click.option("--port", type=click.IntRange(1, 65535), default=11111, show_default=True, help="UDP.")
@json_option
def command(
    out: Path | None, room: str | None, name: str, avatar: str, seconds: float | None, host: str, port: int, as_json: bool
) -> None:
    """Take what Live Link Face sends from a phone: record it to OUT (.jsonl), for `visavis drive --drive-frames`, or let it drive
    an avatar in a call (--room)."""
    if (out is None) == (room is None):
        raise VisavisError("either a file to record to or the link of a room was expected; give OUT or --room")
    if out is not None:
        _record(out, seconds or RECORDED, host, port, as_json)
    else:
        _sit(str(room), name, avatar, seconds or math.inf, host, port, as_json)


def _record(out: Path, seconds: float, host: str, port: int, as_json: bool) -> None:
    from realtime.listening import listen

    with progress() as shown:
        summary = listen(out, seconds, host, port, shown)
    lines = [f"{out}: {summary.frames} frames"]
    if summary.refused:
        lines.append(f"{summary.refused} {REFUSED}")
    report(summary.as_dict(), lines, as_json)


def _sit(room: str, name: str, avatar: str, seconds: float, host: str, port: int, as_json: bool) -> None:
    from server.call.protocol import Join
    from server.call_check.link import read_link
    from server.phone_seat import sit

    note(f"let Live Link Face send to port {port} of this machine")
    summary = sit(read_link(room), Join(name or "Phone", avatar), host, port, seconds, note)
    lines = [f"{summary.frames} frames sent"]
    if summary.refused:
        lines.append(f"{summary.refused} {REFUSED}")
    report(summary.as_dict(), lines, as_json)
