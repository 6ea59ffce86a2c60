"""gsplat as a torch operation: the interface of autograd.py for tensors on a CUDA device, gradients by gsplat's kernels.

gsplat 1.5 draws what base.py defines (base.py took its constants from there). What is left between the two: exp and the
projection are computed with fast single precision, so a Gaussian whose opacity at a pixel lies within rounding of ALPHA_MIN
may touch it in one and not in the other, which changes that pixel by up to 1/255 of the colours' difference; and gsplat
draws z = NEAR where base.py begins behind it. `tests/gpu/acceptance.py` measures both pictures and gradients.
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
) -> tuple[Tensor, Tensor, Tensor]:
    """As autograd.rasterize, on the device where `means` lies; `background` may lie anywhere.

    The work is done in float32, the results have the dtype of `means`. Gradients flow to the five tensors; Gaussians that are
    not drawn, broken ones (base.py, step 1) among them, get zeros. gsplat has to be there: `models.splat.choose.differentiable`
    looks, and says what is missing.
    """
    drawn, alpha = draw(means, rotations, scales, opacities, features, camera, background, depth=True)
    return tuple(part.to(means.dtype) for part in (drawn[..., :-1], alpha, drawn[..., -1]))  # type: ignore[return-value]


def draw(
    means: Tensor,
    rotations: Tensor,
    scales: Tensor,
    opacities: Tensor,
    features: Tensor,
    camera: Camera,
    background: Tensor,
    *,
    depth: bool,
) -> tuple[Tensor, Tensor]:
    """gsplat's one call: features (H, W, F), with `depth` (H, W, F + 1) whose last is the depth, and alpha (H, W); float32.

    Raises ValueError where the shapes do not fit together.
    """
    from gsplat import rasterization

    five = _checked(means, rotations, scales, opacities, features)
    device, size = means.device, (camera.height, camera.width)
    behind = background.detach().to(device, torch.float32)
    if behind.shape != features.shape[1:]:
        raise ValueError(f"the background should have the shape {tuple(features.shape[1:])}, not {tuple(behind.shape)}")
    if len(means) == 0:  # gsplat has no picture of nothing; the empty sums keep the tensors in the graph
        nothing = torch.stack([tensor.sum() for tensor in five]).sum()
        ends = torch.cat([behind, behind.new_zeros(int(depth))])
        return ends.expand(*size, -1) + nothing, nothing.expand(size)

    intrinsics = [[camera.fx, 0.0, camera.cx], [0.0, camera.fy, camera.cy], [0.0, 0.0, 1.0]]
    drawn, alpha, _ = rasterization(
        *_mended(*five),
        viewmats=torch.as_tensor(camera.world_to_camera, dtype=torch.float32, device=device)[None],
        Ks=torch.tensor([intrinsics], dtype=torch.float32, device=device),
        width=camera.width,
        height=camera.height,
        near_plane=base.NEAR,
        eps2d=base.DILATION,
        backgrounds=behind[None],
        render_mode="RGB+ED" if depth else "RGB",
        rasterize_mode="classic",
        packed=False,
    )
    return drawn[0], alpha[0, ..., 0]


def _checked(*tensors: Tensor) -> tuple[Tensor, ...]:
    """means, rotations, scales, opacities and features in float32, their shapes checked."""
    count, features = len(tensors[0]), tensors[4].shape[1:]
    names = ("means", "rotations", "scales", "opacities", "features")
    shapes = ((count, 3), (count, 4), (count, 3), (count,), (count, *features))
    for name, tensor, shape in zip(names, tensors, shapes, strict=True):
        if tuple(tensor.shape) != shape:
            raise ValueError(f"{name} should have the shape {shape}, not {tuple(tensor.shape)}")
    return tuple(tensor.to(torch.float32) for tensor in tensors)


def _mended(means: Tensor, rotations: Tensor, scales: Tensor, opacities: Tensor, features: Tensor) -> tuple[Tensor, ...]:
    """The same with broken Gaussians made transparent. They stay in their rows, so nothing waits for the device to count
    them, and `where` hands exact zeros back to them."""
    five = (means, rotations, scales, opacities, features)
    flat = torch.cat([tensor.detach().reshape(len(means), -1) for tensor in five], dim=1)
    whole = torch.isfinite(flat).all(dim=1) & (rotations.detach().abs().sum(dim=1) > 0)
    unturned = torch.zeros_like(rotations)
    unturned[:, 0] = 1.0
    wide = whole[:, None]
    return (
        torch.where(wide, means, torch.zeros_like(means)),
        torch.where(wide, rotations, unturned),
        torch.where(wide, scales, torch.zeros_like(scales)),
        torch.where(whole, opacities, torch.zeros_like(opacities)),
        torch.where(wide, features, torch.zeros_like(features)),
    )
