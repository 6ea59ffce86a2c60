"""How far a drawn picture is from the truth in what a network for natural pictures sees in it: the distance of LPIPS (Zhang et
al. 2018) with the first stages of EfficientNet-Lite0 in VGG's place, each feature weighed alike. A hair or a pore that lies a
pixel aside costs less by it than one that is smeared.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from enrollment.reconstruction.targets import Target
from models.perceptual.efficientnet import efficientnet, no_gradient, unit

SIDE = 160
"""Of the window that is looked at, pixels: a step costs a quarter of what the whole picture would."""


def perceptual(color: Tensor, target: Target, rng: np.random.Generator) -> Tensor:
    """Mean over the stages of the mean squared distance of unit features, 0 to 4, in a window of a drawn color (H, W, 3)
    somewhere on the person. Where nothing is known the picture counts as drawn right."""
    top, left = _window(target, rng)
    part = (slice(top, top + SIDE), slice(left, left + SIDE))
    truth = target.image[part]
    drawn = torch.where(target.known[part][..., None] > 0, color[part], truth)
    wanted = no_gradient(truth)
    seen = efficientnet(color.device.type)(drawn)
    stages = [(unit(ours) - theirs).square().sum(dim=0).mean() for ours, theirs in zip(seen, wanted, strict=True)]
    return torch.stack(stages).mean()


def _window(target: Target, rng: np.random.Generator) -> tuple[int, int]:
    """Top and left of the window: around one of the person's pixels, wholly in the picture where that is large enough."""
    shape = target.matte.shape
    places = torch.nonzero(target.matte > 0.5)
    middle = places[int(rng.integers(len(places)))].tolist() if len(places) else [length // 2 for length in shape]
    top, left = (max(0, min(at - SIDE // 2, length - SIDE)) for at, length in zip(middle, shape, strict=True))
    return top, left
