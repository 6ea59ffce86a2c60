"""The expression encoder (G1): parts of a face to a latent of the expression and, by cross-view pairing (G2), not of the pose."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn

from models.diffusion.config import ExpressionConfig

STRIDE = 4
"""Of the first convolution: it sees every pixel, so that a gaze shows, and is the last that works on so many."""


class ExpressionEncoder(nn.Module):
    """A small ResNet. It has no loss of its own; the denoiser teaches it what it needs to know."""

    def __init__(self, config: ExpressionConfig) -> None:
        super().__init__()
        self.config = config
        groups = 8
        self.stem = nn.Conv2d(3, config.channels[0], 2 * STRIDE, stride=STRIDE, padding=STRIDE // 2)
        blocks: list[nn.Module] = []
        before, side = config.channels[0], config.crop // STRIDE
        for i, channels in enumerate(config.channels):
            blocks.append(ResnetBlock2D(in_channels=before, out_channels=channels, temb_channels=None, groups=groups))
            if i < len(config.channels) - 1:
                blocks.append(Downsample2D(channels, use_conv=True, padding=1, name="op"))
                side //= 2
            before = channels
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.GroupNorm(groups, before)
        self.head = nn.Linear(before * side * side, config.latent)

    def forward(self, crops: Tensor) -> Tensor:
        """Parts of faces (B, 3, crop, crop), cut as by `models.diffusion.parts`, sRGB in [0, 1] -> latents (B, latent), each with
        mean 0 and variance 1."""
        x = self.stem(2 * crops - 1)
        for block in self.blocks:
            x = block(x, None) if isinstance(block, ResnetBlock2D) else block(x)
        x = self.head(F.silu(self.norm(x)).flatten(1))
        return F.layer_norm(x, (self.config.latent,))
