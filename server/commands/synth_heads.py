"""`visavis synth-heads`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from server.console import json_option, note, report

MOST, SMALLEST, LARGEST = 1_000_000, 32, 2048
BYTES = 1.0
"""Least bytes for each pixel of a sample, in all its files together."""
SHEET = 64
"""Heads on a contact sheet."""


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write samples to; made when it is missing.")
@click.option("--count", default=16, show_default=True, help="How many samples.")
@click.option("--seed", default=0, show_default=True, help="The same seed makes the same people.")
@click.option("--size", default=256, show_default=True, help="Pixels, width and height.")
@click.option("--views", default=4, show_default=True, help="Samples of each person.")
@click.option("--sheet", "sheet_path", type=click.Path(path_type=Path), help=f"Also write a picture of {SHEET} people.")
@json_option
def command(
    out: Path | None, count: int, seed: int, size: int, views: int, sheet_path: Path | None, as_json: bool
) -> None:  # fmt: skip
    """Draw random synthetic heads, with the ground truth of each picture.

    For each sample: NAME.color.png (RGBA, straight alpha: the matte), NAME.normals.png and NAME.pose_map.png (16 bit, -1 to
    1 over 0 to 65535, world frame, 0 outside), NAME.depth.png (16 bit, millimetres), NAME.face.png (bare skin of the face) and
    NAME.json (camera, drive frame, pose, who it is).
    """
    if out is None and sheet_path is None:
        raise click.UsageError("a place to write to was expected; give --out DIR, --sheet FILE, or both")
    for name, value, low, high in (
        ("--count", count, 1, MOST), ("--size", size, SMALLEST, LARGEST), ("--views", views, 1, MOST),
        ("--seed", seed, 0, 2**31 - 1),
    ):  # fmt: skip
        if not low <= value <= high:
            raise click.UsageError(f"{name} was expected to be from {low} to {high}, not {value}; choose another")
    from models import outputs, png
    from models.heads.registry import by_name
    from models.synthetic import export
    from models.synthetic.contact_sheet import contact_sheet

    outputs.check_sheet(sheet_path)
    if out is not None:
        room = int(BYTES * count * size**2)
        outputs.check_folder(out, "the samples", export.may_be_replaced, room=room, parents=True, shared=True)
    model, lines = by_name("anny"), []
    result: dict[str, Any] = {}
    if sheet_path is not None:
        note(f"drawing {SHEET} people ...")
        png.write(sheet_path, contact_sheet(model, SHEET, seed))
        result["sheet"] = str(sheet_path)
        lines.append(f"{sheet_path}: {SHEET} people")
    if out is not None:
        made = export.write_samples(model, out, count, seed=seed, size=size, views=views)
        result |= {"out": str(out), "samples": count, "heads": made.heads, "samples_per_second": made.samples_per_second}
        lines.append(f"{out}: {count} samples of {made.heads} people, {made.samples_per_second:.1f} a second")
    report(result, lines, as_json, sheet_path)
