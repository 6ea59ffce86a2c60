"""The training loop: AdamW, averaged weights, bfloat16 where the machine computes in it; resumable to the very same result."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from enrollment.prior_training import checkpoint, curves
from enrollment.prior_training.losses import denoising_loss, faces_loss
from enrollment.prior_training.sheet import look
from models import arkit, png
from models.atomic import atomic_write, explained
from models.diffusion import weights
from models.diffusion.batch import Batch, BatchSource, Faces, FaceSource
from models.diffusion.config import PriorConfig, TrainingConfig
from models.diffusion.precision import autocast
from models.diffusion.prior import Prior
from models.diffusion.space import LatentSpace
from models.progress import ProgressCallback, no_progress

WEIGHTS, CHECKPOINT, LOG, CURVES = "prior.safetensors", "checkpoint.safetensors", "log.jsonl", "curves.png"


@dataclass(frozen=True)
class Trained:
    """weights: the averaged weights, in half precision. steps: done in all. seconds: of this call. loss: mean of the last few."""

    weights: Path
    steps: int
    seconds: float
    loss: float


@dataclass(frozen=True)
class TrainingData:
    """batches: training pairs by step. held: a held-out batch, measured and drawn every `sample_every` steps.
    faces: face crops by step, for the expression encoder alone. held_faces: held-out face crops, measured with `held`."""

    batches: BatchSource
    held: Batch | None = None
    faces: FaceSource | None = None
    held_faces: Faces | None = None


@dataclass(frozen=True)
class LoopOptions:
    """steps: in all; minutes: of this call; None for no limit. device: a torch device. resume: continue the run in the folder.
    start: weights to begin with; tensors whose shape does not fit are new. space: the autoencoder of a latent configuration.
    """

    steps: int | None = None
    minutes: float | None = None
    device: str = "cpu"
    seed: int = 0
    resume: bool = True
    start: Prior | None = None
    space: LatentSpace | None = None


def train(
    config: PriorConfig,
    data: TrainingData,
    out: Path,
    options: LoopOptions = LoopOptions(),
    *,
    progress: ProgressCallback = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train until `steps` in all are done, `minutes` of this call are over, or `cancelled` returns True, whichever is first.

    Writes into `out`: prior.safetensors (averaged weights, half precision), checkpoint.safetensors, log.jsonl, curves.png, and
    samples_*.png of the held-out batch. A run with the same configuration and seed in the same folder goes on where it stopped;
    what happens in a step depends on configuration, seed and step only. Raises `CheckpointError`, `StorageError`.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explained(error, out) from None
    run = _Run(config, data, out, options)
    began = saved = time.monotonic()

    def spent() -> float:
        return time.monotonic() - began

    def limit_reached() -> bool:
        steps, minutes = options.steps, options.minutes
        return (steps is not None and run.step >= steps) or (minutes is not None and spent() >= 60 * minutes) or cancelled()

    while not limit_reached():
        run.advance()
        if run.step % config.training.log_every == 0:
            run.report(spent(), progress)
        if run.step % config.training.sample_every == 0:
            run.measure()
        if time.monotonic() - saved > 60 * config.training.checkpoint_minutes:
            run.save()
            saved = time.monotonic()
    run.save()
    return Trained(out / WEIGHTS, run.step, spent(), _mean(run.recent).get("loss", float("nan")))


class _Run:
    """Networks, optimiser, averages and log of one run; continued from the folder's checkpoint when `resume` is set.

    step: updates done in all. recent: figures of the last `log_every` steps.
    """

    def __init__(self, config: PriorConfig, data: TrainingData, out: Path, options: LoopOptions) -> None:
        self._how, self._data, self._out, self._options = config.training, data, out, options
        torch.manual_seed(options.seed)
        prior = Prior(config, options.space)
        if options.start is not None:
            weights.adopt(prior, options.start)
        if config.training.temporal_only:
            prior.requires_grad_(False).denoiser.temporal.requires_grad_(True)
        self._prior = prior.to(options.device).train()
        self._readout = torch.nn.Linear(config.expression.latent, arkit.COUNT).to(options.device)
        parameters = [p for m in (self._prior, self._readout) for p in m.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(
            parameters, self._how.rate, (0.9, 0.99), weight_decay=self._how.weight_decay, fused=True
        )
        self._averages = {name: p.detach().clone() for name, p in self._prior.named_parameters() if p.requires_grad}
        self._state = checkpoint.State({"prior": self._prior, "readout": self._readout}, self._averages, self._optimizer)
        self._task = hashlib.sha256(f"{config.to_json()} {options.seed}".encode()).hexdigest()
        self.step = checkpoint.load(out / CHECKPOINT, self._task, self._state) if options.resume else 0
        self.recent: list[dict[str, float]] = []
        self._samples = 0
        self._rows = [row for row in curves.read_log(out / LOG) if row["step"] <= self.step] if self.step else []
        with atomic_write(out / LOG) as stream:
            stream.write("".join(json.dumps(row) + "\n" for row in self._rows).encode())

    def advance(self) -> None:
        """One update: of the expression encoder alone in the first `encoder_steps`, where there are faces, of the prior later."""
        how, data, options = self._how, self._data, self._options
        alone = data.faces is not None and self.step < how.encoder_steps
        held_still = how.hold_encoder and not alone
        if held_still:
            _hold(self._prior, self._averages)
        batch = None if alone else data.batches(self.step)
        faces = None if data.faces is None or held_still else data.faces(self.step)
        row = _step(self._prior, self._readout, self._optimizer, batch, faces, options.seed, self.step, options.device)
        self.step += 1
        self._samples += how.batch if batch is None else len(batch)
        _average(self._averages, self._prior, how, self.step)
        self.recent = [*self.recent, row][-how.log_every :]

    def report(self, seconds: float, progress: ProgressCallback) -> None:
        """Log the mean of the recent steps. seconds: since this call began."""
        mean, speed = _mean(self.recent), self._samples / seconds
        row = {"step": self.step, **mean, "samples_per_second": round(speed, 3), "seconds": round(seconds, 1)}
        _log(self._out, self._rows, row)
        steps, minutes = self._options.steps, self._options.minutes
        part = self.step / steps if steps else seconds / (60 * minutes) if minutes else 0.0
        progress(f"step {self.step}, loss {mean['loss']:.4f}, {speed:.1f} samples/s", min(part, 1.0))

    def measure(self) -> None:
        """Log figures of the held-out batch and draw its samples; nothing without one."""
        held, faces = self._data.held, self._data.held_faces
        if held is None:
            return
        path = self._out / f"samples_{self.step:06d}.png"
        figures = _look(self._prior, self._averages, self._readout, held, faces, path, self._options.device)
        _log(self._out, self._rows, {"step": self.step, **figures})
        curves.draw(self._rows, self._out / CURVES)

    def save(self) -> None:
        """Write checkpoint, averaged weights and curves."""
        checkpoint.save(self._out / CHECKPOINT, self.step, self._task, self._state)
        views = self._how.batch * max(0, self.step - (0 if self._data.faces is None else self._how.encoder_steps))
        notes = {"steps": str(self.step), "samples": str(views), "seed": str(self._options.seed)}
        whole = weights.trained_state(self._prior)
        averaged = {name: self._averages.get(name, tensor) for name, tensor in whole.items()}
        weights.save(self._prior, self._out / WEIGHTS, notes, averaged)
        curves.draw(self._rows, self._out / CURVES)


def may_be_replaced(path: Path) -> bool:
    """Whether a file that is in the folder of a run already is not in the run's way, or was written by one."""
    if path.suffix == ".png":
        named = path.name == CURVES or re.fullmatch(r"samples_\d{6,}\.png", path.name)
        return not named or png.is_ours(path) or checkpoint.is_one(path.with_name(CHECKPOINT))
    if path.name == LOG:
        return not path.stat().st_size or bool(curves.read_log(path))
    known = {WEIGHTS: weights.is_one, CHECKPOINT: checkpoint.is_one}
    return path.name not in known or known[path.name](path)


