"""`visavis drive`."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from server.console import json_option, progress, report


@click.command()
@click.argument("avatar", type=click.Path(path_type=Path))
@click.argument("clip", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="An .mp4 file, or a folder for RGBA PNGs.")
@click.option("--camera", type=click.Choice(["tracked", "front", "orbit"]), default="front", show_default=True,
              help="The clip's own camera and head pose; the avatar's front; or once around.")  # fmt: skip
@click.option("--drive-frames", "frames", type=click.Path(path_type=Path), metavar="FILE",
              help="Instead of a clip: recorded drive frames, .jsonl (docs/protocol.md) or .csv of Live Link Face.")  # fmt: skip
@click.option("--record-drive-frames", "recording", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the drive frames of the clip's face to this .jsonl file too.")  # fmt: skip
@click.option("--no-label", is_flag=True,
              help="Leave the visible label out: you make sure that whoever sees the clip is told that it is AI-generated, as "
              "the EU's AI Act (Article 50) asks. What programs read stays in the file.")  # fmt: skip
@json_option
def command(
    avatar: Path,
    clip: Path | None,
    out: Path,
    camera: str,
    frames: Path | None,
    recording: Path | None,
    no_label: bool,
    as_json: bool,
) -> None:
    """Puppet AVATAR with the face in CLIP; the clip's sound is kept. Or with --drive-frames."""
    from realtime.offline import CameraPath, drive
    from realtime.recorded import drive_with_frames

    view = cast("CameraPath", camera)
    if (clip is None) == (frames is None) or (recording is not None and clip is None):
        raise click.UsageError("one of CLIP and --drive-frames is needed; --record-drive-frames goes with CLIP")
    with progress() as shown:
        if frames is not None:
            summary = drive_with_frames(avatar, frames, out, view, progress=shown, label=not no_label)
        else:
            assert clip is not None
            summary = drive(avatar, clip, out, view, progress=shown, label=not no_label, recording=recording)
    lines = [f"{out}: {summary.frames} frames at {summary.fps:.1f} frames/s"]
    if summary.frames_without_face:
        lines.append(f"no face was found in {summary.frames_without_face} of them; they keep the last pose")
    report(summary.as_dict(), [*lines, *summary.notes], as_json)
