"""Where the residual is denoised: pixels, or the latents of an autoencoder. Pictures go in and come out in [-1, 1]."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812
from diffusers import AutoencoderKL
from torch import Tensor, nn


class Space(Protocol):
    """channels: of an encoded picture. factor: pixels a side of an encoded one. planes: channels of an encoded mask."""

    channels: int
    factor: int
    planes: int

    def encode(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, channels, H / factor, W / factor)."""

    def encode_plain(self, maps: Tensor) -> Tensor:
        """Masks and pose maps, which no autoencoder need understand: (B, C, H, W) -> (B, planes C, H / factor, W / factor)."""

    def difference(self, coarse: Tensor, residual: Tensor) -> Tensor:
        """What adding `residual` to the encoded `coarse` changes in the picture, (B, 3, H, W); of 0, exactly 0."""


class PixelSpace(nn.Module):
    """Pixels, blocks of patch x patch of them side by side in the channels."""

    def __init__(self, patch: int) -> None:
        super().__init__()
        self.factor, self.channels, self.planes = patch, 3 * patch * patch, patch * patch

    def encode(self, pictures: Tensor) -> Tensor:
        return F.pixel_unshuffle(pictures, self.factor)

    def encode_plain(self, maps: Tensor) -> Tensor:
        return F.pixel_unshuffle(maps, self.factor)

    def difference(self, coarse: Tensor, residual: Tensor) -> Tensor:
        return F.pixel_shuffle(residual, self.factor)


class LatentSpace(nn.Module):
    """The latents of an AutoencoderKL, which stays as it is. Normals are encoded like colours (G3)."""

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.vae = vae.requires_grad_(False).eval()
        self.channels = int(vae.config.latent_channels)
        self.factor, self.planes = 2 ** (len(vae.config.block_out_channels) - 1), 1
        self.unit = float(vae.config.scaling_factor)

    @torch.no_grad()
    def encode(self, pictures: Tensor) -> Tensor:
        """The mean of the posterior: no noise but the diffusion's own."""
        return torch.as_tensor(self.vae.encode(pictures).latent_dist.mean).float() * self.unit

    def encode_plain(self, maps: Tensor) -> Tensor:
        return F.avg_pool2d(maps, self.factor)

    @torch.no_grad()
    def difference(self, coarse: Tensor, residual: Tensor) -> Tensor:
        """Decoded with the residual minus decoded without: what the autoencoder loses of the coarse view is not lost twice."""
        with_it = self.vae.decode((coarse + residual) / self.unit).sample
        without = self.vae.decode(coarse / self.unit).sample
        return torch.as_tensor(with_it - without)
