"""`visavis train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from server.console import json_option, note, progress, report


@click.group()
def command() -> None:
    """Train what ships with Visavis again, on heads that this machine draws itself."""


@command.command()
@click.option("--config", "config_name", default="small", show_default=True, help="small, full, or a TOML file.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for weights, checkpoint, log and pictures.")
@click.option("--steps", type=click.IntRange(1), help="Stop after so many steps in all.")
@click.option("--minutes", type=click.FloatRange(0.0, min_open=True), help="Stop after so many minutes of this call.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where to train.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads of the network; what torch takes by default.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything random.")
@click.option("--resume/--fresh", default=True, show_default=True, help="Go on with the run in --out, or begin anew.")
@click.option("--start", type=click.Path(path_type=Path), help="Weights to begin with; those that do not fit are new.")
@click.option("--heads", type=click.IntRange(1, 1_000_000), default=400, show_default=True, help="Synthetic people to train on.")
@click.option("--begin", type=click.IntRange(1), help="Begin with so many of them, the rest are made meanwhile; all by default.")
@click.option("--held", type=click.IntRange(1, 1000), default=16, show_default=True, help="Further people, to measure with.")
@click.option("--views", type=click.IntRange(2, 255), default=12, show_default=True, help="Views of each person.")
@click.option("--cache", type=click.Path(path_type=Path), help="Folder for the training pairs; OUT/cache by default.")
@click.option(
    "--weights-folder",
    "folder",
    type=click.Path(path_type=Path),
    help="Stable-Diffusion-format folder, for a configuration in latents (full).",
)
@click.option(
    "--workers",
    type=click.IntRange(0, 256),
    default=2,
    show_default=True,
    help="Processes that make pairs, or 0.",
)
@json_option
def prior(config_name: str, out: Path, as_json: bool, **chosen: Any) -> None:
    """The diffusion prior: what a photo does not show, learned from synthetic people and their instant avatars.

    The training pairs are made first, and kept; Ctrl-C stops at any time, and the same command goes on. With --steps or --minutes
    it stops by itself.
    """
    from enrollment.prior_training.train_prior import PriorTrainingOptions, train_prior
    from models.diffusion.config import load_config

    config = load_config(config_name)
    with progress() as show:
        done = train_prior(config, out, PriorTrainingOptions(**chosen), progress=show, note=note)
    report(
        done.as_dict(),
        [
            f"{done.weights}: {done.steps} steps of {done.batch} pairs in all, loss {done.loss:.4f}",
            f"{done.pairs} training pairs of {done.heads} people, read at {done.pairs_per_second:.0f} a second",
        ],
        as_json,
    )
