"""Attention over the frames of a clip (G6), for the second stage of training. It starts at zero: untrained, it adds nothing."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class TemporalAttention(nn.Module):
    """Each place of the picture attends to itself in the other frames. Positions are sinusoids, so clips may have any length."""

    def __init__(self, channels: int, head_channels: int = 32) -> None:
        super().__init__()
        self.heads = max(channels // head_channels, 1)
        self.norm = nn.LayerNorm(channels)
        self.inward = nn.Linear(channels, 3 * channels, bias=False)
        self.outward = nn.Linear(channels, channels)
        nn.init.zeros_(self.outward.weight)
        nn.init.zeros_(self.outward.bias)

    def forward(self, x: Tensor, domains: int, frames: int) -> Tensor:
        """x: (clips x frames x domains, N, C), the domain counting fastest -> what to add, the same shape."""
        members, n, c = x.shape
        clips = members // (frames * domains)
        tokens = x.reshape(clips, frames, domains * n, c).transpose(1, 2).reshape(-1, frames, c)
        tokens = self.norm(tokens) + _positions(frames, c, x.device).to(x.dtype)
        q, k, v = (t.unflatten(2, (self.heads, -1)).transpose(1, 2) for t in self.inward(tokens).chunk(3, dim=2))
        out = self.outward(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return torch.as_tensor(out.reshape(clips, domains * n, frames, c).transpose(1, 2).reshape(members, n, c))


def _positions(frames: int, channels: int, device: torch.device) -> Tensor:
    """(frames, channels): sines and cosines (Vaswani et al. 2017, sec. 3.5)."""
    half = (channels + 1) // 2
    rates = torch.exp(-math.log(1e4) * torch.arange(half, device=device) / half)
    angles = torch.arange(frames, device=device)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :channels]
