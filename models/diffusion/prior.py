"""The prior: space, reference network, expression encoder and denoiser, and what each of them is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.diffusion.conditions import Conditions
from models.diffusion.config import PriorConfig, PriorConfigError
from models.diffusion.denoiser import Denoiser
from models.diffusion.expression import ExpressionEncoder
from models.diffusion.reference import ReferenceNetwork
from models.diffusion.schedule import Schedule
from models.diffusion.space import LatentSpace, PixelSpace


@dataclass(frozen=True)
class Known:
    """Conditions, encoded. coarse: (B, D, C, h, w), domains colour and normals. inputs: (B, K, h, w), the denoiser's.

    reference: level -> tokens (B or 1, M, C), or None. latent: (B or 1, latent), expression.
    """

    coarse: Tensor
    inputs: Tensor
    reference: Mapping[int, Tensor] | None
    latent: Tensor

    def dropped(self, kept: Tensor) -> Known:
        """Expression and reference set to zero in rows where kept (B,) is False: what guidance compares with."""
        k = kept.to(self.latent.dtype)
        reference = self.reference
        if reference is not None:
            reference = {level: tokens * k[:, None, None] for level, tokens in reference.items()}
        return Known(self.coarse, self.inputs, reference, self.latent * k[:, None])


class Prior(nn.Module):
    """Everything with weights. `space` of a latent prior is the operator's autoencoder and is not saved with it."""

    def __init__(self, config: PriorConfig, space: PixelSpace | LatentSpace | None = None) -> None:
        """space: for a latent configuration. Raises `PriorConfigError` when that needs one and has none."""
        super().__init__()
        if space is None:
            if config.space.kind == "latent":
                raise PriorConfigError(
                    f"the configuration {config.name!r} works in the latents of an autoencoder; "
                    "give the folder of Stable-Diffusion-format weights that holds it"
                )
            space = PixelSpace(config.space.patch)
        step = space.factor * 2 ** (len(config.network.channels) - 1)
        if config.size % step:
            raise PriorConfigError(f"size must be a multiple of {step} pixels for these levels, not {config.size}; change it")
        self.config, self.space = config, space
        c, m = space.channels, space.planes
        known = 2 * c + 4 * m + (c + m if config.mechanisms.warp else 0)
        self.schedule = Schedule(config.timesteps, config.schedule)
        self.denoiser = Denoiser(config, c + known, c)
        self.reference = ReferenceNetwork(config.network, c + 3 * m) if config.mechanisms.reference else None
        self.expression = ExpressionEncoder(config.expression)
        self._run: list[Callable[..., Tensor]] = []  # of the denoiser, where an engine does; no module, or it would be saved
        self.tokens = nn.Linear(config.expression.latent, config.expression.tokens * config.network.cross_channels)

    def known(self, conditions: Conditions, latent: Tensor | None = None) -> Known:
        """Encodes the conditions. latent: (B or 1, latent) instead of the driving faces."""
        color, normals = self.pictures(conditions.coarse_color, conditions.coarse_normals)
        inputs = [color, normals, self._plain(conditions.coarse_alpha), self._plain(conditions.pose)]
        if self.config.mechanisms.warp:
            warp = conditions.warp * conditions.visibility
            inputs += [self._encode(2 * warp - conditions.visibility), self._plain(conditions.visibility)]
        reference = None
        if self.reference is not None:
            photo = self._encode(2 * conditions.reference - 1)
            reference = self.reference(torch.cat([photo, self._plain(conditions.reference_pose)], dim=1))
        if latent is None:
            latent = self.expression(conditions.driving)
        if not self.config.mechanisms.expression:
            latent = torch.zeros_like(latent)
        coarse = torch.stack([color, normals][: self.config.domains], dim=1)
        return Known(coarse, torch.cat(inputs, dim=1), reference, latent)

    def pictures(self, color: Tensor, normals: Tensor) -> tuple[Tensor, Tensor]:
        """Colour in [0, 1] and normals in [-1, 1], both (B, 3, H, W), encoded."""
        return self._encode(2 * color - 1), self._encode(normals)

    def residual(self, known: Known, color: Tensor, normals: Tensor) -> Tensor:
        """(B, D, C, h, w): what the denoiser learns, from the coarse view to these pictures."""
        true = torch.stack(self.pictures(color, normals)[: self.config.domains], dim=1)
        return (true - known.coarse) * self.config.space.scale

    def denoise_with(self, denoiser: Callable[..., Tensor]) -> None:
        """Let another call take the denoiser's place, with its arguments: the same network in an engine. It is not trained."""
        self._run = [denoiser]

    def denoise(self, noisy: Tensor, t: Tensor, known: Known, frames: int = 1) -> Tensor:
        """The clean residual, (B, D, C, h, w), of a noisy one at timesteps t (B,)."""
        latent = known.latent.expand(len(noisy), -1)
        tokens = self.tokens(latent).unflatten(1, (self.config.expression.tokens, -1))
        denoiser = self._run[0] if self._run else self.denoiser
        out = denoiser(noisy, t, known.inputs, tokens, known.reference, frames)
        return torch.as_tensor(out).to(noisy.dtype)

    def apply_residual(self, conditions: Conditions, known: Known, residual: Tensor) -> tuple[Tensor, Tensor]:
        """Colour in [0, 1] and normals, (B, 3, H, W): the coarse view with the residual; of 0, exactly the coarse view."""
        residual = residual / self.config.space.scale
        change = [self.space.difference(c, r) for c, r in zip(known.coarse.unbind(1), residual.unbind(1))]
        color = (conditions.coarse_color + change[0] / 2).clamp(0, 1)
        normals = conditions.coarse_normals + change[1] if len(change) > 1 else conditions.coarse_normals
        return color, normals.clamp(-1, 1)

    def _encode(self, pictures: Tensor) -> Tensor:
        return self.space.encode(pictures)

    def _plain(self, maps: Tensor) -> Tensor:
        return self.space.encode_plain(maps)
