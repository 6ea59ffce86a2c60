"""COIN training (FaceCraft4D sec. 3.4): what all views agree on goes into the Gaussians, what only one says in here.

    colour* = colour + MLP(view embedding, colour, position embedding)

Once trained, the photo's own view embedding is the only one that is used, so its offsets are baked into the colours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

VIEW, HIDDEN, OCTAVES = 16, 32, 4


def position_embedding(points: Tensor, octaves: int = OCTAVES) -> Tensor:
    """Points (N, 3), scaled to about [-1, 1] -> (N, 6 octaves): sines and cosines (Mildenhall et al. 2020, eq. 4)."""
    angles = points[:, :, None] * (torch.pi * 2.0 ** torch.arange(octaves, dtype=points.dtype))
    return torch.cat([angles.sin(), angles.cos()], dim=2).flatten(1)


class Coin(nn.Module):
    """Colour offsets of N Gaussians for each of T views. The last layer starts at zero: untrained, it changes nothing."""

    def __init__(self, views: int, *, view: int = VIEW, hidden: int = HIDDEN, octaves: int = OCTAVES) -> None:
        super().__init__()
        self.octaves = octaves
        self.views = nn.Parameter(0.1 * torch.randn(views, view))
        self.first = nn.Linear(view + 3 + 6 * octaves, hidden)
        self.last = nn.Linear(hidden, 3)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, view: int, colors: Tensor, points: Tensor) -> Tensor:
        """Offsets (N, 3) of sRGB colours. colors: (N, 3). points: (N, 3) resting places, scaled to about [-1, 1].

        The colours are taken as they are: no gradient flows back into them through the network.
        """
        e = self.views[view].expand(len(colors), -1)
        inside = torch.cat([e, colors.detach(), position_embedding(points, self.octaves)], dim=1)
        return torch.as_tensor(self.last(torch.relu(self.first(inside))))

    @torch.no_grad()
    def baked(self, view: int, colors: Tensor, points: Tensor) -> Tensor:
        """Colours (N, 3) in [0, 1] with the offsets of `view` in them."""
        return (colors + self(view, colors, points)).clamp(0, 1)
