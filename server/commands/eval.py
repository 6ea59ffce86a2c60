"""`visavis eval`."""

from __future__ import annotations

from pathlib import Path

import click

from server.console import json_option, progress, report, table

quality_option = click.option(
    "--quality", type=click.Choice(["instant", "standard", "high"]), default="instant", show_default=True, help="Of the avatar."
)


@click.group()
def command() -> None:
    """Measure quality against recorded truth."""


@command.command()
@click.argument("clip", type=click.Path(path_type=Path))
@click.option("--half", is_flag=True, help="Also learn from the first half of CLIP; the second half is compared.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Write a picture of truth, avatar and warp side by side.")
@quality_option
@json_option
def reenact(clip: Path, half: bool, sheet: Path | None, quality: str, as_json: bool) -> None:
    """Enroll from the first frame of CLIP, drive with later ones, compare with them.

    Prints the avatar beside two 2D tricks: `copy` (the first frame again) and `warp` (the first frame bent between landmarks).
    With --half there is a row `clip` too, an avatar that learned from the clip's first half.
    """
    from server.evaluation.enrolling import from_clip, from_photos
    from server.evaluation.reenact import reenact as run

    with progress() as tell:
        result = run(
            clip, enroll=lambda rgb: from_photos([rgb], quality, tell), out_sheet=sheet, progress=tell,
            learn=(lambda film, until: from_clip(film, until, tell)) if half else None,
        )  # fmt: skip
    report(result.as_dict(), [*table(result.rows()), *result.notes], as_json)


@command.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--sheet", type=click.Path(path_type=Path), help="Write a picture of the photos and the avatars in their poses.")
@quality_option
@json_option
def photos(photos: tuple[Path, ...], sheet: Path | None, quality: str, as_json: bool) -> None:
    """Enroll from the first of several PHOTOS of one person, and from all of them; compare in the poses of the others."""
    from server.evaluation.enrolling import from_photos
    from server.evaluation.photos import compare

    with progress() as tell:
        result = compare(list(photos), enroll=lambda some: from_photos(some, quality, tell), out_sheet=sheet, progress=tell)
    report(result.as_dict(), table(result.rows()), as_json)
