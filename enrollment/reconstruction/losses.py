"""How far a drawn picture is from the truth, (H, W, C) tensors in [0, 1] with a mask (H, W) of where the truth is known."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from enrollment.reconstruction.config import Weights
from enrollment.reconstruction.targets import Target

WINDOW, SIGMA = 11, 1.5
"""Pixels (Wang et al. 2004)."""
STRIDE = 2
"""Pixels between the windows in which SSIM is measured: a quarter of the work, the same mean."""
C1, C2 = 0.01**2, 0.03**2
OCTAVES = 3


def photometric(color: Tensor, alpha: Tensor, target: Target, weights: Weights) -> Tensor:
    """All terms by what a drawn color (H, W, 3) and alpha (H, W) look like; compare `enrollment.reconstruction.photometric`."""
    w, known = weights, target.known
    total = (1 - w.ssim) * l1(color, target.image, known)
    if w.square:
        total = total + w.square * mean_over((color - target.image).square(), known)
    if w.ssim:
        total = total + w.ssim * dissimilarity(color, target.image, known)
    if w.gradient:
        total = total + w.gradient * gradients(color, target.image, known)
    return total + w.alpha * mean_over((alpha - target.matte).abs(), known)


def mean_over(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of (H, W, C) or (H, W) over the pixels of `mask` (H, W) float."""
    wide = mask if values.dim() == 2 else mask[..., None]
    channels = 1 if values.dim() == 2 else values.shape[2]
    return (values * wide).sum() / (mask.sum() * channels).clamp(min=1)


def l1(drawn: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference."""
    return mean_over((drawn - truth).abs(), mask)


def dissimilarity(drawn: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """1 - SSIM with a Gaussian window, mean over windows that lie wholly in the picture and are centred on the mask.

    Beyond the mask the picture counts as drawn right.
    """
    if min(drawn.shape[:2]) < WINDOW:
        return drawn.sum() * 0.0
    drawn = torch.where(mask[..., None] > 0, drawn, truth)
    x, y = (picture.permute(2, 0, 1) for picture in (drawn, truth))
    stack = torch.cat([x, y, x * x, y * y, x * y])
    rows, columns = (_windows(length, drawn.dtype, drawn.device) for length in stack.shape[1:])
    stack = rows @ stack @ columns.T
    mx, my, xx, yy, xy = stack.chunk(5)
    similar = (2 * mx * my + C1) * (2 * (xy - mx * my) + C2)
    similar = similar / ((mx * mx + my * my + C1) * (xx - mx * mx + yy - my * my + C2))
    half = WINDOW // 2
    centres = mask[half : mask.shape[0] - half : STRIDE, half : mask.shape[1] - half : STRIDE]
    return mean_over(1 - similar.permute(1, 2, 0), centres)


@lru_cache(maxsize=16)
def _windows(length: int, kind: torch.dtype, device: torch.device) -> Tensor:
    """(windows, length) Gaussian weights of each window; as a product with a matrix three times faster than a convolution."""
    start = torch.arange(0, length - WINDOW + 1, STRIDE)
    away = torch.arange(length)[None] - start[:, None] - WINDOW // 2
    weight = torch.exp(-(away**2) / (2 * SIGMA**2)) * (away.abs() <= WINDOW // 2)
    return (weight / weight.sum(dim=1, keepdim=True)).to(device, kind)


def gradients(drawn: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference of finite differences on `OCTAVES` scales, each half as fine as the one before."""
    error = (drawn - truth).permute(2, 0, 1) * mask
    total = error.new_zeros(())
    for octave in range(OCTAVES):
        if octave:
            error = functional.avg_pool2d(error[None], 2)[0]
        if min(error.shape[1:]) < 2:
            break
        total = total + error.diff(dim=1).abs().mean() + error.diff(dim=2).abs().mean()
    share = mask.mean().clamp(min=1e-3)
    return total / (2 * OCTAVES * share)


def normal_error(drawn: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """L1 between rendered normals (H, W, 3), alpha-weighted sums, and unit normals, over the foreground (GeoDiff4D eq. 2).

    weight: (H, W); zero where there is no truth or nothing was drawn.
    """
    length = drawn.norm(dim=2, keepdim=True).clamp(min=1e-3)
    return mean_over((drawn / length - truth).abs(), weight)


def psnr(drawn: Tensor, truth: Tensor, mask: Tensor) -> float:
    """Decibels over the mask."""
    return -10 * math.log10(max(float(mean_over((drawn - truth).square(), mask)), 1e-10))
