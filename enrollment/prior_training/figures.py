"""Figures that tell how good pictures are, where a mask says they count."""

from __future__ import annotations

import torch
from torch import Tensor


def psnr(picture: Tensor, truth: Tensor, where: Tensor) -> float:
    """Decibels; pictures (B, 3, H, W) in [0, 1], where: (B, 1, H, W) weights. Infinite when equal, nan when nothing counts."""
    error = (where * (picture - truth).square()).sum() / (3 * where.sum())
    return float(-10 * torch.log10(error))


def angle_deg(normals: Tensor, truth: Tensor, where: Tensor) -> float:
    """Mean angle in degrees between normals (B, 3, H, W) of any length; where: (B, 1, H, W) weights."""
    cosine = torch.nn.functional.cosine_similarity(normals, truth, dim=1, eps=1e-6).clamp(-1, 1)
    return float((where[:, 0] * torch.rad2deg(cosine.acos())).sum() / where.sum())


def explained(predicted: Tensor, truth: Tensor) -> float:
    """R²: the part of the variance of truth (B, K) over its rows that `predicted` explains, all columns pooled."""
    spread = (truth - truth.mean(dim=0)).square().sum()
    return float(1 - (predicted - truth).square().sum() / spread.clamp(min=1e-12))


def linear_readout(latents: Tensor, coefficients: Tensor, *, folds: int = 5, ridge: float = 1e-2) -> float:
    """R² of coefficients (P, N, 52) of P people, N moments of each, read linearly from latents (P, N, L).

    The people are divided into `folds` parts; each part is read by ridge regression on all others, so nobody is measured who was
    fitted on. ridge: relative to latents of variance 1.
    """
    people = len(latents)
    x = torch.cat([latents, torch.ones(*latents.shape[:2], 1)], dim=2).double()
    y = coefficients.double()
    read = torch.empty_like(y)
    for fold in range(folds):
        mine = torch.arange(people) % folds == fold
        known = x[~mine].flatten(0, 1)
        gram = known.T @ known + ridge * len(known) * torch.eye(x.shape[2], dtype=torch.float64)
        read[mine] = x[mine] @ torch.linalg.solve(gram, known.T @ y[~mine].flatten(0, 1))
    return explained(read.flatten(0, 1), y.flatten(0, 1))


def closer_across_views(latents: Tensor, other_view: Tensor, other_moment: Tensor) -> float:
    """Part of the triples (N, L) in which the same moment from another view is closer than another moment from the same view."""
    return float(((latents - other_view).norm(dim=1) < (latents - other_moment).norm(dim=1)).float().mean())


def triples(latents: Tensor) -> float:
    """The same of all triples in groups of latents (G, M, 2, L), M moments of a person from two views."""
    moments = latents.shape[1]
    ones, others = zip(*[(i, j) for i in range(moments) for j in range(moments) if i != j], strict=True)
    parts = [
        closer_across_views(
            latents[:, ones, view].flatten(0, 1), latents[:, ones, 1 - view].flatten(0, 1), latents[:, others, view].flatten(0, 1)
        )
        for view in (0, 1)
    ]
    return sum(parts) / 2
