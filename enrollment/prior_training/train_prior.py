"""Training the diffusion prior: first the pairs, then the loop."""

from __future__ import annotations

import dataclasses
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enrollment.prior_training.face_crops import CROP
from enrollment.prior_training.pair_cache import HELD_OUT, TRAINING, Cache, FaceCache, throughput
from models import outputs, stopping
from models.diffusion.config import PriorConfig, PriorConfigError
from models.errors import Cancelled, MissingPartError
from models.progress import ProgressCallback, no_progress

if TYPE_CHECKING:
    from models.diffusion.prior import Prior
    from models.diffusion.space import LatentSpace

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


@dataclass(frozen=True)
class PriorTrainingOptions:
    """steps: in all; minutes: of this call; None for no limit. threads: of torch on the CPU, torch's own number when None.
    resume: go on with the run in the folder. start: weights to begin with. heads: synthetic people to train on; begin: people
    who must be there before training begins, all when None; the others are made meanwhile, and such a run cannot be repeated
    exactly. held: further people, to measure with. views: of each person. cache: folder of the training pairs, out/cache when
    None. folder: Stable-Diffusion-format weights that a latent configuration needs. workers: processes that make pairs.
    """

    steps: int | None = None
    minutes: float | None = None
    device: str = "cpu"
    threads: int | None = None
    seed: int = 0
    resume: bool = True
    start: Path | None = None
    heads: int = 400
    begin: int | None = None
    held: int = 16
    views: int = 12
    cache: Path | None = None
    folder: Path | None = None
    workers: int = 2


def train_prior(
    config: PriorConfig,
    out: Path,
    options: PriorTrainingOptions,
    *,
    progress: ProgressCallback = no_progress,
    note: Callable[[str], None] = lambda text: None,
) -> PriorRun:
    """Make the training pairs that are missing and train on them; Ctrl-C ends either early and cleanly.

    Raises `PriorConfigError`, `MissingPartError`, `StorageError`, `WeightsError`.
    """
    import torch

    from enrollment.prior_training.loop import LoopOptions, TrainingData, train

    _require_trainable(config, options)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    cache = options.cache or out / "cache"
    check_places(out, cache, options.start, options.workers)
    config, first, space = _initial_weights(config, options)
    frames = config.training.frames
    pairs = Cache(cache if frames == 1 else cache / f"clips_of_{frames}", config.size, options.views, frames)
    faces = FaceCache(cache / "faces")
    groups, cross_view = config.training.faces, config.mechanisms.cross_view
    files: tuple[Cache | FaceCache, ...] = (pairs, faces) if groups else (pairs,)
    seeds = range(TRAINING, TRAINING + options.heads)
    with _interrupted() as stop:
        _make_first(files, options, stop, progress)

        def make_the_others() -> None:
            for kind in files:
                kind.make(seeds, workers=(options.workers + 1) // 2, cancelled=stop.is_set)

        maker = threading.Thread(target=make_the_others)
        maker.start()
        try:
            source = pairs.batches(options.heads, config.training.batch // frames, seed=options.seed, cross_view=cross_view)
            speed = throughput(source, 5)
            if not stop.is_set():
                note(f"{len(pairs.there(seeds))} people to train on, {speed:.0f} pairs a second")
            data = TrainingData(
                source,
                held=pairs.held(options.held, views=max(HELD_VIEWS, frames), cross_view=cross_view),
                faces=faces.batches(options.heads, groups, seed=options.seed, cross_view=cross_view) if groups else None,
                held_faces=faces.held(options.held) if groups else None,
            )
            limits = LoopOptions(
                options.steps, options.minutes, options.device, options.seed, options.resume, start=first, space=space
            )
            done = train(config, data, out, limits, progress=progress, cancelled=stop.is_set)
        finally:
            stop.set()
            maker.join()
    there = len(pairs.there(seeds))
    return PriorRun(
        str(done.weights), done.steps, config.training.batch, done.loss, there, there * options.views, speed, done.seconds
    )


def _require_trainable(config: PriorConfig, options: PriorTrainingOptions) -> None:
    """Raises `PriorConfigError` or `MissingPartError` when the configuration cannot be trained with what is there."""
    import torch

    if options.views % config.training.frames:
        raise PriorConfigError(
            f"{options.views} views of each person do not divide into clips of {config.training.frames} frames "
            f"(training.frames of {config.name}); give a multiple with --views"
        )
    if config.space.kind == "latent" and options.folder is None:
        raise PriorConfigError(
            f"the configuration {config.name} works in the latents of an autoencoder, and none came; name the folder of "
            "Stable-Diffusion-format weights that holds it with --weights-folder"
        )
    if config.space.kind == "pixel" and options.folder is not None:
        raise PriorConfigError(
            f"a folder of Stable-Diffusion-format weights is for latent configurations, {config.name} is of pixels; leave it away"
        )
    if config.expression.crop != CROP:
        raise PriorConfigError(
            f"training on synthetic heads needs expression.crop {CROP}, {config.name} has {config.expression.crop}; change it"
        )
    if options.device == "cuda" and not torch.cuda.is_available():
        raise MissingPartError("a CUDA device was expected, torch finds none; train with --device cpu or install torch for CUDA")


def _initial_weights(config: PriorConfig, options: PriorTrainingOptions) -> tuple[PriorConfig, Prior | None, LatentSpace | None]:
    """The configuration with the network of the operator's folder, the weights to begin with, and the autoencoder."""
    from models.diffusion import weights

    if options.folder is None:
        return config, None if options.start is None else weights.load(options.start), None
    from models.diffusion.space import LatentSpace
    from models.diffusion.stable_diffusion import prior_from_folder

    prior, _ = prior_from_folder(options.folder, config)
    assert isinstance(prior.space, LatentSpace)
    first = prior if options.start is None else weights.load(options.start, space=prior.space)
    return prior.config, first, prior.space


def _make_first(
    files: tuple[Cache | FaceCache, ...], options: PriorTrainingOptions, stop: threading.Event, progress: ProgressCallback
) -> None:
    """Make the data that must be there before training begins. Raises `Cancelled` when `stop` was set meanwhile."""
    people = {
        "held-out people": range(HELD_OUT, HELD_OUT + options.held),
        "people to train on": range(TRAINING, TRAINING + min(options.begin or options.heads, options.heads)),
    }
    for name, seeds in people.items():
        for kind in files:
            stage = f"drawing {name}" if isinstance(kind, Cache) else f"drawing faces of {name}"
            kind.make(seeds, workers=options.workers, stage=stage, progress=progress, cancelled=stop.is_set)
    if stop.is_set():
        raise Cancelled("training was stopped while its data were made; those that are whole are kept for the next call")


def check_places(out: Path, cache: Path, start: Path | None, workers: int) -> None:
    """Raises `StorageError` when a run cannot be written to `out`, or training data to `cache`."""
    from enrollment.prior_training.loop import WEIGHTS, may_be_replaced

    outputs.check_folder(out, "the run", may_be_replaced, room=ROOM, parents=True, shared=True)
    outputs.refuse_inputs(out / WEIGHTS, [start])
    if workers:
        outputs.check_folder(cache, "training data", lambda entry: True, room=ROOM, parents=True, shared=True)


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
