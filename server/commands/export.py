"""`visavis export`."""

from __future__ import annotations

from pathlib import Path

import click

from models.exchange import FORMATS
from server.console import json_option, report

BY_ENDING = {".ply": "ply", ".spz": "spz", ".webavatar": "web", "": "gaussian-avatars"}
"""Ending of the file to write -> format; none is a folder. Two formats are zips."""


@click.command()
@click.argument("avatar", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="What to write: .ply, .spz, .webavatar, .zip, or a folder.",
)
@click.option("--format", "kind", type=click.Choice(FORMATS), help="Default: by the ending of OUT; say which for a .zip.")
@json_option
def command(avatar: Path, out: Path, kind: str | None, as_json: bool) -> None:
    """Write AVATAR for other programs.

    ply and spz are a still head at rest. gaussian-avatars keeps the triangles, lam the expressions (for LAM's browser viewer),
    and web is what Visavis' own page draws by itself.
    """
    import numpy as np

    from enrollment.instant.blink import only_blinks
    from models import arkit, avatar_file, outputs
    from models.avatar import AvatarPoser
    from models.exchange import gaussian_avatars, lam, ours, ply, spz, web_avatar
    from models.heads.registry import by_name

    kind = kind or BY_ENDING.get(out.suffix.lower())
    if kind is None:
        raise click.UsageError(
            f"a name ending in .ply, .spz or .webavatar was expected, not {out.name}; or say which with --format"
        )
    if kind == "gaussian-avatars" and out.suffix.lower() != ".zip":
        outputs.check_folder(out, "the export", ours.is_member, inputs=[avatar], room=16 * outputs.MEGABYTE)
    else:
        outputs.check(out, outputs.EXPORTS[kind], inputs=[avatar])
    loaded = avatar_file.load(avatar)
    model = by_name(loaded.head)
    avatar_file.check(loaded, model)
    count, lines = len(loaded.gaussians), []
    if kind == "gaussian-avatars":
        left_out = gaussian_avatars.save(loaded, model, out)
        count -= left_out
        if left_out:
            lines.append(f"{left_out} Gaussians on the teeth were left out: GaussianAvatars has other teeth")
        if not loaded.head.startswith("flame"):
            lines.append(f"its triangles are those of the head {loaded.head!r}, so GaussianAvatars itself cannot open it")
        if loaded.corrections is not None and not only_blinks(loaded.corrections):
            lines.append("the corrections beyond the blendshapes were left out: GaussianAvatars has no place for them")
    elif kind == "web":
        loss = web_avatar.save(loaded, model, out)
        lines.append(f"{out.stat().st_size / 1e6:.2f} MB; pictures differ from the avatar's by {loss:.0f} dB PSNR")
        if loaded.corrections is not None and loaded.corrections.gaussians is not None:
            lines.append("corrections of single Gaussians were left out, which the figure tells")
    elif kind == "lam":
        count = lam.save(loaded, model, out)
    else:
        rest = AvatarPoser(loaded, model).pose(np.zeros(arkit.COUNT, np.float32))
        (ply if kind == "ply" else spz).save(rest, out)
    report({"out": str(out), "format": kind, "gaussians": count}, [f"{out}: {count} Gaussians as {kind}", *lines], as_json, out)
