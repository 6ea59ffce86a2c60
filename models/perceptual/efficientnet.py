"""The first stages of EfficientNet-Lite0 (Tan and Le 2019; TensorFlow's Lite variant: no squeeze and excitation, ReLU6), trained
on ImageNet, as plain convolutions.

The weights ship as an asset in half precision, their batch normalisation folded in (`models.perceptual.efficientnet_bake`).
Stages: 16 features for each 2x2 pixels, 24 for 4x4, 40 for 8x8, 80 for 16x16.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from models.errors import HeadModelError

PATH = Path(__file__).parent / "assets" / "efficientnet_lite0.safetensors"
STAGES = ((16, 3, 1, 1), (24, 3, 2, 2), (40, 5, 2, 2), (80, 3, 2, 3))
"""Of each: features that come out, side of the depthwise kernels, stride, blocks. The first block has no expansion."""
LAYERS = 3 * sum(stage[3] for stage in STAGES)
"""Convolutions: the stem, and three a block but two in the first."""
MIDDLE, SCALE = 127 / 255, 128 / 255
"""The network wants pixels as (value - 127) / 128, of 0 to 255."""
CEILING = 6.0


@dataclass(frozen=True)
class Convolution:
    """weight: (out, in / groups, k, k). bias: (out,). clipped: whether ReLU6 follows."""

    weight: Tensor
    bias: Tensor
    stride: int
    clipped: bool

    def __call__(self, x: Tensor) -> Tensor:
        """(1, in, H, W) -> (1, out, ceil(H / stride), ceil(W / stride)), padded as TensorFlow does ("SAME")."""
        side = self.weight.shape[-1]
        if side > 1:
            rows, columns = (_around(length, side, self.stride) for length in x.shape[2:])
            x = functional.pad(x, (*columns, *rows))
        x = functional.conv2d(x, self.weight, self.bias, self.stride, groups=x.shape[1] // self.weight.shape[1])
        return x.clamp(0, CEILING) if self.clipped else x


class EfficientNet:
    """The network on a device."""

    def __init__(self, device: str = "cpu") -> None:
        """Raises `HeadModelError` when the asset is missing or damaged."""
        try:
            tensors = load_file(PATH, device=device)
            layers = [(tensors[f"{i}.weight"].float(), tensors[f"{i}.bias"].float()) for i in range(LAYERS)]
        except (OSError, SafetensorError, KeyError) as error:
            raise HeadModelError(f"the picture network was expected at {PATH} ({error}); install Visavis again") from error
        rest = iter(layers)
        self.stem = Convolution(*next(rest), 2, True)
        self.stages: list[list[list[Convolution]]] = []
        for index, (_, _, stride, blocks) in enumerate(STAGES):
            stage = []
            for block in range(blocks):
                steps = [(stride if block == 0 else 1, True), (1, False)]
                if index:
                    steps.insert(0, (1, True))
                stage.append([Convolution(*next(rest), *step) for step in steps])
            self.stages.append(stage)

    def __call__(self, image: Tensor) -> list[Tensor]:
        """The features of each stage, (C, h, w), of a picture (H, W, 3) in [0, 1], sRGB, of any size."""
        x = self.stem(((image - MIDDLE) / SCALE).permute(2, 0, 1)[None])
        out = []
        for stage in self.stages:
            for index, block in enumerate(stage):
                before = x
                for layer in block:
                    x = layer(x)
                if index:
                    x = x + before
            out.append(x[0])
        return out


@lru_cache(maxsize=2)
def efficientnet(device: str = "cpu") -> EfficientNet:
    """The network, loaded once a device. Raises `HeadModelError` when the asset is missing or damaged."""
    return EfficientNet(device)


def _around(length: int, side: int, stride: int) -> tuple[int, int]:
    """Pixels of padding before and after."""
    missing = max((-(-length // stride) - 1) * stride + side - length, 0)
    return missing // 2, missing - missing // 2


def unit(features: Tensor) -> Tensor:
    """Features (C, h, w) at unit length in each place, as LPIPS (Zhang et al. 2018) compares them."""
    return features / (features.square().sum(dim=0, keepdim=True) + 1e-6).sqrt()


def no_gradient(image: Tensor) -> list[Tensor]:
    """The unit features of a picture that stays as it is."""
    with torch.no_grad():
        return [unit(stage) for stage in efficientnet(image.device.type)(image)]
