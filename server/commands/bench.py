"""`visavis bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from server.console import json_option, note, progress, report, table


@click.group()
def command() -> None:
    """Measure speed and accuracy on this machine; quote medians, the machine is never quiet."""


@command.command()
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--avatar", type=click.Path(path_type=Path), help="Default: the built-in portrait.")
@json_option
def splat(device: str, avatar: Path | None, as_json: bool) -> None:
    """The rasterizer: milliseconds a picture, forward and backward, and against a plain vectorised version; on the CPU also an
    avatar from the front, with all its Gaussians and with what the view sees, and decibels between the two."""
    from models import avatar_file
    from server.benchmarks.avatar import bench_avatar
    from server.benchmarks.splat import bench

    loaded = None if device == "cuda" else avatar_file.load(_avatar(avatar))
    rows, drawn = bench(device=device), [] if loaded is None else bench_avatar(loaded)
    report({"rows": rows, "avatar": drawn}, [*table(rows), "", *table(drawn)], as_json)


@command.command()
@click.option("--avatar", type=click.Path(path_type=Path), help="Default: the built-in portrait.")
@json_option
def drive(avatar: Path | None, as_json: bool) -> None:
    """The face solver against known truth: the avatar is drawn with known coefficients, tracked, and compared."""
    from models import avatar_file
    from server.benchmarks.solver import bench_solver

    result: dict[str, Any] = bench_solver(avatar_file.load(_avatar(avatar)), quiet=True)
    report(result, table([{"figure": k, "value": v} for k, v in result.items()]), as_json)


@command.command()
@click.option("--avatar", type=click.Path(path_type=Path), help="Default: the built-in portrait.")
@click.option("--seconds", type=click.FloatRange(2.0), default=10.0, show_default=True, help="Of landmarks.")
@json_option
def landmarks(avatar: Path | None, seconds: float, as_json: bool) -> None:
    """A person with a private camera: milliseconds of a core from a message of landmarks to a drive frame, WebRTC with it."""
    from server.benchmarks.landmarks import bench_landmarks

    result = bench_landmarks(_avatar(avatar), seconds)
    report(result, table([{"figure": k, "value": v} for k, v in result.items()]), as_json)


@command.command()
@click.option("--avatar", type=click.Path(path_type=Path), help="Default: the built-in portrait.")
@click.option("--seconds", default=20.0, show_default=True, help="How long to measure.")
@click.option("--clip", type=click.Path(path_type=Path), help="A face clip as webcams; the avatar's own faces when left out.")
@click.option("--people", type=click.IntRange(1, 16), default=1, show_default=True, help="With a webcam and an avatar each.")
@click.option("--viewers", type=click.IntRange(0, 64), default=0, show_default=True, help="Who watch, each from elsewhere.")
@click.option("--same-view", is_flag=True, help="All viewers share the spectators' camera.")
@click.option("--decode", is_flag=True, help="The pages decode their pictures, on the same cores, and do not only count them.")
@click.option("--browser", is_flag=True, help="With headless Chromium as the page, on the same cores: pictures shown a second.")
@click.option(
    "--busy", type=click.IntRange(0, 64), default=0, help="Processes that each burn a core meanwhile; without --browser."
)
@click.option("--enrolling", is_flag=True, help="Measure a second time while avatars are made in the background.")
@json_option
def live(
    avatar: Path | None, seconds: float, clip: Path | None, browser: bool, busy: int, enrolling: bool, as_json: bool, **who: Any
) -> None:
    """A whole room on this machine: camera frame in to rendered frame out, through the real server and WebRTC."""
    from server.benchmarks.browser import bench_browser
    from server.benchmarks.live import bench_live
    from server.benchmarks.pages import Pages

    path = _avatar(avatar)
    if browser:
        result = bench_browser(path, clip, seconds)
    else:
        result = bench_live(path, clip, seconds, Pages(**who), busy=busy, enrolling=enrolling)
    report(result, table([{"figure": k, "value": v} for k, v in result.items()]), as_json)


@command.command()
@click.option("--avatar", type=click.Path(path_type=Path), help="Default: the built-in portrait.")
@click.option("--seconds", type=click.FloatRange(5.0), default=30.0, show_default=True, help="How long to measure each.")
@click.option("--path", "paths", type=click.Choice(["server", "page", "private"]), multiple=True, help="Only that; repeat it.")
@click.option("--sound", is_flag=True, help="Voice against picture instead, at the page of somebody who watches.")
@json_option
def latency(avatar: Path | None, seconds: float, paths: tuple[str, ...], sound: bool, as_json: bool) -> None:
    """From the webcam to the picture that a page shows, by a light in the one and a mouth in the other: drawn by the server, by
    the page, and by the page with a private camera. Headless Chromium takes the same cores, and draws in software.

    With --sound: how much later than its picture a voice is heard at a second page, when the server draws."""
    from server.benchmarks.latency import PATHS, bench_latency
    from server.benchmarks.lip_sync import bench_lip_sync

    if sound:
        result = bench_lip_sync(_avatar(avatar), seconds)
        report(result, table([{"figure": k, "value": v} for k, v in result.items()]), as_json)
        return
    rows = bench_latency(_avatar(avatar), seconds, paths or tuple(PATHS))
    report({"rows": rows}, table(rows), as_json)


@command.command("first-picture")
@click.option("--avatar", type=click.Path(path_type=Path), help="Default: the built-in portrait.")
@click.option("--joins", type=click.IntRange(1, 200), default=10, show_default=True, help="How often to open the call.")
@json_option
def first_picture(avatar: Path | None, joins: int, as_json: bool) -> None:
    """From opening a call's address to the first picture that the page draws by itself; headless Chromium draws in software."""
    from server.benchmarks.first_picture import bench_first_picture

    result = bench_first_picture(_avatar(avatar), joins)
    report(result, table([{"figure": k, "value": v} for k, v in result.items()]), as_json)


