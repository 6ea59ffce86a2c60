"""Pictures as encoders take them, made on the device that drew them: I420, colours by ITU-R BT.601 in the limited range, which is
what browsers take a call's video to be."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

LUMA = (65.481, 128.553, 24.966)
BLUE = (-37.797, -74.203, 112.0)
RED = (112.0, -93.786, -18.214)
"""ITU-R BT.601-7, 2.5.1 to 2.5.3: for colours in [0, 1]; 16 and 128 are added."""


def i420(rgb: Tensor) -> Tensor:
    """(B, H, W, 3) in [0, 1], float32, H and W even -> (B, 3 H / 2, W) uint8: the plane of Y; below it, without gaps, those of U
    and V, which have half the height and width and are the means of 2x2 pixels. Where `rgb` lies."""
    batch, height, width, _ = rgb.shape
    weights = _weights(rgb.device)
    color = rgb.clamp(0.0, 1.0)
    y = color @ weights[0] + 16.0
    quarter = color.reshape(batch, height // 2, 2, width // 2, 2, 3).mean(dim=(2, 4))
    chroma = quarter @ weights[1:].T + 128.0
    planes = [y.reshape(batch, -1), chroma[..., 0].reshape(batch, -1), chroma[..., 1].reshape(batch, -1)]
    return (torch.cat(planes, dim=1) + 0.5).to(torch.uint8).reshape(batch, 3 * height // 2, width)


@cache
def _weights(device: torch.device) -> Tensor:
    """(3, 3), sent to a device once: a copy from the host would wait for what the device still does."""
    return torch.tensor((LUMA, BLUE, RED), device=device)
