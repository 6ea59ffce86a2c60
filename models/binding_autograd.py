"""`models.torch_binding.to_world` in one pass over memory each way, on the CPU."""

# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of kernels)

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from models import binding
from models.binding import BoundGaussians
from models.jit import kernel
from models.torch_binding import Frames


def to_world(face: Tensor, means: Tensor, rotations: Tensor, scales: Tensor, at: Frames) -> tuple[Tensor, Tensor, Tensor]:
    """As `models.torch_binding.to_world`, float32 on the CPU; gradients flow to all but `face`."""
    return _ToWorld.apply(face, means, rotations, scales, *at)


class _ToWorld(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, face: Tensor, *tensors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        face_, arrays = face.numpy(), [tensor.detach().contiguous().numpy() for tensor in tensors]
        means, rotations, scales, *at = arrays
        bound = BoundGaussians(face_, means, rotations, scales, means[:, 0], means)  # type: ignore[arg-type]
        ctx.inputs = (face_, *arrays)
        out = binding.to_world(bound, binding.Frames(*at))
        return torch.from_numpy(out.means), torch.from_numpy(out.rotations), torch.from_numpy(out.scales)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        of_frames = any(ctx.needs_input_grad[4:])
        grads = [np.empty_like(array) for array in ctx.inputs[1:4]] + [np.zeros_like(array) for array in ctx.inputs[4:]]
        _backward(ctx.inputs, tuple(gradient.contiguous().numpy() for gradient in above), tuple(grads), of_frames)
        out = [torch.from_numpy(grad) for grad in grads]
        return None, *out[:3], *(out[3:] if of_frames else (None, None, None))


@kernel(fastmath={"contract", "arcp", "nsz", "reassoc"})  # not numbers that are none: the optimiser looks for them
def _backward(inputs, above, grads, of_frames):
    """inputs: face, means, rotations, scales, and the frames. above: gradients by what `to_world` returns. grads: to fill, by
    means, rotations and scales, and by the frames where `of_frames`. Letters as in `binding._to_world`; g is the gradient by the
    mean in the world, h that by the rotation."""
    face, means, rotations, scales, _, rotation, scale = inputs
    above_means, above_rotations, above_scales = above
    grad_means, grad_rotations, grad_scales, grad_origin, grad_rotation, grad_scale = grads
    two = np.float32(2.0)
    for n in range(face.shape[0]):
        f = face[n]
        s, w, x, y, z = scale[f], rotation[f, 0], rotation[f, 1], rotation[f, 2], rotation[f, 3]
        g0, g1, g2 = above_means[n, 0], above_means[n, 1], above_means[n, 2]
        h0, h1, h2, h3 = above_rotations[n, 0], above_rotations[n, 1], above_rotations[n, 2], above_rotations[n, 3]
        # by t = 2 q x v: w g + g x q; by v: g + that x 2 q
        k0, k1, k2 = w * g0 + g1 * z - g2 * y, w * g1 + g2 * x - g0 * z, w * g2 + g0 * y - g1 * x
        v0, v1, v2 = g0 + two * (k1 * z - k2 * y), g1 + two * (k2 * x - k0 * z), g2 + two * (k0 * y - k1 * x)
        grad_means[n, 0], grad_means[n, 1], grad_means[n, 2] = s * v0, s * v1, s * v2
        grad_rotations[n, 0] = w * h0 + x * h1 + y * h2 + z * h3
        grad_rotations[n, 1] = w * h1 - x * h0 - y * h3 + z * h2
        grad_rotations[n, 2] = w * h2 + x * h3 - y * h0 - z * h1
        grad_rotations[n, 3] = w * h3 - x * h2 + y * h1 - z * h0
        e0, e1, e2 = above_scales[n, 0], above_scales[n, 1], above_scales[n, 2]
        grad_scales[n, 0], grad_scales[n, 1], grad_scales[n, 2] = s * e0, s * e1, s * e2
        if not of_frames:
            continue
        m0, m1, m2 = means[n, 0], means[n, 1], means[n, 2]
        p0, p1, p2 = s * m0, s * m1, s * m2
        t0, t1, t2 = two * (y * p2 - z * p1), two * (z * p0 - x * p2), two * (x * p1 - y * p0)
        grad_origin[f, 0] += g0
        grad_origin[f, 1] += g1
        grad_origin[f, 2] += g2
        grad_scale[f] += v0 * m0 + v1 * m1 + v2 * m2 + e0 * scales[n, 0] + e1 * scales[n, 1] + e2 * scales[n, 2]
        a, b, c, d = rotations[n, 0], rotations[n, 1], rotations[n, 2], rotations[n, 3]
        grad_rotation[f, 0] += g0 * t0 + g1 * t1 + g2 * t2 + h0 * a + h1 * b + h2 * c + h3 * d
        grad_rotation[f, 1] += t1 * g2 - t2 * g1 + two * (p1 * k2 - p2 * k1) - h0 * b + h1 * a - h2 * d + h3 * c
        grad_rotation[f, 2] += t2 * g0 - t0 * g2 + two * (p2 * k0 - p0 * k2) - h0 * c + h1 * d + h2 * a - h3 * b
        grad_rotation[f, 3] += t0 * g1 - t1 * g0 + two * (p0 * k1 - p1 * k0) - h0 * d - h1 * c + h2 * b + h3 * a
