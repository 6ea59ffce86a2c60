"""`visavis eval`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from server.console import Command, json_option, progress, report, table

if TYPE_CHECKING:
    from enrollment import Quality


class Measured(Protocol):
    """What a measure of an avatar of each photo returns. summary: one line."""

    @property
    def summary(self) -> str: ...

    def as_dict(self) -> dict[str, Any]: ...

    def rows(self) -> list[dict[str, Any]]: ...


photos_argument = click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))


def sheet_and_quality(shows: str) -> Callable[[Command], Command]:
    """The options --sheet, --quality, --config and --json. shows: what the sheet is a picture of."""

    def options(function: Command) -> Command:
        sheet = click.option("--sheet", type=click.Path(path_type=Path), help=f"Write a picture of {shows}.")
        levels = click.Choice(["instant", "standard", "high"])
        quality = click.option("--quality", type=levels, default="instant", show_default=True, help="Of the avatar.")
        of_file = click.Path(path_type=Path)
        config = click.option("--config", type=of_file, help="TOML file that switches mechanisms of the optimiser.")
        return sheet(quality(config(json_option(function))))

    return options


@click.group()
def command() -> None:
    """Measure quality against recorded truth."""


@command.command()
@click.argument("clip", type=click.Path(path_type=Path))
@click.option("--half", is_flag=True, help="Also learn from the first half of CLIP; the second half is compared.")
@click.option("--held-out", is_flag=True, help="Also learn from CLIP but for moments all through it; these are compared.")
@click.option("--minutes", is_flag=True, help="As the server learns from a clip, in four minutes; with --half or --held-out.")
@sheet_and_quality("truth, avatar and warp side by side")
def reenact(
    clip: Path, half: bool, held_out: bool, minutes: bool, sheet: Path | None, quality: Quality, config: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Enroll from the first frame of CLIP, drive with later ones, compare with them.

    Prints the avatar beside two 2D baselines: `copy` (the first frame again) and `warp` (the first frame warped by its
    landmarks). With --half there is a row `clip` too, an avatar that was optimised on the clip's first half, and with --held-out
    one of all but a quarter of a second around every third picture that is compared; and how many seconds it took.
    """
    if half and held_out:
        raise click.UsageError("--half or --held-out was expected, both came; leave one of them away")
    from models import outputs

    outputs.check_sheet(sheet, inputs=[clip])

    from enrollment.options import MINUTES, RefineOptions
    from server.evaluation.enrollment import from_clip, from_photos
    from server.evaluation.reenact import reenact as run

    changes = _changes(config, optimised=half or held_out or quality != "instant")
    options = replace(MINUTES if minutes else RefineOptions(), changes=changes)
    of_photo = RefineOptions(changes={} if quality == "instant" else changes)
    with progress() as show:
        result = run(
            clip, enroll=lambda rgb: from_photos([rgb], quality, show, of_photo), out_sheet=sheet, progress=show,
            held_out=held_out,
            learn=(lambda opened, most: from_clip(opened, most, show, options)) if half or held_out else None,
        )  # fmt: skip
    report(result.as_dict(), [*table(result.rows()), *filter(None, [result.summary]), *result.notes], as_json, sheet)


@command.command()
@photos_argument
@sheet_and_quality("the photos and the avatars in their poses")
def photos(photos: tuple[Path, ...], sheet: Path | None, quality: Quality, config: Path | None, as_json: bool) -> None:
    """Enroll from the first of several PHOTOS of one person, and from all of them; compare in the poses of the others."""
    from models import outputs

    outputs.check_sheet(sheet, inputs=photos)

    from enrollment.options import RefineOptions
    from server.evaluation.enrollment import from_photos
    from server.evaluation.photos import compare

    options = RefineOptions(changes=_changes(config, optimised=quality != "instant"))
    with progress() as show:
        result = compare(photos, enroll=lambda some: from_photos(some, quality, show, options), out_sheet=sheet, progress=show)
    report(result.as_dict(), table(result.rows()), as_json, sheet)


@command.command("self")
@photos_argument
@sheet_and_quality("the photos, the drawings and what differs")
def self_portrait(photos: tuple[Path, ...], **options: Any) -> None:
    """Enroll from each of PHOTOS, draw it again from its avatar over white, compare."""
    from server.evaluation.self_portrait import draw_again

    _measure_each(draw_again, photos, **options)


@command.command()
@photos_argument
@sheet_and_quality("the photos and the drawn heads")
@click.option(
    "--people",
    type=click.IntRange(0, 1000),
    default=0,
    help="Also measure so many drawn people, from the sides against themselves from the front: what a faultless avatar reaches.",
)
def identity(photos: tuple[Path, ...], people: int, **options: Any) -> None:
    """Enroll from each of PHOTOS; how far a face recogniser sees the avatar, at 0, 30 and 60 degrees, from the photo.

    Below 0.6 it takes the two for one person. Needs dlib: `pip install visavis[eval]`.
    """
    from server.evaluation.identity import identity as run

    _measure_each(partial(run, people=people), photos, **options)


@command.command()
@photos_argument
@sheet_and_quality("the avatars from eight directions and what each pixel was taken for")
def parsing(photos: tuple[Path, ...], **options: Any) -> None:
    """Enroll from each of PHOTOS; look from eight directions for ears where hair should be, and skin on the back of the head."""
    from server.evaluation.parsing_agreement import parsing_agreement

    _measure_each(parsing_agreement, photos, **options)


@command.command()
@click.option("--people", type=click.IntRange(1, 1000), default=8, show_default=True, help="Drawn people to measure on.")
@json_option
def turned(people: int, as_json: bool) -> None:
    """Draw people who are turned by up to 45 degrees and fit a head to them; how much too wide its jaw becomes."""
    from dataclasses import asdict

    from server.evaluation import turned_width

    with progress() as show:
        rows = turned_width.turned_widths(people, turned_width.YAWS, show)
    report({"rows": [asdict(row) for row in rows]}, table(turned_width.as_rows(rows)), as_json)


def _changes(config: Path | None, *, optimised: bool) -> dict[str, Any]:
    """What a configuration of the optimiser changes. optimised: whether anything is."""
    from enrollment.reconstruction.config_file import read_changes

    if config is not None and not optimised:
        raise click.UsageError("--config needs an optimisation, and --quality instant has none; add --quality standard")
    return {} if config is None else read_changes(config)


def _measure_each(
    measure: Callable[..., Measured], photos: Sequence[Path], *, sheet: Path | None, quality: Quality, config: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Print a measure of an avatar of each photo."""
    from models import outputs

    outputs.check_sheet(sheet, inputs=photos)

    from enrollment import RefineOptions, enroll

    options = RefineOptions(changes=_changes(config, optimised=quality != "instant"))
    with progress() as show:
        enrolled = partial(enroll, quality=quality, refinement=options)
        result = measure(photos, enroll=lambda photo: enrolled([photo]), out_sheet=sheet, progress=show)
    report(result.as_dict(), [*table(result.rows()), result.summary], as_json, sheet)


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
    lines.append(f"outline from the sides: the instant avatar is off by {100 * result.outline:.1f} %")
    report(result.as_dict(), [*table(result.rows()), *lines], as_json, sheet)
