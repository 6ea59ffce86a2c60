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


def train(
    config: PriorConfig,
    batches: BatchSource,
    out: Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    device: str = "cpu",
    seed: int = 0,
    resume: bool = True,
    held: Batch | None = None,
    start: Prior | None = None,
    space: LatentSpace | None = None,
    faces: FaceSource | None = None,
    held_faces: Faces | None = None,
    progress: ProgressCallback = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
) -> Trained:
    """Trains until `steps` in all are done, `minutes` of this call are over, or `cancelled`, whichever is first.

    Writes into `out`: prior.safetensors (averaged weights, half precision), checkpoint.safetensors, log.jsonl, curves.png, and
    samples_*.png of the held-out batch. A run with the same configuration and seed in the same folder goes on where it stopped;
    what happens in a step depends on configuration, seed and step only. start: weights to begin with; those that do not fit are
    new. space: the autoencoder of a latent configuration. faces, held_faces: crops for the latent alone, to learn from and to
    measure with. Raises `CheckpointError`, `StorageError`.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explained(error, out) from None
    how = config.training
    torch.manual_seed(seed)
    prior = Prior(config, space)
    if start is not None:
        weights.adopt(prior, start)
    prior = prior.to(device).train()
    readout = torch.nn.Linear(config.expression.latent, arkit.COUNT).to(device)
    parameters = [p for m in (prior, readout) for p in m.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, how.rate, (0.9, 0.99), weight_decay=how.weight_decay, fused=True)
    averages = {name: p.detach().clone() for name, p in prior.named_parameters() if p.requires_grad}
    state = checkpoint.State({"prior": prior, "readout": readout}, averages, optimizer)
    task = hashlib.sha256(f"{config.to_json()} {seed}".encode()).hexdigest()
    step = checkpoint.load(out / CHECKPOINT, task, state) if resume else 0
    rows = [row for row in curves.read_log(out / LOG) if row["step"] <= step] if step else []
    with atomic_write(out / LOG) as stream:
        stream.write("".join(json.dumps(row) + "\n" for row in rows).encode())

    began = saved = time.monotonic()
    seen = 0
    recent: list[dict[str, float]] = []

    def finish(step: int) -> None:
        checkpoint.save(out / CHECKPOINT, step, task, state)
        views = how.batch * max(0, step - (0 if faces is None else how.encoder_steps))
        notes = {"steps": str(step), "samples": str(views), "seed": str(seed)}
        whole = weights.trained_state(prior)
        weights.save(prior, out / WEIGHTS, notes, {name: averages.get(name, tensor) for name, tensor in whole.items()})
        curves.draw(rows, out / CURVES)

    while (steps is None or step < steps) and (minutes is None or time.monotonic() - began < 60 * minutes) and not cancelled():
        alone = faces is not None and step < how.encoder_steps
        held_still = how.hold_encoder and not alone
        if held_still:
            _hold(prior, averages)
        batch = None if alone else batches(step)
        row = _step(prior, readout, optimizer, batch, None if faces is None or held_still else faces(step), seed, step, device)
        step += 1
        seen += how.batch if batch is None else len(batch)
        _average(averages, prior, how, step)
        recent = [*recent, row][-how.log_every :]
        seconds = time.monotonic() - began
        if step % how.log_every == 0:
            speed = seen / seconds
            mean = _mean(recent)
            _log(out, rows, {"step": step, **mean, "samples_per_second": round(speed, 3), "seconds": round(seconds, 1)})
            part = step / steps if steps else seconds / (60 * minutes) if minutes else 0.0
            progress(f"step {step}, loss {mean['loss']:.4f}, {speed:.1f} samples/s", min(part, 1.0))
        if held is not None and step % how.sample_every == 0:
            figures = _look(prior, averages, readout, held, held_faces, out / f"samples_{step:06d}.png", device)
            _log(out, rows, {"step": step, **figures})
            curves.draw(rows, out / CURVES)
        if time.monotonic() - saved > 60 * how.checkpoint_minutes:
            finish(step)
            saved = time.monotonic()
    finish(step)
    return Trained(out / WEIGHTS, step, time.monotonic() - began, _mean(recent).get("loss", float("nan")))


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
