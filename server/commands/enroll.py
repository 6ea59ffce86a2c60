"""`visavis enroll`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import click

from server.console import json_option, note, progress, report


@click.command()
@click.argument("photos", nargs=-1, type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The avatar file to write.")
@click.option("--video", type=click.Path(path_type=Path), help="A clip of the person, alone or besides PHOTOS; always standard.")
@click.option(
    "--quality",
    type=click.Choice(["instant", "standard", "high"]),
    help="instant: seconds (default). standard: optimised, minutes. high: with synthesised views.",
)
@click.option("--steps", type=click.IntRange(1, 1_000_000), help="Steps of the optimisation; what suits the input by default.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where to optimise.")
@click.option("--prior", type=click.Path(path_type=Path), help="Weights for --quality high; those that ship by default.")
@click.option("--capture", type=click.Path(path_type=Path), help="Folder with a transforms.json (nerfstudio, VHAP); standard.")
@click.option("--config", type=click.Path(path_type=Path), help="TOML file that switches mechanisms of the optimiser.")
@click.option("--networks", is_flag=True, help="Train per-person networks (dynamics, deformation) and bake them into the avatar.")
@click.option("--autoencoder", type=click.Path(path_type=Path), help="Stable-Diffusion-format folder, for a --prior in latents.")
@click.option("--consent", default="", help="Who agreed to the avatar, for its provenance record.")
@click.option("--head", default="anny", show_default=True, help="Head model: anny, or flame2020/flame2023 with your own file.")
@json_option
def command(photos: tuple[Path, ...], out: Path, quality: str | None, as_json: bool, **chosen: Any) -> None:
    """Make an avatar from PHOTOS of one person, or from a clip, and a preview sheet beside it.

    The photos, a clip (--video) or a folder of pictures with known cameras (--capture) show the person. The most frontal photo
    leads; further ones fill what it hides. Standard and high quality write the instant avatar first and then optimise it, high
    also on views of the sides, the back and other expressions that a diffusion prior synthesises. Ctrl-C keeps the best so far,
    and the same command goes on where it stopped.
    """
    from enrollment import EnrollOptions, Quality, RefineOptions, enroll_to_file
    from enrollment.reconstruction.config_file import NETWORKS, read_changes
    from enrollment.to_file import checkpoint_of
    from models.dataclass_config import merged

    optimised = [name for name in ("video", "capture", "config", "networks") if chosen[name]]
    if optimised and quality == "instant":
        raise click.UsageError(f"--{optimised[0]} needs an optimisation, and --quality instant has none; leave --quality away")
    changes = read_changes(chosen["config"]) if chosen["config"] else {}
    if chosen["networks"]:
        changes = merged(changes, NETWORKS)
    refinement = RefineOptions(
        chosen["steps"], chosen["device"], chosen["prior"], capture=chosen["capture"], changes=changes,
        autoencoder=chosen["autoencoder"],
    )  # fmt: skip
    level = cast("Quality", quality or ("standard" if optimised else "instant"))
    options = EnrollOptions(level, chosen["consent"], chosen["head"], refinement)
    with progress() as show:
        made = enroll_to_file(photos, chosen["video"], out, options, progress=show, notify=note)
    told = {remark["sentence"] for remark in made.report}
    for warning in made.warnings:
        if warning.partition("; ")[0] not in told:
            note(f"note: {warning}")
    lines = [
        f"{made.avatar}: {made.gaussians} Gaussians in {made.seconds:.1f} s, "
        f"landmarks fitted to {made.fit_rms_px_at_512:.1f} px at 512x512",
        f"{made.sheet}: look at it; what the photo does not show is a guess",
    ]
    lines += [
        f"{'good' if remark['good'] else 'weak'}: {remark['sentence']}{'; ' if remark['advice'] else ''}{remark['advice']}"
        for remark in made.report
    ]
    if made.views:
        lines.append(f"{made.views}: the synthesised views and their normals")
    if chosen["networks"]:
        lines.append(f"the networks were baked into the avatar; pictures lose {made.baking_loss_db:.2f} dB by it")
    if made.stopped:
        lines.append(f"after {made.steps} steps {made.stopped}; the same command goes on from {checkpoint_of(out).name}")
    report(made.as_dict(), lines, as_json)
