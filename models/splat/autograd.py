"""The CPU rasterizer as a torch operation, with gradients for everything but the camera and the background."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from models.splat import blend_backward, workers
from models.splat.cpu import draw_features
from models.splat.project import camera_vector
from models.splat.project_backward import project_backward
from models.splat.workspace import Lease, as_floats
from models.types import Camera, Gaussians


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
        means_, rotations_, scales_, opacities_, features_ = (
            _array(tensor) for tensor in (means, rotations, scales, opacities, features)
        )
        # The projection wants colours only to see that they are finite; any broken feature shows in the sum.
        colors = np.repeat(features_.sum(axis=1, keepdims=True), 3, axis=1)
        threads, behind, lease = workers.available(), _array(background), Lease()
        lease.space.prepare(Gaussians(means_, rotations_, scales_, opacities_, colors), camera, threads)
        drawn = draw_features(lease.space, features_, behind, camera, threads)
        ctx.lease, ctx.camera, ctx.background, ctx.drawn = lease, camera, behind, drawn
        ctx.save_for_backward(means, rotations, scales, opacities, features)
        out, alpha, depth = (torch.from_numpy(array).to(means.dtype) for array in (drawn.out, drawn.alpha, drawn.depth))
        return out, alpha, depth

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        space, drawn, threads = ctx.lease.space, ctx.drawn, workers.available()
        inputs = [_array(tensor) for tensor in ctx.saved_tensors]
        features = inputs[4]
        space.number_pairs()
        pair_grads = np.empty((int(space.offsets[-1]), blend_backward.MOMENTS + 1 + features.shape[1]), np.float32)
        bins, buffers = space.bins, space.buffers(threads, blend_backward.buffer_size(features.shape[1]))
        picture, above_ = (drawn.z_sum, drawn.final_t, drawn.last), tuple(_array(gradient) for gradient in above)
        space.counter[0] = 0
        workers.run(
            lambda worker: blend_backward.blend_backward(
                space.counter, bins, features, ctx.background, picture, above_, buffers[worker], pair_grads
            ),
            threads,
        )
        grads, view = tuple(np.empty_like(array) for array in inputs), camera_vector(ctx.camera)
        space.counter[0] = 0
        workers.run(
            lambda _: project_backward(
                space.counter, pair_grads, space.slots, space.keys, space.boxes, tuple(inputs[:4]), view, grads
            ),
            threads,
        )
        tensors = zip(grads, ctx.saved_tensors, strict=True)
        return *(torch.from_numpy(grad).to(tensor.dtype) for grad, tensor in tensors), None, None


def _array(tensor: Tensor) -> np.ndarray:
    """The tensor's numbers as the kernels want them."""
    return as_floats(tensor.detach().to(torch.float32).numpy())
