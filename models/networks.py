"""The weights of a person's own networks, as an avatar carries them beside the directions that stand in for them.

Only numbers: which layers they belong to is written in `models.nets`, nothing of a file is ever run. Half precision, which
moves what the networks say by less than 2 % of the largest change (tests/models/nets/test_avatar_networks.py). Free of torch,
so that reading a file takes none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Half = NDArray[np.float16]
Shape = tuple[str | int, ...]
DYNAMICS: dict[str, Shape] = {
    "points": ("A", 7),
    "code.weight": (16, 52), "place.weight": (48, 24), "place.bias": (48,), "mixed.weight": (48, 16), "last.weight": (14, 48),
}  # fmt: skip
"""Tensor -> shape, of `models.nets.dynamics.Dynamics` and, for each active Gaussian, `points`: where it rests (what the network
knows it by), the length that its quaternion was trained with, and the colour that it was trained with, which may leave [0, 1]."""
DEFORMATION: dict[str, Shape] = {
    "rest": ("V", 3),
    "tokens.weight": (256, 52), "tokens.bias": (256,),
    "into.weight": (16, 4, 3, 3), "into.bias": (16,),
    "down.0.weight": (32, 16, 3, 3), "down.0.bias": (32,), "down.1.weight": (48, 32, 3, 3), "down.1.bias": (48,),
    "attention.q_proj_weight": (48, 48), "attention.k_proj_weight": (48, 32), "attention.v_proj_weight": (48, 32),
    "attention.in_proj_bias": (144,), "attention.out_proj.weight": (48, 48), "attention.out_proj.bias": (48,),
    "normalised.weight": (48,), "normalised.bias": (48,),
    "up.0.weight": (32, 80, 3, 3), "up.0.bias": (32,), "up.1.weight": (16, 48, 3, 3), "up.1.bias": (16,),
    "out.weight": (3, 16, 3, 3), "out.bias": (3,),
}  # fmt: skip
"""The same of `models.nets.deformation.Deformation`; `rest`: the resting head that it was trained on, metres."""


@dataclass(frozen=True)
class Networks:
    """float16 by the names and shapes of DYNAMICS and DEFORMATION; either may be missing. A: the active Gaussians of the
    corrections, in their order. V: the head's vertices."""

    dynamics: dict[str, Half] | None = None
    deformation: dict[str, Half] | None = None

    def select(self, which: NDArray[np.bool_]) -> Networks | None:
        """For corrections that keep the active Gaussians of a mask (A,); None when nothing is left."""
        dynamics = self.dynamics if which.any() else None
        if dynamics is not None:
            dynamics = {**dynamics, "points": dynamics["points"][which]}
        return None if dynamics is None and self.deformation is None else replace(self, dynamics=dynamics)
