"""A look at the prior while it learns: rows of coarse, ours and truth, and the figures of the same pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from enrollment.prior_training.figures import angle_deg, explained, psnr, triples
from models import png
from models.diffusion.batch import Batch, Faces
from models.diffusion.prior import Prior
from models.diffusion.sampler import Sampled, sample

MOST, TILE = 8, 128
"""Rows that are shown, smallest side of a tile in pixels."""


def look(
    prior: Prior, readout: torch.nn.Linear, held: Batch, path: Path | None = None, *, faces: Faces | None = None
) -> dict[str, float]:
    """Samples the held-out batch, writes the sheet and returns its figures.

    unseen_db, coarse_unseen_db: PSNR of the foreground that the photo does not show; gain_db: their difference.
    normals_deg, coarse_normals_deg: mean angle over the true foreground. readout_r2: of the coefficients from the latent,
    of `faces` when there are some. triples: see `enrollment.prior_training.figures.triples`.
    """
    frames = prior.config.training.frames
    n = frames * max(16 // frames, 1)
    parts = [sample(prior, held.take(slice(i, i + n)).conditions(), frames=frames) for i in range(0, len(held), n)]
    color, normals = torch.cat([p.color for p in parts]), torch.cat([p.normals for p in parts])
    there = torch.maximum(held.target_matte, held.coarse_alpha)
    unseen = there * (1 - held.visibility)
    ours, coarse = psnr(color, held.target_color, unseen), psnr(held.coarse_color, held.target_color, unseen)
    expressions = expression_figures(prior, readout, held, faces)
    if path is not None:
        png.write(path, sheet(held, Sampled(color, normals, normals.norm(dim=1, keepdim=True))))
    return {
        "unseen_db": ours,
        "coarse_unseen_db": coarse,
        "gain_db": ours - coarse,
        "normals_deg": angle_deg(normals, held.target_normals, held.target_matte),
        "coarse_normals_deg": angle_deg(held.coarse_normals, held.target_normals, held.target_matte),
        **expressions,
    }


@torch.no_grad()
def expression_figures(prior: Prior, readout: torch.nn.Linear, held: Batch, faces: Faces | None) -> dict[str, float]:
    if faces is None:
        return {"readout_r2": explained(readout(prior.expression(held.driving)), held.coefficients)}
    latent = prior.expression(faces.crops.flatten(0, 2)).reshape(*faces.crops.shape[:3], -1)
    coefficients = faces.coefficients.flatten(0, 1)
    return {"readout_r2": explained(readout(latent[:, :, 0]).flatten(0, 1), coefficients), "triples": triples(latent)}


def sheet(batch: Batch, sampled: Sampled) -> np.ndarray:
    """(H, W, 3) uint8 RGB. A row a sample: photo, driving crop, warp; colour coarse, ours, truth; normals coarse, ours, truth."""
    rows = []
    for i in range(min(len(batch), MOST)):
        warp = batch.warp[i] * batch.visibility[i] + 0.5 * (1 - batch.visibility[i])
        colors = [batch.reference[min(i, len(batch.reference) - 1)], batch.driving[min(i, len(batch.driving) - 1)], warp]
        colors += [batch.coarse_color[i], sampled.color[i], batch.target_color[i]]
        maps = [batch.coarse_normals[i], sampled.normals[i], batch.target_normals[i]]
        rows.append(np.concatenate([_tile(p) for p in [*colors, *[(n + 1) / 2 for n in maps]]], axis=1))
    return np.concatenate(rows)


def _tile(picture: Tensor) -> np.ndarray:
    side = max(TILE, 64)
    big = torch.nn.functional.interpolate(picture[None].float().cpu(), size=(side, side), mode="nearest")[0]
    return (big.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
