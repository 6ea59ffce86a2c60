"""`models.binding` in torch: differentiable, on any device, without numba."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

Frames = tuple[Tensor, Tensor, Tensor]
"""One frame a triangle as in `models.binding.Frames`: origins (F, 3) metres, quaternions wxyz (F, 4), scales (F,) metres."""


def triangle_frames(vertices: Tensor, faces: Tensor) -> Frames:
    """The frames of all triangles, as `models.binding.frames`: vertices (V, 3) metres, faces (F, 3) int64."""
    a, b, c = vertices[faces].unbind(dim=1)
    u, w = b - a, c - a
    normal = torch.linalg.cross(u, w)
    length = u.norm(dim=1, keepdim=True).clamp(min=1e-9)
    x = u / length
    y = normal / normal.norm(dim=1, keepdim=True).clamp(min=1e-15)
    z = torch.linalg.cross(x, y)
    scale = 0.5 * (length[:, 0] + (z * w).sum(dim=1).abs())
    return (a + b + c) / 3, quaternions(torch.stack([x, y, z], dim=2)), scale


def quaternions(r: Tensor) -> Tensor:
    """Rotations (N, 3, 3) -> wxyz (N, 4), unit: of the four ways to write it (Shepperd 1978) the one with the largest divisor."""
    d = r.diagonal(dim1=1, dim2=2)
    t = d.sum(dim=1)
    squares = torch.stack([1 + t, 1 + 2 * d[:, 0] - t, 1 + 2 * d[:, 1] - t, 1 + 2 * d[:, 2] - t], dim=1)  # (2 w)^2, (2 x)^2 ...
    wx, wy, wz = r[:, 2, 1] - r[:, 1, 2], r[:, 0, 2] - r[:, 2, 0], r[:, 1, 0] - r[:, 0, 1]
    xy, xz, yz = r[:, 1, 0] + r[:, 0, 1], r[:, 0, 2] + r[:, 2, 0], r[:, 2, 1] + r[:, 1, 2]
    w, x, y, z = squares.unbind(dim=1)
    ways = torch.stack([w, wx, wy, wz, wx, x, xy, xz, wy, xy, y, yz, wz, xz, yz, z], dim=1).reshape(-1, 4, 4)
    best = squares.argmax(dim=1)
    return functional.normalize(ways[torch.arange(len(r), device=r.device), best], dim=1)


def to_world(face: Tensor, means: Tensor, rotations: Tensor, scales: Tensor, at: Frames) -> tuple[Tensor, Tensor, Tensor]:
    """Bound Gaussians in the world, as `models.binding.to_world`: face (N,) int64, means (N, 3) and scales (N, 3) in units of
    the triangle, rotations (N, 4) wxyz -> means (N, 3) metres, rotations (N, 4), scales (N, 3) metres."""
    origin, q, size = at[0][face], at[1][face], at[2][face][:, None]
    v = means * size
    w, axis = q[:, :1], q[:, 1:]
    t = 2 * torch.linalg.cross(axis, v)
    moved = origin + v + w * t + torch.linalg.cross(axis, t)
    a, b = rotations[:, :1], rotations[:, 1:]
    real = w * a - (axis * b).sum(dim=1, keepdim=True)
    return moved, torch.cat([real, w * b + a * axis + torch.linalg.cross(axis, b)], dim=1), scales * size
