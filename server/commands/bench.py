"""`visavis bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from server.console import json_option, note, report, table


@click.group()
def command() -> None:
    """Measure speed and accuracy on this machine; quote medians, the machine is never quiet."""


@command.command()
@json_option
def splat(as_json: bool) -> None:
    """The rasterizer: milliseconds a picture, forward and backward, and against a plain vectorised version."""
    from models.splat.bench import bench

    rows = bench()
    report({"rows": rows}, table(rows), as_json)


@command.command()
@click.option("--avatar", type=click.Path(path_type=Path), help="Default: the built-in portrait.")
@json_option
def drive(avatar: Path | None, as_json: bool) -> None:
    """The face solver against known truth: the avatar is drawn with known coefficients, tracked, and compared."""
    from models import avatar_file
    from realtime.bench_solver import bench_solver

    result: dict[str, Any] = bench_solver(avatar_file.load(_avatar(avatar)), quiet=True)
    report(result, table([{"figure": k, "value": v} for k, v in result.items()]), as_json)


@command.command()
@click.option("--avatar", type=click.Path(path_type=Path), help="Default: the built-in portrait.")
@click.option("--seconds", default=20.0, show_default=True, help="How long to measure.")
@click.option("--clip", type=click.Path(path_type=Path), help="A face clip as webcam; the avatar's own faces when left out.")
@click.option("--browser", is_flag=True, help="With headless Chromium as the page, on the same cores: pictures shown a second.")
@json_option
def live(avatar: Path | None, seconds: float, clip: Path | None, browser: bool, as_json: bool) -> None:
    """A whole call on this machine: camera frame in to rendered frame out, through the real server."""
    from server.bench_browser import bench_browser
    from server.bench_live import bench_live

    result = (bench_browser if browser else bench_live)(_avatar(avatar), clip, seconds)
    report(result, table([{"figure": k, "value": v} for k, v in result.items()]), as_json)


def _avatar(path: Path | None) -> Path:
    from server import builtin

    return path or builtin.avatar_path(announce=note)