@command.command()
@click.option("--avatar", type=click.Path(path_type=Path), help="Default: the built-in portrait.")
@click.option("--seconds", default=10.0, show_default=True, help="How long to measure.")
@click.option("--clip", type=click.Path(path_type=Path), help="A face clip as webcams; the avatar's own faces when left out.")
@click.option("--people", type=click.IntRange(1, 16), default=2, show_default=True, help="With a webcam and an avatar each.")
@click.option("--viewers", type=click.IntRange(0, 64), default=0, show_default=True, help="Who see all from a shared camera.")
@json_option
def room(avatar: Path | None, seconds: float, clip: Path | None, people: int, viewers: int, as_json: bool) -> None:
    """A room of several people in one render process: webcam picture in to drawn picture out, without WebRTC."""
    from server.benchmarks.room import bench_room

    result = bench_room(_avatar(avatar), clip, seconds, people=people, viewers=viewers)
    report(result, table([{"figure": k, "value": v} for k, v in result.items()]), as_json)


@command.command()
@click.option("--avatar", type=click.Path(path_type=Path), help="Default: the built-in portrait.")
@click.option(
    "--rooms", "count", type=click.IntRange(1, 64), default=10, show_default=True, help="Each with a process of its own."
)
@click.option("--people", type=click.IntRange(1, 16), default=2, show_default=True, help="In each room, without a webcam.")
@json_option
def rooms(avatar: Path | None, count: int, people: int, as_json: bool) -> None:
    """Many rooms with idle people: how long joining takes, and memory a room and a person."""
    from server.benchmarks.rooms import bench_rooms

    result = bench_rooms(_avatar(avatar), rooms=count, people=people)
    report(result, table([{"figure": k, "value": v} for k, v in result.items()]), as_json)


@command.command()
@click.option("--viewers", type=click.IntRange(1, 1000), default=200, show_default=True, help="Pages that draw by themselves.")
@click.option("--people", type=click.IntRange(1, 16), default=4, show_default=True, help="Whose drive frames they all get.")
@click.option("--rate", type=click.FloatRange(1.0, 60.0), default=30.0, show_default=True, help="Frames a second of each person.")
@click.option("--seconds", default=10.0, show_default=True, help="How long to measure.")
@json_option
def relay(as_json: bool, **what: Any) -> None:
    """Relaying drive frames to pages that draw by themselves: the part of one core that it takes, over real data channels, to
    pages in a process of their own; without sound, pictures and the render process."""
    from server.benchmarks.relay import bench_relay

    result = bench_relay(**what)
    report(result, table([{"figure": k, "value": v} for k, v in result.items()]), as_json)


