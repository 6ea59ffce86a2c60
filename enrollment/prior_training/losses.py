"""The denoising loss: how far the predicted residual is from the true one, and where that matters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from enrollment.prior_training.augment import augmented, varied, varied_faces
from models.diffusion.batch import Batch, Faces
from models.diffusion.config import TrainingConfig
from models.diffusion.points import WEIGHT
from models.diffusion.prior import Prior


@dataclass(frozen=True)
class Losses:
    """Scalars. total has the gradient; color and normals are plain mean squares in units of the scaled residual;
    readout is that of the coefficients; triples, the part of moments whose other view is not the nearest; points, how far the
    places that the encoder finds are from the landmarks', right and down together, in half parts."""

    total: Tensor
    color: Tensor
    normals: Tensor
    readout: Tensor
    triples: Tensor
    points: Tensor


def denoising_loss(
    prior: Prior, readout: torch.nn.Linear, batch: Batch, generator: torch.Generator, faces: Faces | None = None
) -> Losses:
    """One random noise level for each clip; the same noise for both domains (G3). All randomness comes from `generator`.

    readout: latent -> coefficients. Unless `training.readout` says otherwise it learns without teaching the latent anything.
    faces: further crops, for the latent alone.
    """
    how = prior.config.training
    frames = how.frames
    b = len(batch)
    clips = b // frames
    if how.augment:
        batch = varied(batch, generator, clips)
    batch = _with_changed_crops(batch, augmented(batch.driving, generator, how.augment))
    level = torch.rand(clips, generator=generator) ** how.noisy
    t = (level * prior.config.timesteps).long().clamp(max=prior.config.timesteps - 1)
    t = t.repeat_interleave(frames).to(batch.pose.device)
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
    teaches = how.readout > 0 and latent.requires_grad
    read = F.mse_loss(readout(latent.float() if teaches else latent.detach().float()), batch.coefficients)
    total = total + (how.readout if teaches else 1.0) * read
    missed = far = torch.zeros(())
    if faces is not None:
        expressions, missed, far = expression_loss(prior, readout, varied_faces(faces, generator, how.augment))
        total = total + expressions
    return Losses(total, plain[0], plain[1] if len(plain) > 1 else torch.zeros(()), read.detach(), missed, far)


def faces_loss(prior: Prior, readout: torch.nn.Linear, faces: Faces, generator: torch.Generator) -> Losses:
    """`expression_loss` alone, of varied faces."""
    faces = varied_faces(faces, generator, prior.config.training.augment)
    loss, missed, far = expression_loss(prior, readout, faces)
    nothing = torch.zeros(())
    return Losses(loss, nothing, nothing, nothing, missed, far)


def expression_loss(prior: Prior, readout: torch.nn.Linear, faces: Faces) -> tuple[Tensor, Tensor, Tensor]:
    """What the expression encoder learns from crops alone: (loss, part of the moments that it takes for another one,
    error of its places).

    The coefficients must be readable from the latent. The places that it finds must be the landmarks'. And of the latents of a
    group (the same person, two webcams, M moments) the nearest to each must be its own moment's from the other webcam: the
    cross-entropy of that choice (van den Oord et al. 2018), by squared distances. All three are ours; the papers leave the
    encoder to the denoising loss.
    """
    how = prior.config.training
    g, m = faces.crops.shape[:2]
    latent, places = prior.expression.look(faces.crops.flatten(0, 2))
    latent = latent.float()
    target = faces.coefficients.flatten(0, 1).repeat_interleave(2, dim=0)
    loss = how.readout * F.mse_loss(readout(latent), target)
    far = (places - faces.points.flatten(0, 2)).abs().sum(dim=-1)
    loss = loss + how.points * (far * torch.from_numpy(WEIGHT).to(far)).mean()
    z = latent.reshape(g, 2 * m, -1)
    nearness = -torch.cdist(z, z).square() / (how.temperature * z.shape[-1])
    nearness = nearness - 1e9 * torch.eye(2 * m, device=z.device)
    own = torch.arange(2 * m, device=z.device) ^ 1
    chosen = nearness.flatten(0, 1)
    loss = loss + how.contrast * F.cross_entropy(chosen, own.repeat(g))
    return loss, (chosen.argmax(dim=1) != own.repeat(g)).float().mean().detach(), far.mean().detach()


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
