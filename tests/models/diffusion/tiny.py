"""Priors of a few thousand weights, and random conditions for them."""

from __future__ import annotations

from typing import Any

import torch

from models.diffusion.batch import Batch
from models.diffusion.config import PriorConfig
from models.diffusion.prior import Prior

SIZE = 16


def config(**changes: Any) -> PriorConfig:
    """Two levels of 8 and 16 channels at 16x16 pixels; every mechanism on, float32, no randomness but the noise."""
    base = PriorConfig.from_dict(
        {
            "name": "tiny",
            "size": SIZE,
            "timesteps": 50,
            "space": {"patch": 1},
            "network": {
                "channels": [8, 16],
                "attention": [False, True],
                "head_channels": 8,
                "groups": 4,
                "cross_channels": 16,
            },
            "expression": {
                "crop": 64,
                "channels": [8, 8, 8, 8],
                "back": [8, 8, 8],
                "fine": [8, 8],
                "hidden": 16,
                "latent": 16,
                "tokens": 2,
            },
            "training": {
                "batch": 4,
                "rate": 3e-3,
                "warmup": 5,
                "schedule_steps": 400,
                "last_rate": 1e-3,
                "ema": 0.9,
                "augment": 0.0,
                "precision": "float32",
                "log_every": 1,
                "sample_every": 10_000,
            },
        }
    )
    return base.replace(**changes)


def trained(c: PriorConfig | None = None, seed: int = 0) -> Prior:
    """A prior that does something: random weights everywhere, also where training starts from zero."""
    torch.manual_seed(seed)
    prior = Prior(c or config()).eval()
    for name, p in prior.named_parameters():
        if not p.any() and "norm" not in name:
            torch.nn.init.normal_(p, std=0.1)
    return prior


def batch(rows: int = 4, size: int = SIZE, seed: int = 0) -> Batch:
    """Random pictures; normals of length 1 inside the matte, 0 outside."""
    g = torch.Generator().manual_seed(seed)

    def random(channels: int, side: int = size) -> torch.Tensor:
        return torch.rand(rows, channels, side, side, generator=g)

    def normals(matte: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(2 * random(3) - 1, dim=1) * matte

    matte, alpha = (random(1) > 0.3).float(), (random(1) > 0.3).float()
    return Batch(
        reference=random(3),
        reference_pose=normals(alpha),
        coarse_color=random(3),
        coarse_normals=normals(alpha),
        coarse_alpha=alpha,
        warp=random(3),
        visibility=(random(1) > 0.5).float(),
        pose=normals(alpha),
        driving=random(3, 64),
        target_color=random(3),
        target_normals=normals(matte),
        target_matte=matte,
        coefficients=torch.rand(rows, 52, generator=g),
    )
