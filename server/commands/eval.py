"""`visavis eval`."""

from __future__ import annotations

from pathlib import Path

import click

from server.console import json_option, progress, report, table


@click.group()
def command() -> None:
    """Measure quality against recorded truth."""


@command.command()
@click.argument("clip", type=click.Path(path_type=Path))
@click.option("--sheet", type=click.Path(path_type=Path), help="Write a picture of truth, avatar and warp side by side.")
@json_option
def reenact(clip: Path, sheet: Path | None, as_json: bool) -> None:
    """Enroll from the first frame of CLIP, drive with later ones, compare with them.

    Prints the avatar beside two 2D tricks: `copy` (the first frame again) and `warp` (the first frame bent between landmarks).
    """
    from enrollment.pipeline import enroll
    from server.evaluation.reenact import reenact as run

    with progress() as tell:
        result = run(clip, enroll=lambda rgb: enroll([rgb]).avatar, out_sheet=sheet, progress=tell)
    report(result.as_dict(), [*table(result.rows()), *result.notes], as_json)
