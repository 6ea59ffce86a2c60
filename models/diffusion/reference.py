"""The reference network (G4): features of the photo at every level of the denoiser, computed once for a person."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from diffusers.models.unets.unet_2d_blocks import CrossAttnDownBlock2D, DownBlock2D
from torch import Tensor, nn

from models.diffusion.config import NetworkConfig


class ReferenceNetwork(nn.Module):
    """The downward half of the denoiser's UNet, with the same widths, on the encoded photo and its pose map (G5)."""

    def __init__(self, config: NetworkConfig, inputs: int) -> None:
        super().__init__()
        self.levels = tuple(config.attention)
        self.conv_in = nn.Conv2d(inputs, config.channels[0], 3, padding=1)
        if config.reference_attention:
            # stands where the denoiser has the expression: the photo's own is not given
            self.null = nn.Parameter(torch.zeros(1, 1, config.cross_channels))
        self.down_blocks = nn.ModuleList()
        before, last = config.channels[0], len(config.channels) - 1
        for i, channels in enumerate(config.channels):
            shared = {
                "in_channels": before,
                "out_channels": channels,
                "temb_channels": None,
                "num_layers": config.reference_layers,
                "resnet_groups": config.groups,
                "add_downsample": i < last,
                "downsample_padding": 1,
            }
            if config.attention[i] and config.reference_attention:
                block: nn.Module = CrossAttnDownBlock2D(
                    **shared,
                    num_attention_heads=config.heads or channels // config.head_channels,
                    cross_attention_dim=config.cross_channels,
                    use_linear_projection=config.linear_projection,
                )
            else:
                block = DownBlock2D(**shared)
            self.down_blocks.append(block)
            before = channels

    def forward(self, photo: Tensor) -> dict[int, Tensor]:
        """photo: (B, inputs, h, w) -> level -> (B, tokens, channels), normalised, for the levels that attend."""
        x = self.conv_in(photo)
        features: dict[int, Tensor] = {}
        for level, block in enumerate(self.down_blocks):
            if isinstance(block, CrossAttnDownBlock2D):
                x, maps = block(x, None, encoder_hidden_states=self.null.expand(len(x), -1, -1))
            else:
                x, maps = block(x, None)
            finest = maps[-2] if block.downsamplers is not None else maps[-1]
            if self.levels[level]:
                tokens = finest.flatten(2).transpose(1, 2)
                features[level] = F.layer_norm(tokens, tokens.shape[-1:])
        if len(self.levels) - 1 not in features:
            tokens = x.flatten(2).transpose(1, 2)
            features[len(self.levels) - 1] = F.layer_norm(tokens, tokens.shape[-1:])
        return features
