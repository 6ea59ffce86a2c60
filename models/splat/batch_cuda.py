"""Several pictures of one room in one call of gsplat.

Each picture shows other Gaussians: everybody but its viewer, each moved rigidly by itself (realtime/room/seating.py closes the
empty angles between people), in the detail that its size asks for. So the pictures are no cameras around one set, and no mask
of it will do. gsplat takes this as a batch: B sets of N Gaussians with a camera each (`[B, N, 3]`, `[B, 1, 4, 4]`), from
release 1.5.3 on. A `Composition` says which rows of one table of all posed Gaussians each picture shows, and how each row
moves; shorter pictures are filled up with a transparent row, which gsplat drops in its projection. The number of kernels does
not grow with the pictures. All pictures of a call have one size, as gsplat's have.

gsplat's `packed` mode would need a count from the device before it could go on; it is off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.splat import base

COLUMNS = 14
"""Of a Gaussian in one row: mean 3, quaternion wxyz 4, scales 3, opacity 1, colour 3."""
MOTION, LENS = 7, 28
"""Numbers of a rigid motion: quaternion wxyz 4, translation 3. Of a camera: world_to_camera 16, intrinsics 9, background 3."""


@dataclass(frozen=True)
class Composition:
    """rows, motions: (B, N) int64 on the device: for each picture the rows of the table that it shows, and the motion of each."""

    rows: Tensor
    motions: Tensor

    @staticmethod
    def of(pictures: Sequence[Sequence[tuple[int, int]]], empty: int, device: torch.device) -> Composition:
        """pictures: for each the (first row, rows) of the sets that it shows. Motions count through all of these in order; a
        picture of nothing has one too. empty: the transparent row. Made on the device: nothing is copied there."""
        most = max(1, *(sum(count for _, count in sets) for sets in pictures))
        rows = torch.full((len(pictures), most), empty, dtype=torch.int64, device=device)
        motions = torch.zeros_like(rows)
        motion = 0
        for picture, sets in enumerate(pictures):
            motions[picture] = motion
            at = 0
            for first, count in sets:
                torch.arange(first, first + count, out=rows[picture, at : at + count])
                motions[picture, at : at + count] = motion
                at, motion = at + count, motion + 1
            motion += not sets
        return Composition(rows, motions)


def whole(tables: Sequence[Tensor], device: torch.device) -> Tensor:
    """Tables (N, COLUMNS) float32 one after the other, and a transparent row. Broken rows (base.py, step 1) become transparent
    too; they stay in their places, so nothing waits for the device to count them."""
    nothing = torch.zeros(1, COLUMNS, device=device)
    nothing[:, 3] = 1.0
    table = torch.cat([*tables, nothing])
    fine = torch.isfinite(table).all(dim=1, keepdim=True) & (table[:, 3:7].abs().sum(dim=1, keepdim=True) > 0)
    return torch.where(fine, table, nothing)


def draw(
    table: Tensor, composition: Composition, motions: Tensor, lenses: Tensor, width: int, height: int
) -> tuple[Tensor, Tensor]:
    """table: of `whole`. motions: (M, MOTION) float32, table -> the camera's world. lenses: (B, LENS) float32.

    Returns colours (B, H, W, 3) over the backgrounds and alpha (B, H, W), float32 on the device.
    """
    from gsplat import rasterization

    g, motion = table[composition.rows], motions[composition.motions]
    turn = motion[..., :4]
    count = len(lenses)
    drawn, alpha, _ = rasterization(
        means=_turned(turn, g[..., :3]) + motion[..., 4:],
        quats=_product(turn, g[..., 3:7]),
        scales=g[..., 7:10].contiguous(),
        opacities=g[..., 10].contiguous(),
        colors=g[..., 11:].contiguous(),
        viewmats=lenses[:, :16].reshape(count, 1, 4, 4),
        Ks=lenses[:, 16:25].reshape(count, 1, 3, 3),
        width=width,
        height=height,
        near_plane=base.NEAR,
        eps2d=base.DILATION,
        backgrounds=lenses[:, 25:].reshape(count, 1, 3),
        render_mode="RGB",
        rasterize_mode="classic",
        packed=False,
    )
    return drawn[:, 0], alpha[:, 0, ..., 0]


def _turned(q: Tensor, v: Tensor) -> Tensor:
    """v (..., 3) turned by unit quaternions q (..., 4): v + 2 w (q x v) + 2 q x (q x v)."""
    axis = q[..., 1:]
    t = 2 * torch.linalg.cross(axis, v)
    return v + q[..., :1] * t + torch.linalg.cross(axis, t)


def _product(p: Tensor, q: Tensor) -> Tensor:
    """Quaternions wxyz (..., 4): first q, then p."""
    a, b, c, d = p[..., :1], p[..., 1:], q[..., :1], q[..., 1:]
    real = a * c - (b * d).sum(dim=-1, keepdim=True)
    return torch.cat([real, a * d + c * b + torch.linalg.cross(b, d)], dim=-1)
