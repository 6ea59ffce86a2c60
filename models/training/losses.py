"""The denoising loss: how far the predicted residual is from the true one, and where that matters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from models.diffusion.config import TrainingConfig
from models.diffusion.prior import Prior
from models.training.augment import augmented
from models.training.batch import Batch


@dataclass(frozen=True)
class Losses:
    """Scalars. total has the gradient; color and normals are plain mean squares in units of the scaled residual;
    readout is that of the coefficients."""

    total: Tensor
    color: Tensor
    normals: Tensor
    readout: Tensor


def denoising_loss(prior: Prior, readout: torch.nn.Linear, batch: Batch, generator: torch.Generator) -> Losses:
    """One random noise level for each clip; the same noise for both domains (G3). All randomness comes from `generator`.

    readout: latent -> coefficients. Unless `training.readout` says otherwise it learns without teaching the latent anything.
    """
    how = prior.config.training
    frames = how.frames
    batch = _with_changed_crops(batch, augmented(batch.driving, generator, how.augment))
    b = len(batch)
    clips = b // frames
    t = torch.randint(0, prior.config.timesteps, (clips,), generator=generator).repeat_interleave(frames).to(batch.pose.device)
    kept = (torch.rand(clips, generator=generator) >= how.dropout).repeat_interleave(frames).to(batch.pose.device)
    known = prior.known(batch)
    latent = known.latent
    clean = prior.residual(known, batch.target_color, batch.target_normals)
    noise = torch.randn((b, 1, *clean.shape[2:]), generator=generator).to(clean).expand_as(clean)
    noisy = prior.schedule.add_noise(clean, noise, t)
    error = prior.denoise(noisy, t, known.dropped(kept), frames) - clean
    where = prior.space.encode_plain(importance(batch, how))
    where = where.repeat(1, clean.shape[2] // where.shape[1], 1, 1)[:, None]
    level = prior.schedule.signal_to_noise(t).clamp(max=how.snr_limit) + how.snr_floor
    weight = where * level.reshape(-1, 1, 1, 1, 1) / where.mean()
    squares = error.square()
    total = (weight * squares).mean()
    if how.gradient:
        total = total + how.gradient * (_gradient(error, -1, weight) + _gradient(error, -2, weight))
    plain = squares.mean(dim=(0, 2, 3, 4)).detach()
    read = F.mse_loss(readout(latent.float() if how.readout else latent.detach().float()), batch.coefficients)
    total = total + (how.readout or 1.0) * read
    return Losses(total, plain[0], plain[1] if len(plain) > 1 else torch.zeros(()), read.detach())


def importance(batch: Batch, how: TrainingConfig) -> Tensor:
    """(B, 1, H, W): `background` where coarse view and truth are empty, 1 on the head, more where the photo is blind."""
    there = torch.maximum(batch.target_matte, batch.coarse_alpha)
    return how.background + (1 - how.background) * there + how.unseen * there * (1 - batch.visibility)


def _gradient(error: Tensor, axis: int, weight: Tensor) -> Tensor:
    """Mean square of differences between neighbours along an axis."""
    n = error.shape[axis] - 1
    return (weight.narrow(axis, 0, n) * error.diff(dim=axis).square()).mean()


def _with_changed_crops(batch: Batch, crops: Tensor) -> Batch:
    return Batch(**{**batch.__dict__, "driving": crops})
