"""`visavis view`."""

from __future__ import annotations

from pathlib import Path

import click

from server.console import json_option, report


@click.command()
@click.argument("avatar", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The PNG to write.")
@json_option
def command(avatar: Path, out: Path, as_json: bool) -> None:
    """Draw AVATAR from eight directions around, and neutral, smile, jaw open, pucker, blink, brows up."""
    from models import outputs

    outputs.check(out, outputs.PICTURE, inputs=[avatar])

    from enrollment.report import preview_sheet
    from models import avatar_file, credentials, png
    from models.heads.registry import by_name

    loaded = avatar_file.load(avatar)
    model = by_name(loaded.head)
    avatar_file.check(loaded, model)
    sheet = preview_sheet(loaded, model)
    png.write(out, sheet, sign=True)
    lines = [f"{out}: {len(loaded.gaussians)} Gaussians", *filter(None, [credentials.note()])]
    report({"sheet": str(out), "gaussians": len(loaded.gaussians)}, lines, as_json, out)
