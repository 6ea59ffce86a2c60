"""`visavis listen`."""

from __future__ import annotations

from pathlib import Path

import click

from server.console import json_option, progress, report


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--seconds", type=click.FloatRange(0.1, 3600.0), default=60.0, show_default=True, help="How long to listen.")
@click.option("--host", default="127.0.0.1", show_default=True,
              help="Address of this machine to listen at; 0.0.0.0 for a phone in the same network.")  # fmt: skip
@click.option("--port", type=click.IntRange(1, 65535), default=11111, show_default=True, help="UDP.")
@json_option
def command(out: Path, seconds: float, host: str, port: int, as_json: bool) -> None:
    """Record what Live Link Face sends from a phone to OUT (.jsonl), for `visavis drive --drive-frames`."""
    from realtime.listening import listen

    with progress() as shown:
        summary = listen(out, seconds, host, port, shown)
    lines = [f"{out}: {summary.frames} frames"]
    if summary.refused:
        lines.append(f"{summary.refused} packets were none of Live Link Face, or came from another sender")
    report(summary.as_dict(), lines, as_json)
