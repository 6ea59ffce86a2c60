"""Training the diffusion prior: first the pairs, then the loop."""

from __future__ import annotations

import dataclasses
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from enrollment.prior_training.face_crops import CROP
from enrollment.prior_training.pair_cache import HELD_OUT, TRAINING, Cache, FaceCache, throughput
from models import outputs, stopping
from models.diffusion.config import PriorConfig, PriorConfigError
from models.errors import Cancelled, MissingPartError

ROOM = 64 << 20
"""Bytes that a run takes at least, and its training data."""
HELD_VIEWS = 2
"""Of each held-out person in the batch that the loop looks at."""


@dataclass(frozen=True)
class PriorRun:
    """weights: the file. steps: done in all, each of `batch` pairs. heads, pairs: there at the end. seconds: of the loop."""

    weights: str
    steps: int
    batch: int
    loss: float
    heads: int
    pairs: int
    pairs_per_second: float
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def train_prior(
    config: PriorConfig,
    out: Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    device: str = "cpu",
    threads: int | None = None,
    seed: int = 0,
    resume: bool = True,
    start: Path | None = None,
    heads: int = 400,
    begin: int | None = None,
    held: int = 16,
    views: int = 12,
    cache: Path | None = None,
    workers: int = 2,
    tell: Callable[[str, float], None] = lambda stage, part: None,
    note: Callable[[str], None] = lambda text: None,
) -> PriorRun:
    """Make the pairs that are missing and train on them; Ctrl-C ends either early and cleanly.

    begin: heads that must be there before training begins; the others are made while it runs, and such a run cannot be repeated
    exactly. The others are those of `visavis train prior`. Raises `PriorConfigError`, `MissingPartError`, `StorageError`.
    """
    import torch

    from enrollment.prior_training.loop import Progress, train
    from models.diffusion import weights

    if config.space.kind != "pixel" or config.training.frames > 1:
        raise PriorConfigError(
            f"training on synthetic heads needs space.kind pixel and training.frames 1, {config.name} has others; "
            "train that one on your own data with enrollment.prior_training.loop.train"
        )
    if config.expression.crop != CROP:
        raise PriorConfigError(
            f"training on synthetic heads needs expression.crop {CROP}, {config.name} has {config.expression.crop}; change it"
        )
    if device == "cuda" and not torch.cuda.is_available():
        raise MissingPartError("a CUDA device was expected, torch finds none; train with --device cpu or install torch for CUDA")
    if threads is not None:
        torch.set_num_threads(threads)
    folder = cache or out / "cache"
    check_places(out, folder, start, workers)
    pairs, faces = Cache(folder, config.size, views), FaceCache(folder / "faces")
    groups = config.training.faces
    cross_view = config.mechanisms.cross_view
    wanted = range(TRAINING, TRAINING + heads)
    with _interrupted() as stop:
        for what, seeds in (
            ("held-out people", range(HELD_OUT, HELD_OUT + held)),
            ("people to train on", wanted[: begin or heads]),
        ):
            pairs.make(seeds, workers=workers, cancelled=stop.is_set, tell=partial(_drawn, tell, what))
            if groups:
                faces.make(seeds, workers=workers, cancelled=stop.is_set, tell=partial(_drawn, tell, f"faces of {what}"))

        if stop.is_set():
            raise Cancelled("training was stopped while its data were made; those that are whole are kept for the next call")

        def make_the_others() -> None:
            for files in (pairs, faces) if groups else (pairs,):
                files.make(wanted, workers=(workers + 1) // 2, cancelled=stop.is_set)

        maker = threading.Thread(target=make_the_others)
        maker.start()

        def say(now: Progress) -> None:
            part = now.step / now.steps if now.steps else now.seconds / (60 * minutes) if minutes else 0.0
            tell(f"step {now.step}, loss {now.loss:.4f}, {now.samples_per_second:.1f} samples/s", min(part, 1.0))

        try:
            source = pairs.batches(heads, config.training.batch, seed=seed, cross_view=cross_view)
            speed = throughput(source, 5)
            if not stop.is_set():
                note(f"{len(pairs.there(wanted))} people to train on, {speed:.0f} pairs a second")
            done = train(
                config, source, out, steps=steps, minutes=minutes, device=device, seed=seed, resume=resume,
                held=pairs.held(held, views=HELD_VIEWS, cross_view=cross_view),
                faces=faces.batches(heads, groups, seed=seed, cross_view=cross_view) if groups else None,
                held_faces=faces.held(held) if groups else None,
                start=None if start is None else weights.load(start), report=say, cancelled=stop.is_set,
            )  # fmt: skip
        finally:
            stop.set()
            maker.join()
    there = len(pairs.there(wanted))
    return PriorRun(str(done.weights), done.steps, config.training.batch, done.loss, there, there * views, speed, done.seconds)


def check_places(out: Path, cache: Path, start: Path | None, workers: int) -> None:
    """Raises `StorageError` when a run cannot be written to `out`, or training data to `cache`."""
    from enrollment.prior_training.loop import WEIGHTS, may_be_replaced

    outputs.check_folder(out, "the run", may_be_replaced, room=ROOM, parents=True, shared=True)
    outputs.refuse_inputs(out / WEIGHTS, [start])
    if workers:
        outputs.check_folder(cache, "training data", lambda entry: True, room=ROOM, parents=True, shared=True)


def _drawn(tell: Callable[[str, float], None], what: str, done: int, of: int) -> None:
    tell(f"drawing {what}", done / of)


@contextmanager
def _interrupted() -> Iterator[threading.Event]:
    """An event that Ctrl-C, or another request to end, sets instead of ending the program at once; a second one ends it.

    After other requests than Ctrl-C `Stopped` is raised in the end, for the exit code.
    """
    stop, came = threading.Event(), list[int]()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    kinds = [kind for kind in stopping.ENDING if signal.getsignal(kind) != signal.SIG_IGN]
    before = [signal.getsignal(kind) for kind in kinds]

    def handle(number: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        came.append(number)
        stop.set()

    for kind in kinds:
        signal.signal(kind, handle)
    try:
        yield stop
    except Cancelled:
        if came and came[0] != signal.SIGINT:
            raise stopping.Stopped(came[0]) from None
        raise
    finally:
        for kind, old in zip(kinds, before, strict=True):
            signal.signal(kind, old)
    if came and came[0] != signal.SIGINT:
        raise stopping.Stopped(came[0])
