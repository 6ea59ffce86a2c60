"""How often the optimiser looks at each frame of a clip: rare expressions count for more than common ones.

Most pictures of a clip show a face that hardly moves; bared teeth or a pucker are in two or three. Looked at evenly, these would
be one hundredth of the loss, and what only they show would stay unlearned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from enrollment.reconstruction.capture import Frame
from models.types import Array64

WIDTH = 0.35
"""Distance between the coefficients (52,) of two frames, beside which they count as one expression."""
POWER = 0.5
"""0: all frames alike; 1: all expressions alike, however many frames show them."""
MOST = 4.0
"""Times the least weight that a frame may have: a single frame may also be one that was tracked wrongly."""


def rarity(coefficients: Array64) -> Array64:
    """(N,) weights of frames with coefficients (N, 52), mean 1."""
    apart = np.square(coefficients[:, None] - coefficients[None]).sum(axis=2)
    alike = np.exp(-0.5 * apart / WIDTH**2).sum(axis=1)
    weight = np.power(alike, -POWER)
    weight = np.minimum(weight, MOST * weight.min())
    return np.asarray(weight / weight.mean())


def weighed(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """The frames, the rarer their expression the heavier; together they weigh as much as before."""
    if not frames:
        return ()
    weights = rarity(np.stack([frame.coefficients for frame in frames]).astype(np.float64))
    mean = sum(frame.weight for frame in frames) / sum(frame.weight * w for frame, w in zip(frames, weights, strict=True))
    return tuple(replace(frame, weight=frame.weight * float(w) * mean) for frame, w in zip(frames, weights, strict=True))
