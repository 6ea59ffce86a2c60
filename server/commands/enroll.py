"""`visavis enroll`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from server.console import json_option, note, progress, report


@click.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The avatar file to write.")
@click.option("--consent", default="", help="Who agreed to the avatar, for its provenance record.")
@click.option("--head", default="anny", show_default=True, help="Head model: anny, or flame2020/flame2023 with your own file.")
@json_option
def command(photos: tuple[Path, ...], out: Path, consent: str, head: str, as_json: bool) -> None:
    """Make an instant avatar from PHOTOS of one person, and a preview sheet beside it.

    The most frontal photo leads; further ones fill what it hides.
    """
    from dataclasses import replace

    from enrollment.pipeline import enroll
    from enrollment.report import preview_sheet, previews, write_png
    from models import avatar_file
    from models.heads.registry import by_name

    start = time.perf_counter()
    with progress() as tell:
        result = enroll(list(photos), head=head, consent=consent, progress=tell)
        model = by_name(head)
        avatar = replace(result.avatar, previews=previews(result.avatar, model))
        avatar_file.save(avatar, out)
        sheet = out.with_suffix(".png")
        write_png(sheet, preview_sheet(avatar, model))
    for warning in result.warnings:
        note(f"note: {warning}")
    seconds = time.perf_counter() - start
    summary = {
        "avatar": str(out), "sheet": str(sheet), "gaussians": len(avatar.gaussians), "fit_rms_px_at_512": result.fit_rms,
        "seconds": seconds, "warnings": list(result.warnings),
    }  # fmt: skip
    lines = [
        f"{out}: {len(avatar.gaussians)} Gaussians in {seconds:.1f} s, landmarks fitted to {result.fit_rms:.1f} px at 512x512",
        f"{sheet}: look at it; what the photo does not show is a guess",
    ]
    report(summary, lines, as_json)