def rate(how: TrainingConfig, step: int) -> float:
    """Learning rate of a step, counted from 0: linear warm-up, then half a cosine; first for the encoder alone, down to nothing,
    then for all, down to `last_rate`."""
    if step < how.encoder_steps:
        return _cosine(step, how.warmup, how.encoder_steps, how.encoder_rate, 0.0)
    return _cosine(step - how.encoder_steps, how.warmup, how.schedule_steps, how.rate, how.last_rate)


def _cosine(step: int, warmup: int, steps: int, first: float, last: float) -> float:
    if step < warmup:
        return first * (step + 1) / warmup
    part = min((step - warmup) / max(steps - warmup, 1), 1.0)
    return last + (first - last) * (1 + math.cos(math.pi * part)) / 2


def _hold(prior: Prior, averages: dict[str, Tensor]) -> None:
    """From here on the encoder is its average, and learns nothing."""
    if next(prior.expression.parameters()).requires_grad:
        prior.load_state_dict({n: t for n, t in averages.items() if n.startswith("expression.")}, strict=False)
        prior.expression.requires_grad_(False)


def _step(
    prior: Prior,
    readout: torch.nn.Linear,
    optimizer: torch.optim.Optimizer,
    batch: Batch | None,
    faces: Faces | None,
    seed: int,
    step: int,
    device: str,
) -> dict[str, float]:
    """One update; without a batch, of the expression encoder. A loss that is not finite changes nothing and shows in the log."""
    how = prior.config.training
    generator = torch.Generator().manual_seed((seed << 32) + step)
    now = rate(how, step)
    for group in optimizer.param_groups:
        group["lr"] = now
    with autocast(how.precision, device):
        crops = None if faces is None else faces.to(device)
        if batch is not None:
            losses = denoising_loss(prior, readout, batch.to(device), generator, crops)
        else:
            assert crops is not None
            losses = faces_loss(prior, readout, crops, generator)
    optimizer.zero_grad(set_to_none=True)
    losses.total.backward()
    norm = torch.nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], how.clip)
    if torch.isfinite(norm):
        optimizer.step()
    return {
        "loss": float(losses.total.detach()),
        "color": float(losses.color),
        "normals": float(losses.normals),
        "readout": float(losses.readout),
        "triples": float(losses.triples),
        "points": float(losses.points),
        "gradient": float(norm),
        "rate": now,
    }


