"""How much noise at which timestep, and one DDIM step.

The tables are those of diffusers' `DDIMScheduler`, rescaled to end in pure noise (Lin et al. 2023): in the space of residuals
pure noise is the coarse view with noise on it, so nothing is ever made from nothing.
"""

from __future__ import annotations

import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn


class Schedule(nn.Module):
    """alphas_cumprod: (T,) falling from nearly 1 to 0."""

    alphas_cumprod: Tensor

    def __init__(self, timesteps: int, kind: str) -> None:
        super().__init__()
        tables = DDIMScheduler(timesteps, beta_schedule=kind, rescale_betas_zero_snr=True)
        self.register_buffer("alphas_cumprod", tables.alphas_cumprod.float().clamp(0, 1), persistent=False)

    def add_noise(self, clean: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """clean (B, ...) at timesteps t (B,)."""
        signal, spread = self._roots(t, clean.ndim)
        return signal * clean + spread * noise

    def signal_to_noise(self, t: Tensor) -> Tensor:
        """(B,) ratio of variances."""
        a = self.alphas_cumprod[t]
        return a / (1 - a).clamp(min=1e-8)

    def timesteps(self, steps: int, strength: float) -> list[int]:
        """`steps` whole timesteps, from `strength` x T down, evenly; none twice."""
        start = max(round(strength * len(self.alphas_cumprod)) - 1, 0)
        return sorted({round(start * (1 - i / steps)) for i in range(steps)}, reverse=True)

    def step(self, noisy: Tensor, clean: Tensor, t: int, following: int | None) -> Tensor:
        """From timestep t to the following one (None: to the end), given the predicted clean one.

        Song et al. 2021, eq. 12 with sigma 0: the noise that the prediction implies is put on again, less of it.
        """
        if following is None:
            return clean
        here = torch.full((len(noisy),), t, device=noisy.device)
        signal, spread = self._roots(here, noisy.ndim)
        noise = (noisy - signal * clean) / spread.clamp(min=1e-4)
        return self.add_noise(clean, noise, torch.full_like(here, following))

    def _roots(self, t: Tensor, axes: int) -> tuple[Tensor, Tensor]:
        a = self.alphas_cumprod[t].reshape(-1, *[1] * (axes - 1))
        return a.sqrt(), (1 - a).sqrt()
