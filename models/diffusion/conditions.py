"""Everything the prior is told about a target view."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Conditions:
    """Pictures as float32 (B, C, H, W), H = W.

    Colours are sRGB in [0, 1] on white. Normals are in the frame of the view's own camera, OpenGL axes (x right, y up, z
    towards the viewer), in [-1, 1], times alpha: 0 where nothing is. Masks are in [0, 1].

    reference, reference_pose: (B or 1, 3, H, W) the photo, and the fitted head's normals, expression zero (G5), in its camera.
    coarse_color (3), coarse_normals (3), coarse_alpha (1): the instant avatar in the target view and expression.
    warp (3), visibility (1): the photo warped into the target view, and where that is the photo's own (F4).
    pose (3): the fitted head's normals, expression zero, in the target camera (G5).
    driving: (B or 1, 3, crop, crop) the parts (`models.diffusion.parts`) of the face with the target expression (G1).
    Reference and driving may have one row for all views.
    """

    reference: Tensor
    reference_pose: Tensor
    coarse_color: Tensor
    coarse_normals: Tensor
    coarse_alpha: Tensor
    warp: Tensor
    visibility: Tensor
    pose: Tensor
    driving: Tensor

    def __len__(self) -> int:
        return int(self.coarse_color.shape[0])

    def to(self, device: str | torch.device) -> Self:
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def take(self, rows: Tensor | slice) -> Self:
        """Some of the rows. What has one row for all keeps it."""

        def picked(tensor: Tensor) -> Tensor:
            return tensor if len(tensor) == 1 and len(self) > 1 else tensor[rows]

        return replace(self, **{f.name: picked(getattr(self, f.name)) for f in fields(self)})
