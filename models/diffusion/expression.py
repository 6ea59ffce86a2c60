"""The expression encoder (G1): parts of a face to a latent of the expression and, by cross-view pairing (G2), not of the pose."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn

from models.diffusion import points
from models.diffusion.config import ExpressionConfig
from models.diffusion.parts import PARTS

STRIDE = 4
"""Of the first convolution: it sees every pixel, so that a gaze shows, and is the last that works on so many."""
GROUPS = 8
SPREAD = 4.0
"""What places are multiplied by before they are read, so that their spread is near 1."""


class ExpressionEncoder(nn.Module):
    """A small ResNet down, for what the parts look like, and one back up that finds `points.COUNT` places in each of them.

    A place is the mean of a softmax over its map (Luvizon et al. 2019, soft-argmax): it is read finer than a pixel and moves with
    what it follows, where fully connected weights would have to learn each position anew. It has no loss of its own unless
    training tells it the places; the denoiser teaches it what it needs to know.
    """

    def __init__(self, config: ExpressionConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.channels
        self.stem = nn.Conv2d(3, widths[0], 2 * STRIDE, stride=STRIDE, padding=STRIDE // 2)
        blocks: list[nn.Module] = []
        before, side = widths[0], config.crop // STRIDE
        for i, width in enumerate(widths):
            blocks.append(_resnet(before, width))
            if i < len(widths) - 1:
                blocks.append(Downsample2D(width, use_conv=True, padding=1, name="op"))
                side //= 2
            before = width
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.GroupNorm(GROUPS, before)
        self.head = nn.Linear(before * side * side, config.latent)
        half, whole = config.fine
        self.fine = nn.Sequential(nn.Conv2d(3, half, 4, 2, 1), nn.SiLU(), nn.Conv2d(half, whole, 4, 2, 1))
        merge, back = [], []
        for skipped, width in zip((*widths[-2:0:-1], widths[0] + whole), config.back[::-1], strict=True):
            merge.append(nn.Conv2d(before + skipped, width, 1))
            back.append(_resnet(width, width))
            before = width
        self.merge, self.back = nn.ModuleList(merge), nn.ModuleList(back)
        self.map_norm = nn.GroupNorm(GROUPS, before)
        self.maps = nn.Conv2d(before, points.COUNT, 1)
        self.reader = nn.Sequential(
            nn.Linear(len(PARTS) * points.COUNT * 2 + config.latent, config.hidden),
            nn.SiLU(),
            nn.Linear(config.hidden, config.hidden),
            nn.SiLU(),
            nn.Linear(config.hidden, config.latent),
        )

    def forward(self, crops: Tensor) -> Tensor:
        """Parts of faces (B, 3, crop, crop), cut as by `models.diffusion.parts`, sRGB in [0, 1] -> latents (B, latent), each with
        mean 0 and variance 1."""
        return self.look(crops)[0]

    def look(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """The latents, and the places (B, 4, `points.COUNT`, 2) that they were read from, as `points.part_points` gives them."""
        x = self.stem(2 * crops - 1)
        skipped = []
        for block in self.blocks:
            if isinstance(block, ResnetBlock2D):
                x = block(x, None)
                skipped.append(x)
            else:
                x = block(x)
        skipped[0] = torch.cat([skipped[0], self.fine(2 * crops - 1)], dim=1)
        seen = self.head(F.silu(self.norm(x)).flatten(1))
        for merge, block, skip in zip(self.merge, self.back, skipped[-2::-1], strict=True):
            x = block(merge(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), skip], dim=1)), None)
        places = _places(self.maps(F.silu(self.map_norm(x))).float())
        known = torch.cat([SPREAD * places.flatten(1), seen.float()], dim=1).to(seen.dtype)
        return F.layer_norm((seen + self.reader(known)).float(), (self.config.latent,)), places


def _resnet(before: int, after: int) -> ResnetBlock2D:
    return ResnetBlock2D(in_channels=before, out_channels=after, temb_channels=None, groups=GROUPS)


def _places(maps: Tensor) -> Tensor:
    """(B, K, 2 S, 2 S), logarithms of weights on the pixels of four parts -> (B, 4, K, 2), their mean places in [-1, 1]."""
    count, half = maps.shape[1], maps.shape[-1] // 2
    parts = maps.reshape(-1, count, 2, half, 2, half).permute(0, 2, 4, 1, 3, 5).reshape(-1, 4, count, half * half)
    weight = parts.softmax(dim=-1).reshape(-1, 4, count, half, half)
    line = (torch.arange(half, device=maps.device, dtype=maps.dtype) + 0.5) * (2 / half) - 1
    return torch.stack([(weight.sum(dim=-2) * line).sum(dim=-1), (weight.sum(dim=-1) * line).sum(dim=-1)], dim=-1)
