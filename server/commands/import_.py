"""`visavis import`."""

from __future__ import annotations

from pathlib import Path

import click

from server.console import json_option, note, report


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The avatar file to write.")
@click.option(
    "--head", type=click.Choice(["flame2023", "flame2020"]), default="flame2023", show_default=True,
    help="FLAME's release that it was trained with.",
)  # fmt: skip
@click.option("--consent", default="", help="Who agreed to the avatar, for its provenance record.")
@json_option
def command(source: Path, out: Path, head: str, consent: str, as_json: bool) -> None:
    """Make an avatar file of SOURCE: trained by GaussianAvatars, or written by `export --format gaussian-avatars`.

    SOURCE is the folder of a run of GaussianAvatars or a zip of it (the newest iteration counts), a folder or zip with
    point_cloud.ply and flame_param.npz, or that point_cloud.ply. To show it, your own FLAME file is needed. A still PLY hangs on
    no head, so it cannot be moved and is refused.
    """
    from models import outputs

    outputs.check(out, outputs.AVATAR, inputs=[source])

    from dataclasses import replace

    from models import avatar_file
    from models.errors import HeadModelError
    from models.exchange import gaussian_avatars
    from models.heads.registry import by_name

    avatar = gaussian_avatars.load(source, head)
    avatar = replace(avatar, provenance=avatar.provenance | {"consent": consent, "synthetic": True})
    try:
        avatar_file.check(avatar, by_name(avatar.head))
    except HeadModelError as error:
        note(f"note: {error}")
    avatar_file.save(avatar, out)
    imported = avatar.provenance["imported"]
    count, left_out = len(avatar.gaussians), imported["left_out_on_teeth"]
    lines = [f"{out}: {count} Gaussians on the head {avatar.head!r}"]
    if "iteration" in imported:
        lines.append(f"from iteration {imported['iteration']}, the newest that is there")
    if left_out:
        lines.append(f"{left_out} Gaussians on GaussianAvatars' own teeth were left out")
    report({"avatar": str(out), "head": avatar.head, "gaussians": count, "left_out": left_out}, lines, as_json, out)