@torch.no_grad()
def _average(averages: dict[str, Tensor], prior: Prior, how: TrainingConfig, step: int) -> None:
    """Exponential moving average; its memory is short at first, so that it does not remember the start."""
    decay = min(how.ema, (1 + step) / (10 + step))
    own = dict(prior.named_parameters())
    torch._foreach_lerp_(list(averages.values()), [own[name].detach() for name in averages], 1 - decay)


def _look(
    prior: Prior,
    averages: dict[str, Tensor],
    readout: torch.nn.Linear,
    held: Batch,
    faces: Faces | None,
    path: Path,
    device: str,
) -> dict[str, float]:
    """Samples with the averaged weights, which are put in for a moment."""
    own = {name: p.detach().clone() for name, p in prior.named_parameters() if name in averages}
    prior.load_state_dict(averages, strict=False)
    try:
        return look(prior.eval(), readout, held.to(device), path, faces=None if faces is None else faces.to(device))
    finally:
        prior.load_state_dict(own, strict=False)
        prior.train()


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: sum(row[name] for row in rows) / len(rows) for name in (rows[-1] if rows else ())}


def _log(out: Path, rows: list[dict[str, Any]], row: dict[str, Any]) -> None:
    rows.append(copy.copy(row))
    try:
        with open(out / LOG, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
    except OSError as error:
        raise explained(error, out / LOG) from None
