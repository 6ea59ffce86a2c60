"""Photometric registration: each target picture is warped smoothly onto the rendered picture before the two are compared.

Synthesised views contradict each other, tracked poses err, hair moves. Held against one set of Gaussians such pictures end in
their mean, and that is blurred. So a smooth displacement is taken out of each first, the most likely one if displacements are
normally distributed: Gauss-Newton on the control points of a cubic B-spline, with robust weights (Lucas & Kanade 1981; Szeliski &
Coughlan 1997). What all pictures have in common is no error of theirs but one of the Gaussians, and stays.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from scipy.interpolate import BSpline
from torch import Tensor
from torch.nn import functional

from enrollment.reconstruction.targets import Target

NODES = 6
"""Control points a side."""
LARGEST = 160
"""Larger side, in pixels, of the pictures on which a warp is estimated; larger pictures are shrunk."""
ROUNDS = 2
NOISE = 0.05
"""Difference between colours that is no sign of a displacement ..."""
TOGETHER = 9.0
"""... and how many pixels differ together."""
REMEMBERED = 0.03
"""Weight of the latest picture in what all have in common."""


class PhotometricWarp:
    """Warps targets. spread: standard deviation of a displacement, pixels of a picture 256 wide.

    shared: (2, NODES, NODES) what the pictures of late had in common, x and y, in picture widths.
    """

    def __init__(self, spread: float) -> None:
        self.spread = spread / 256
        self.shared = torch.zeros(2, NODES, NODES)

    @torch.no_grad()
    def __call__(self, target: Target, color: Tensor, alpha: Tensor) -> Target:
        """The target, warped onto the rendered color (H, W, 3) and alpha (H, W), without gradients."""
        warp = displacement(target, color, alpha, self.spread).cpu()
        self.shared.lerp_(warp, REMEMBERED)
        return warped(target, warp - self.shared)


def displacement(target: Target, color: Tensor, alpha: Tensor, spread: float) -> Tensor:
    """(2, NODES, NODES): where, seen from a pixel of what was drawn, the target shows the same, in picture widths.

    spread: standard deviation of each control point. Zero where the target is unknown or flat.
    """
    rendered = torch.cat([color, alpha[..., None]], dim=2)
    observed = torch.cat([target.image, target.matte[..., None]], dim=2)
    known = target.known
    by = min(1.0, LARGEST / max(alpha.shape))
    if by < 1:
        size = [max(4, round(by * side)) for side in alpha.shape]
        rendered, observed, known = (_shrunk(p, size) for p in (rendered, observed, known[..., None]))
        known = known[..., 0]
    height, width = known.shape
    rows, columns = basis(height, known.device), basis(width, known.device)
    every = (rows[:, None, :, None] * columns[None, :, None, :]).reshape(height * width, -1)
    count = every.shape[1]
    prior = torch.eye(2 * count, device=known.device) / spread**2
    warp = torch.zeros(2 * count, device=known.device)
    for _ in range(ROUNDS):
        now = _resampled(observed, warp.reshape(2, NODES, NODES))
        right, down = torch.zeros_like(now), torch.zeros_like(now)
        right[:, 1:-1], down[1:-1] = width * (now[:, 2:] - now[:, :-2]) / 2, width * (now[2:] - now[:-2]) / 2
        error = rendered - now
        weight = known[..., None] / (TOGETHER * NOISE * (NOISE + error.abs()))

        def summed(a: Tensor, b: Tensor, weight: Tensor = weight) -> Tensor:
            return (weight * a * b).sum(dim=2).reshape(-1, 1)

        xx, xy, yy = (every.T @ (summed(a, b) * every) for a, b in ((right, right), (right, down), (down, down)))
        matrix = torch.cat([torch.cat([xx, xy], dim=1), torch.cat([xy, yy], dim=1)]) + prior
        gradient = torch.cat([every.T @ summed(right, error), every.T @ summed(down, error)])[:, 0] - prior @ warp
        warp = warp + torch.linalg.solve(matrix, gradient)
    return warp.reshape(2, NODES, NODES)


def warped(target: Target, warp: Tensor) -> Target:
    """Each pixel from where `warp` (2, NODES, NODES), in picture widths, says; beyond the edge, what is at the edge."""
    parts = [target.image, target.matte[..., None], target.known[..., None]]
    if target.normals is not None:
        parts.append(target.normals)
    moved = _resampled(torch.cat(parts, dim=2), warp.to(target.image))
    normals = None
    if target.normals is not None:
        length = moved[..., 5:].norm(dim=2, keepdim=True)
        normals = torch.where(length > 0.5, moved[..., 5:] / length.clamp(min=0.5), 0.0)
    image, matte, known = moved[..., :3].clamp(0, 1), moved[..., 3].clamp(0, 1), (moved[..., 4] > 0.5).to(moved)
    return Target(target.camera, image, matte, known, normals)


@lru_cache(maxsize=16)
def basis(length: int, device: torch.device | None = None) -> Tensor:
    """(length, NODES): what each control point says about each of `length` pixels; rows sum to 1."""
    knots = np.concatenate([[0.0] * 3, np.linspace(0, 1, NODES - 2), [1.0] * 3])
    places = (np.arange(length) + 0.5) / length
    return torch.from_numpy(BSpline.design_matrix(places, knots, 3).toarray().astype(np.float32)).to(device or "cpu")


def _resampled(picture: Tensor, warp: Tensor) -> Tensor:
    """(H, W, C) resampled with a cubic kernel, which a smaller one would blur."""
    height, width = picture.shape[:2]
    right, down = (width * (basis(height, picture.device) @ b @ basis(width, picture.device).T) for b in warp)
    x = (torch.arange(width, device=picture.device) + 0.5 + right) * (2 / width) - 1
    y = (torch.arange(height, device=picture.device)[:, None] + 0.5 + down) * (2 / height) - 1
    grid, planes = torch.stack([x, y], dim=2)[None], picture.permute(2, 0, 1)[None]
    out = functional.grid_sample(planes, grid, mode="bicubic", padding_mode="border", align_corners=False)
    return out[0].permute(1, 2, 0)


def _shrunk(picture: Tensor, size: list[int]) -> Tensor:
    return functional.interpolate(picture.permute(2, 0, 1)[None], size, mode="area")[0].permute(1, 2, 0)
