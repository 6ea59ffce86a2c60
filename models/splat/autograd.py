"""The CPU rasterizer as a torch operation, with gradients for everything but the camera and the background."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from models.splat.gradients import ColorDrawing, Drawing
from models.splat.workspace import as_floats
from models.types import Array, Camera


def rasterize(
    means: Tensor,
    rotations: Tensor,
    scales: Tensor,
    opacities: Tensor,
    features: Tensor,
    camera: Camera,
    background: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw any number of features a Gaussian, as base.py defines for colours.

    means (N, 3) metres, world. rotations (N, 4) wxyz, normalised inside. scales (N, 3) metres. opacities (N,) in
    [0, 1]. features (N, F), F >= 1: colours, normals, whatever. background (F,). Any float type; the work is done in
    float32 on the CPU. Returns features (H, W, F), alpha (H, W) and depth (H, W) metres, the weighted mean of z, 0
    where alpha is 0. Gradients flow to the five tensors; Gaussians that are not drawn get zeros.
    """
    return _Rasterize.apply(means, rotations, scales, opacities, features, camera, background)


def rasterize_colors(
    means: Tensor, rotations: Tensor, scales: Tensor, opacities: Tensor, colors: Tensor, camera: Camera, background: Tensor
) -> tuple[Tensor, Tensor]:
    """As `rasterize`, for colors (N, 3) without depth, several times as fast: color (H, W, 3) and alpha (H, W)."""
    return _RasterizeColors.apply(means, rotations, scales, opacities, colors, camera, background)


class _RasterizeColors(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, Tensor]:
        *inputs, camera, background = arguments
        ctx.drawing = ColorDrawing([_array(tensor) for tensor in inputs], camera, _array(background))
        ctx.kinds = [tensor.dtype for tensor in inputs]
        color, alpha = (torch.from_numpy(array).to(ctx.kinds[0]) for array in (ctx.drawing.color, ctx.drawing.alpha))
        return color, alpha

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        grads = ctx.drawing.backward(*(_array(gradient) for gradient in above))
        return *(torch.from_numpy(grad).to(kind) for grad, kind in zip(grads, ctx.kinds, strict=True)), None, None


class _Rasterize(torch.autograd.Function):
    """All of `rasterize` in one operation: the less torch does besides, the less its threads are in the way."""

    @staticmethod
    def forward(
        ctx: Any,
        means: Tensor,
        rotations: Tensor,
        scales: Tensor,
        opacities: Tensor,
        features: Tensor,
        camera: Camera,
        background: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        inputs = (means, rotations, scales, opacities, features)
        ctx.drawing = Drawing([_array(tensor) for tensor in inputs], camera, _array(background))
        ctx.kinds = [tensor.dtype for tensor in inputs]
        drawn = (ctx.drawing.out, ctx.drawing.alpha, ctx.drawing.depth)
        out, alpha, depth = (torch.from_numpy(array).to(means.dtype) for array in drawn)
        return out, alpha, depth

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        grads = ctx.drawing.backward(*(_array(gradient) for gradient in above))
        return *(torch.from_numpy(grad).to(kind) for grad, kind in zip(grads, ctx.kinds, strict=True)), None, None


def _array(tensor: Tensor) -> Array:
    """The tensor's numbers as the kernels want them."""
    return as_floats(tensor.detach().to(torch.float32).numpy())
