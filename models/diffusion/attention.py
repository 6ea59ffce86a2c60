"""Self-attention of the denoiser: both domains side by side (G3), the photo's features beside them (G4, F3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from diffusers.models.attention_processor import Attention
from torch import Tensor

from models.diffusion.temporal import TemporalAttention


@dataclass(frozen=True)
class DomainSpatialAttention:
    """In place of diffusers' processor of a self-attention. Batch members are (view, domain), the domain counting faster.

    level: of the UNet, 0 the finest. together: whether the domains' tokens are laid side by side. temporal: or None.
    """

    level: int
    together: bool
    temporal: TemporalAttention | None = None

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        *,
        domains: int = 1,
        frames: int = 1,
        reference: Mapping[int, Tensor] | None = None,
    ) -> Tensor:
        """hidden_states: (views x domains, N, C) -> the same. frames: of a clip, neighbours among the views.

        reference: level -> (views, M, C) or (1, M, C), tokens of the photo. Their keys and values stand beside each view's
        own, the same ones for every view of a person.
        """
        members, n, c = hidden_states.shape
        x = hidden_states.reshape(members // domains, domains * n, c) if self.together else hidden_states
        context = x
        if reference is not None:
            r = reference[self.level]
            if r.shape[0] > 1 and r.shape[0] != x.shape[0]:
                r = r.repeat_interleave(x.shape[0] // r.shape[0], dim=0)
            context = torch.cat([x, r.to(x.dtype).expand(x.shape[0], -1, -1)], dim=1)
        out = attend(attn, x, context).reshape(members, n, c)
        if self.temporal is not None:
            out = out + self.temporal(hidden_states, domains, frames)
        return out


@dataclass(frozen=True)
class CrossAttention:
    """diffusers' own attention to the expression latent's tokens; it only takes (and ignores) what the other one is told."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        *,
        domains: int = 1,
        frames: int = 1,
        reference: Mapping[int, Tensor] | None = None,
    ) -> Tensor:
        return attend(attn, hidden_states, hidden_states if encoder_hidden_states is None else encoder_hidden_states)


def attend(attn: Attention, x: Tensor, context: Tensor) -> Tensor:
    """Softmax attention of tokens x (B, N, C) over context (B, M, K) with the layers of a diffusers `Attention`; (B, N, C)."""

    def heads(tokens: Tensor) -> Tensor:
        return tokens.unflatten(2, (attn.heads, -1)).transpose(1, 2)

    out = F.scaled_dot_product_attention(heads(attn.to_q(x)), heads(attn.to_k(context)), heads(attn.to_v(context)))
    return torch.as_tensor(attn.to_out[0](out.transpose(1, 2).flatten(2)))
