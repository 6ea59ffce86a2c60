"""`visavis drive`."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from server.console import json_option, progress, report


@click.command()
@click.argument("avatar", type=click.Path(path_type=Path))
@click.argument("clip", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="An .mp4 file, or a folder for RGBA PNGs.")
@click.option("--camera", type=click.Choice(["tracked", "front", "orbit"]), default="front", show_default=True,
              help="The clip's own camera and head pose; the avatar's front; or once around.")  # fmt: skip
@click.option("--labelled-elsewhere", is_flag=True,
              help="Leave the visible label out: you make sure that whoever sees the clip is told that it is AI-generated, as "
              "the EU's AI Act (Article 50) asks. What programs read stays in the file.")  # fmt: skip
@json_option
def command(avatar: Path, clip: Path, out: Path, camera: str, labelled_elsewhere: bool, as_json: bool) -> None:
    """Puppet AVATAR with the face in CLIP; the clip's sound is kept."""
    from realtime.offline import CameraPath, drive

    with progress() as shown:
        summary = drive(avatar, clip, out, cast("CameraPath", camera), progress=shown, label=not labelled_elsewhere)
    lines = [f"{out}: {summary.frames} frames at {summary.fps:.1f} frames/s"]
    if summary.frames_without_face:
        lines.append(f"no face was found in {summary.frames_without_face} of them; they keep the last pose")
    report(summary.as_dict(), [*lines, *summary.notes], as_json)