@command.command()
@click.option("--avatar", type=click.Path(path_type=Path), help="Default: the built-in portrait.")
@click.option("--seconds", default=10.0, show_default=True, help="How long to measure.")
@click.option("--connections", type=click.IntRange(1, 256), default=8, show_default=True, help="Requests at the same time.")
@click.option("--rate", type=click.FloatRange(0.0, 10_000.0), default=0.0, help="Requests a second; as many as it can when 0.")
@json_option
def api(avatar: Path | None, seconds: float, connections: int, rate: float, as_json: bool) -> None:
    """The REST API without media, with SQLite: requests a second of a client on this machine, and how long they take."""
    from server.benchmarks.api import bench_api

    result = bench_api(_avatar(avatar), seconds, connections=connections, rate=rate)
    report(result, table([{"figure": k, "value": v} for k, v in result.items()]), as_json)


@command.command()
@click.option("--ablate", is_flag=True, help="A row for each mechanism left out or added, besides the usual one.")
@click.option("--steps", default=600, show_default=True, help="Of each fit.")
@click.option("--size", default=160, show_default=True, help="Pixels of the pictures, fitted and held out.")
@click.option("--seed", default=8, show_default=True, help="Which synthetic head.")
@click.option(
    "--sheet", type=click.Path(path_type=Path), help="A PNG of held-out views: truth, instant, fit, difference, normals."
)
@json_option
def reconstruct(ablate: bool, steps: int, size: int, seed: int, sheet: Path | None, as_json: bool) -> None:
    """Reconstruction against known truth: a synthetic head is enrolled from one portrait, fitted to 112 spoiled pictures (16
    cameras, 7 expressions), and compared in 8 cameras and 3 expressions that it was not fitted to."""
    from models import outputs

    outputs.check_sheet(sheet)

    import numpy as np

    from models import png
    from models.heads.registry import by_name
    from server.evaluation.ablation import rows as ablation

    start = ablation.begin(by_name("anny"), seed, size, ablate=ablate)
    chosen = ablation.cases(steps, size, ablate=ablate)
    rows, made = ablation.run(start, chosen, lambda stage, part: note(f"{stage} ({part:.0%})"))
    if sheet is not None:
        picture = ablation.sheet(start, made[1], range(0, len(start.held), 3))
        png.write(sheet, np.round(255 * picture).astype(np.uint8))
    records = ablation.records(rows)
    report({"seed": seed, "steps": steps, "size": size, "rows": records}, table(records), as_json, sheet)


@command.command()
@click.argument("weights", required=False, type=click.Path(path_type=Path))
@json_option
def engines(weights: Path | None, as_json: bool) -> None:
    """The networks of the prior that ships, or of WEIGHTS, on ONNX Runtime beside torch: milliseconds a call, and how far apart
    their results are."""
    from models.diffusion import weights as files
    from server.benchmarks.engines import bench, records

    rows = records(bench(files.load(weights or files.SHIPPED)))
    report({"rows": rows}, table(rows), as_json)


@command.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the runs; what is there is gone on with.")
@click.option("--encoder-steps", default=1500, show_default=True, help="Of the expression encoder, which learns first.")
@click.option("--steps", default=400, show_default=True, help="Of the rest, in each row.")
@click.option("--heads", type=click.IntRange(1, 1_000_000), default=200, show_default=True, help="Synthetic people to train on.")
@click.option("--people", type=click.IntRange(1, 1000), default=12, show_default=True, help="Further people, to measure with.")
@click.option("--cache", "folder", type=click.Path(path_type=Path), help="Folder for the training pairs; OUT/cache by default.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads of the network; what torch takes by default.")
@click.option("--workers", type=click.IntRange(0, 256), default=2, show_default=True, help="Processes that make pairs, or 0.")
@json_option
def prior(
    out: Path, encoder_steps: int, steps: int, heads: int, people: int, folder: Path | None, threads: int | None, workers: int,
    as_json: bool,
) -> None:  # fmt: skip
    """The diffusion prior's mechanisms: trained short with everything on, then with each left out in turn, and measured on
    synthetic people that it has not seen."""
    from models.diffusion.config import load_config
    from server.evaluation.prior_ablation import ablate

    with progress() as update:
        done = ablate(
            load_config("small"), out, encoder_steps=encoder_steps, steps=steps, heads=heads, people=people, cache=folder,
            threads=threads, workers=workers, progress=update,
        )  # fmt: skip
    values = done.as_dict()
    report(values, table(values["rows"]), as_json)


def _avatar(path: Path | None) -> Path:
    from server import builtin

    return path or builtin.avatar_path(announce=note)
