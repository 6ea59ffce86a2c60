"""The picture of base.py once more, in plain vectorised torch: differentiable by autograd, in any float type, on any device.

It is what the gradients of autograd.py and autograd_cuda.py are held against (float64), and the slow baseline of bench.py
(float32). It needs neither numba nor gsplat.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.splat import base
from models.types import Camera


def rasterize(
    means: Tensor,
    rotations: Tensor,
    scales: Tensor,
    opacities: Tensor,
    features: Tensor,
    camera: Camera,
    background: Tensor,
    tile: int = 16,
) -> tuple[Tensor, Tensor, Tensor]:
    """As autograd.rasterize, for finite input; `tile` is the side (pixels) of the squares that are drawn one by one."""
    u, v, z, covariance = _project(means, rotations, scales, camera)
    drawn = (z > base.NEAR) & (opacities >= base.ALPHA_MIN) & (torch.linalg.det(covariance.detach()) > 0)
    order = torch.argsort(torch.where(drawn, z.detach().float(), torch.inf), stable=True)[: int(drawn.sum())]
    u, v, z, covariance = u[order], v[order], z[order], covariance[order]
    opacities, features = opacities[order], torch.cat([features[order], z[:, None]], dim=1)
    conic = torch.linalg.inv(covariance)
    reach = torch.sqrt(2.0 * torch.log(opacities / base.ALPHA_MIN)[:, None] * covariance.diagonal(dim1=1, dim2=2)).detach()

    rows = []
    for top in range(0, camera.height, tile):
        row = []
        for left in range(0, camera.width, tile):
            height, width = min(tile, camera.height - top), min(tile, camera.width - left)
            near_x = (u + reach[:, 0] >= left) & (u - reach[:, 0] <= left + width)
            near = near_x & (v + reach[:, 1] >= top) & (v - reach[:, 1] <= top + height)
            y, x = torch.meshgrid(
                torch.arange(height, dtype=u.dtype, device=u.device) + (top + 0.5),
                torch.arange(width, dtype=u.dtype, device=u.device) + (left + 0.5),
                indexing="ij",
            )
            row.append(_blend(x, y, u[near], v[near], conic[near], opacities[near], features[near]))
        rows.append(torch.cat(row, dim=1))
    sums = torch.cat(rows, dim=0)
    weight = sums[..., -1]
    out = sums[..., :-2] + (1.0 - weight)[..., None] * background
    depth = torch.where(weight > 0, sums[..., -2] / torch.where(weight > 0, weight, 1.0), 0.0)
    return out, weight, depth


def _project(means: Tensor, rotations: Tensor, scales: Tensor, camera: Camera) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Steps 2 and 3 of base.py: u, v (N,) pixels, z (N,) metres, dilated covariances (N, 2, 2) pixels^2."""
    view = torch.as_tensor(camera.world_to_camera, dtype=means.dtype, device=means.device)
    x, y, z = (means @ view[:3, :3].T + view[:3, 3]).unbind(1)
    margin_x, margin_y = (
        base.FOV_MARGIN * 0.5 * camera.width / camera.fx,
        base.FOV_MARGIN * 0.5 * camera.height / camera.fy,
    )
    slope_x = (x / z).clamp(-camera.cx / camera.fx - margin_x, (camera.width - camera.cx) / camera.fx + margin_x)
    slope_y = (y / z).clamp(-camera.cy / camera.fy - margin_y, (camera.height - camera.cy) / camera.fy + margin_y)
    zero = torch.zeros_like(z)
    jacobian = torch.stack(
        [camera.fx / z, zero, -camera.fx * slope_x / z, zero, camera.fy / z, -camera.fy * slope_y / z], dim=1
    ).reshape(-1, 2, 3)
    half = jacobian @ view[:3, :3] @ rotation_matrices(rotations) * scales[:, None, :]
    covariance = half @ half.transpose(1, 2) + base.DILATION * torch.eye(2, dtype=means.dtype, device=means.device)
    return camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy, z, covariance


def shortest_axes(means: Tensor, rotations: Tensor, scales: Tensor, camera: Camera) -> Tensor:
    """The Gaussians' normals (N, 3), world frame, to be drawn as features: the shortest axis turned to the camera.

    Differentiable in `rotations` (N, 4); which axis, and its sign, are taken as they are. On any device.
    """
    index = scales.detach().abs().argmin(dim=1)
    axes = rotation_matrices(rotations).gather(2, index[:, None, None].expand(-1, 3, 1))[..., 0]
    outward = means.detach() - torch.as_tensor(camera.position, dtype=means.dtype, device=means.device)
    away = (axes.detach() * outward).sum(dim=1, keepdim=True) > base.EDGE_ON * outward.norm(dim=1, keepdim=True)
    return torch.where(away, -axes, axes)


def rotation_matrices(quaternions: Tensor) -> Tensor:
    """Quaternions wxyz (N, 4) of any length but zero -> rotations (N, 3, 3)."""
    w, x, y, z = torch.nn.functional.normalize(quaternions, dim=1).unbind(1)
    entries = [
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    return torch.stack(entries, dim=1).reshape(-1, 3, 3)


def _blend(x: Tensor, y: Tensor, u: Tensor, v: Tensor, conic: Tensor, opacity: Tensor, features: Tensor) -> Tensor:
    """Weighted sums of the features, and last of the weights themselves: (h, w, F + 1); steps 4 and 5 of base.py."""
    dx, dy = x[..., None] - u, y[..., None] - v
    power = 0.5 * (conic[:, 0, 0] * dx * dx + 2 * conic[:, 0, 1] * dx * dy + conic[:, 1, 1] * dy * dy)
    density = opacity * torch.exp(-power)
    alpha = torch.where(density >= base.ALPHA_MIN, density.clamp(max=base.ALPHA_MAX), 0.0)
    after = torch.cumprod(1.0 - alpha, dim=-1)
    before = torch.cat([torch.ones_like(after[..., :1]), after[..., :-1]], dim=-1)
    weight = torch.where(after > base.T_MIN, alpha * before, 0.0)
    return torch.cat([weight @ features, weight.sum(dim=-1, keepdim=True)], dim=-1)
