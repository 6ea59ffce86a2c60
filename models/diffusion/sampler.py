"""Sampling: DDIM on the residual from the partly noised coarse view (G8, F3), with guidance and the known region pasted (F4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from models.diffusion.conditions import Conditions
from models.diffusion.precision import autocast
from models.diffusion.prior import Known, Prior


@dataclass(frozen=True)
class Paste:
    """What is known about the target views. color: (B, 3, H, W) in [0, 1]; mask: (B, 1, H, W) in [0, 1], where it is known."""

    color: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Sampled:
    """color: (B, 3, H, W) sRGB in [0, 1] on white. normals: (B, 3, H, W) camera frame, OpenGL axes, 0 where nothing is.

    matte: (B, 1, H, W) in [0, 1], the normals' length.
    """

    color: Tensor
    normals: Tensor
    matte: Tensor


@torch.no_grad()
def sample(
    prior: Prior,
    conditions: Conditions,
    *,
    steps: int | None = None,
    strength: float | None = None,
    guidance: float | None = None,
    seed: int = 0,
    paste: Paste | None = None,
    latent: Tensor | None = None,
    frames: int = 1,
) -> Sampled:
    """Views of a head. What is left out is as the configuration says; the same seed gives the same pictures on one machine.

    steps: looks of the network. strength: (0, 1], noise on the coarse view at the start. guidance: away from a prediction that
    knows neither expression nor photo, both domains at once; 1 is none. latent: (B or 1, 128) instead of `driving`.
    All views start with the same noise, so a view does not depend on which others are in its batch.
    """
    how = prior.config.sampling
    guidance = how.guidance if guidance is None else guidance
    precise = autocast(prior.config.training.precision, conditions.pose.device)
    with precise:
        known = prior.known(conditions, latent)
    if paste is not None:
        paste = Paste(paste.color, softened(paste.mask, how.border, how.border_weight))
        known_residual, mask = _pasted(prior, conditions, known, paste)
    b, d, c, h, w = known.coarse.shape
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, 1, c, h, w, generator=generator).to(known.coarse).expand(b, d, -1, -1, -1)
    times = prior.schedule.timesteps(how.steps if steps is None else steps, how.strength if strength is None else strength)
    clean = torch.zeros_like(known.coarse)
    x = prior.schedule.add_noise(clean, noise, torch.full((b,), times[0], device=noise.device))
    for t, following in zip(times, [*times[1:], None]):
        with precise:
            clean = _guided(prior, x, t, known, guidance, frames)
        if paste is not None:
            first = torch.lerp(clean[:, 0], known_residual, mask)
            clean = torch.cat([first[:, None], clean[:, 1:]], dim=1)
        x = prior.schedule.step(x, clean, t, following)
    color, normals = prior.apply_residual(conditions, known, x)
    return Sampled(color, normals, normals.norm(dim=1, keepdim=True).clamp(0, 1))


def _guided(prior: Prior, x: Tensor, t: int, known: Known, guidance: float, frames: int) -> Tensor:
    """The predicted clean residual; with and without expression and photo in one batch (Ho and Salimans 2022, eq. 6)."""
    b = len(x)
    if guidance == 1:
        return prior.denoise(x, torch.full((b,), t, device=x.device), known, frames)
    reference = known.reference
    both = Known(
        known.coarse,
        torch.cat([known.inputs, known.inputs]),
        None if reference is None else {level: _twice(tokens, b) for level, tokens in reference.items()},
        _twice(known.latent, b),
    )
    out = prior.denoise(torch.cat([x, x]), torch.full((2 * b,), t, device=x.device), both, frames)
    told, untold = out.chunk(2)
    return untold + guidance * (told - untold)


def _twice(tensor: Tensor, rows: int) -> Tensor:
    """(B or 1, ...) -> (2 rows, ...): as it is, then zeros."""
    full = tensor.expand(rows, *tensor.shape[1:])
    return torch.cat([full, torch.zeros_like(full)])


def softened(mask: Tensor, border: int, weight: float) -> Tensor:
    """A mask (B, 1, H, W) whose outermost `border` pixels count `weight` (F4)."""
    if border == 0:
        return mask
    inside = -F.max_pool2d(-mask, 2 * border + 1, stride=1, padding=border)
    return inside + weight * (mask - inside)


def _pasted(prior: Prior, conditions: Conditions, known: Known, paste: Paste) -> tuple[Tensor, Tensor]:
    """The residual that leads to the known colours, (B, C, h, w), and how much it counts, the same shape."""
    color = torch.lerp(conditions.coarse_color, paste.color, (paste.mask > 0).to(paste.color))
    encoded, _ = prior.pictures(color, conditions.coarse_normals)
    residual = (encoded - known.coarse[:, 0]) * prior.config.space.scale
    channels, planes = prior.space.channels, prior.space.planes
    if planes > 1:
        # blocks of pixels: every channel has its own pixel's mask
        return residual, prior.space.encode_plain(paste.mask.expand(-1, channels // planes, -1, -1))
    return residual, prior.space.encode_plain(paste.mask).expand(-1, channels, -1, -1)
