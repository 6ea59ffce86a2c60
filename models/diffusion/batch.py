"""What the loop trains on: the conditions of a target view, and the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from models.diffusion.conditions import Conditions

COLORS = ("reference", "warp", "coarse_color", "target_color")
NORMALS = ("reference_pose", "coarse_normals", "pose", "target_normals")
MASKS = ("coarse_alpha", "visibility", "target_matte")
"""Which of a batch's pictures are what; the driving face, of another size, is a colour too."""


@dataclass(frozen=True)
class Batch(Conditions):
    """`Conditions`, and what they should lead to; the same shapes and ranges.

    target_color (B, 3, H, W) on white, target_normals (B, 3, H, W), target_matte (B, 1, H, W): the truth.
    coefficients: (B, 52) of the driving moment, in [0, 1]; they tell how linearly the latent holds them.
    With clips (G6), the frames of one clip are neighbours: B = clips x frames.
    """

    target_color: Tensor
    target_normals: Tensor
    target_matte: Tensor
    coefficients: Tensor

    def conditions(self) -> Conditions:
        """What may be known when sampling."""
        return Conditions(**{f.name: getattr(self, f.name) for f in fields(Conditions)})

    @staticmethod
    def stack(batches: Sequence[Batch]) -> Batch:
        """One batch of all rows, in order."""
        return Batch(**{f.name: torch.cat([getattr(b, f.name) for b in batches]) for f in fields(Batch)})


BatchSource = Callable[[int], Batch]
"""The batch of a step. It must depend on nothing but the step: that makes a resumed run equal to an uninterrupted one."""


@dataclass(frozen=True)
class Faces:
    """For the expression encoder alone. crops: (G, M, 2, 3, S, S) sRGB in [0, 1], the parts of faces, M moments of a person from
    the same two webcams. points: (G, M, 2, 4, K, 2), where landmarks lie in them (`models.diffusion.points`).
    coefficients: (G, M, 52)."""

    crops: Tensor
    points: Tensor
    coefficients: Tensor

    def to(self, device: str | torch.device) -> Faces:
        return Faces(self.crops.to(device), self.points.to(device), self.coefficients.to(device))


FaceSource = Callable[[int], Faces]
"""Like `BatchSource`."""
