"""The denoiser: diffusers' UNet with its self-attention replaced, so that Stable-Diffusion-format weights fit by name."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from models.diffusion.attention import CrossAttention, DomainSpatialAttention
from models.diffusion.config import PriorConfig
from models.diffusion.temporal import TemporalAttention


class Denoiser(nn.Module):
    """Predicts the clean residual of each domain. Its last layer starts at zero: untrained it predicts no residual at all."""

    def __init__(self, config: PriorConfig, inputs: int, outputs: int) -> None:
        """inputs, outputs: channels of noisy residual and everything known, and of the residual."""
        super().__init__()
        net = config.network
        self.domains = config.domains
        self.unet = UNet2DConditionModel(
            in_channels=inputs,
            out_channels=outputs,
            down_block_types=tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in net.attention),
            up_block_types=tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(net.attention)),
            block_out_channels=net.channels,
            layers_per_block=net.layers,
            cross_attention_dim=net.cross_channels,
            attention_head_dim=net.heads or tuple(c // net.head_channels for c in net.channels),
            norm_num_groups=net.groups,
            use_linear_projection=net.linear_projection,
            num_class_embeds=2 if config.domains == 2 else None,
        )
        nn.init.zeros_(self.unet.conv_out.weight)
        nn.init.zeros_(self.unet.conv_out.bias)
        self.temporal = nn.ModuleDict()
        self._replace_attention(config)

    def _replace_attention(self, config: PriorConfig) -> None:
        processors: dict[str, DomainSpatialAttention | CrossAttention] = {}
        for name, attention in self.unet.named_modules():
            if name.endswith(".attn2"):
                processors[f"{name}.processor"] = CrossAttention()
            elif name.endswith(".attn1"):
                temporal = None
                if config.mechanisms.temporal:
                    temporal = TemporalAttention(int(attention.to_q.in_features), config.network.head_channels)
                    self.temporal[name.replace(".", "_")] = temporal
                level = _level(name, len(config.network.channels))
                processors[f"{name}.processor"] = DomainSpatialAttention(level, config.mechanisms.domain_attention, temporal)
        self.unet.set_attn_processor(processors)

    def forward(
        self,
        noisy: Tensor,
        t: Tensor,
        known: Tensor,
        expression: Tensor,
        reference: Mapping[int, Tensor] | None,
        frames: int = 1,
    ) -> Tensor:
        """The clean residual, (B, D, C, h, w), like `noisy`.

        t: (B,) whole timesteps. known: (B, K, h, w), the same for both domains. expression: (B, tokens, cross_channels).
        reference: features of the photo, see `DomainSpatialAttention`. frames: of each clip among the B views.
        """
        b, d = noisy.shape[:2]
        x = torch.cat([noisy, known[:, None].expand(-1, d, -1, -1, -1)], dim=2).flatten(0, 1)
        labels = torch.arange(d, device=x.device).repeat(b) if self.domains == 2 else None
        out = self.unet(
            x,
            t.repeat_interleave(d),
            expression.repeat_interleave(d, dim=0),
            class_labels=labels,
            cross_attention_kwargs={"domains": d, "frames": frames, "reference": reference},
        ).sample
        return torch.as_tensor(out.unflatten(0, (b, d)))


def _level(name: str, levels: int) -> int:
    """Of a module of the UNet, 0 the finest; the middle belongs to the coarsest."""
    part = name.split(".")
    if part[0] == "mid_block":
        return levels - 1
    return int(part[1]) if part[0] == "down_blocks" else levels - 1 - int(part[1])
