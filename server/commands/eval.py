"""`visavis eval`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from server.console import json_option, progress, report, table

if TYPE_CHECKING:
    from enrollment import Quality

quality_option = click.option(
    "--quality", type=click.Choice(["instant", "standard", "high"]), default="instant", show_default=True, help="Of the avatar."
)


@click.group()
def command() -> None:
    """Measure quality against recorded truth."""


@command.command()
@click.argument("clip", type=click.Path(path_type=Path))
@click.option("--half", is_flag=True, help="Also learn from the first half of CLIP; the second half is compared.")
@click.option("--minutes", is_flag=True, help="With --half: with the settings of the server, which makes it in four minutes.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Write a picture of truth, avatar and warp side by side.")
@quality_option
@json_option
def reenact(clip: Path, half: bool, minutes: bool, sheet: Path | None, quality: Quality, as_json: bool) -> None:
    """Enroll from the first frame of CLIP, drive with later ones, compare with them.

    Prints the avatar beside two 2D baselines: `copy` (the first frame again) and `warp` (the first frame warped by its
    landmarks). With --half there is a row `clip` too, an avatar that was optimised on the clip's first half.
    """
    from models import outputs

    outputs.check_sheet(sheet, inputs=[clip])

    from enrollment.options import MINUTES
    from server.evaluation.enrollment import from_clip, from_photos
    from server.evaluation.reenact import reenact as run

    with progress() as show:
        result = run(
            clip, enroll=lambda rgb: from_photos([rgb], quality, show), out_sheet=sheet, progress=show,
            learn=(lambda opened, most: from_clip(opened, most, show, MINUTES if minutes else None)) if half else None,
        )  # fmt: skip
    report(result.as_dict(), [*table(result.rows()), *result.notes], as_json, sheet)


@command.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--sheet", type=click.Path(path_type=Path), help="Write a picture of the photos and the avatars in their poses.")
@quality_option
@json_option
def photos(photos: tuple[Path, ...], sheet: Path | None, quality: Quality, as_json: bool) -> None:
    """Enroll from the first of several PHOTOS of one person, and from all of them; compare in the poses of the others."""
    from models import outputs

    outputs.check_sheet(sheet, inputs=photos)

    from server.evaluation.enrollment import from_photos
    from server.evaluation.photos import compare

    with progress() as show:
        result = compare(photos, enroll=lambda some: from_photos(some, quality, show), out_sheet=sheet, progress=show)
    report(result.as_dict(), table(result.rows()), as_json, sheet)


@command.command("self")
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--sheet", type=click.Path(path_type=Path), help="Write a picture of the photos, the drawings and what differs.")
@quality_option
@json_option
def self_portrait(photos: tuple[Path, ...], sheet: Path | None, quality: Quality, as_json: bool) -> None:
    """Enroll from each of PHOTOS, draw it again from its avatar over white, compare."""
    from models import outputs

    outputs.check_sheet(sheet, inputs=photos)

    from enrollment import enroll
    from server.evaluation.self_portrait import draw_again

    with progress() as show:
        result = draw_again(photos, enroll=lambda photo: enroll([photo], quality=quality), out_sheet=sheet, progress=show)
    report(result.as_dict(), [*table(result.rows()), f"mean {result.mean:.2f} dB"], as_json, sheet)


@command.command()
@click.argument("weights", required=False, type=click.Path(path_type=Path))
@click.option("--people", type=click.IntRange(1, 1000), default=16, show_default=True, help="Synthetic people to measure on.")
@click.option(
    "--steps", "steps", type=click.IntRange(1, 1000), multiple=True, help="Sampling steps; may be repeated; 10, 25, 50."
)
@click.option("--threads", type=click.IntRange(1, 1024), help="CPU threads of the network; what torch takes by default.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Write a picture of coarse view, prior and truth.")
@json_option
def prior(
    weights: Path | None, people: int, steps: tuple[int, ...], threads: int | None, sheet: Path | None, as_json: bool
) -> None:
    """Measure a diffusion prior (the shipped one, or WEIGHTS) on synthetic people that no training run has seen."""
    from models import outputs

    outputs.check_sheet(sheet, inputs=[weights])

    import torch

    from models.diffusion import weights as files
    from server.evaluation.prior import PriorBenchmark, evaluate_prior

    if threads is not None:
        torch.set_num_threads(threads)
    network = files.load(weights or files.SHIPPED)
    with progress() as show:
        benchmark = PriorBenchmark.generate(people, network.config.size, show)
        result = evaluate_prior(network, benchmark, steps=steps or (1, 10, 25, 50), out_sheet=sheet, progress=show)
    lines = [f"expression latent: R² {result.readout_r2:.2f}, triples {result.triples:.3f}"]
    lines.append(f"outline from the sides: error {100 * result.outline:.1f} %, hair thickened {100 * result.thick_outline:.1f} %")
    report(result.as_dict(), [*table(result.rows()), *lines], as_json, sheet)
