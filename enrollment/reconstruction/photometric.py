"""The loss by what a picture looks like, with its gradient, in a few passes over memory; `losses` says the same term by term in
torch, and takes several times as long.

L1, square, SSIM, the multi-scale gradient term and alpha, weighted as `Weights` says. SSIM is gone through in rows of windows:
the moments of a row are sums of eleven rows of the picture, then of eleven columns; its gradient is spread the same way back.
"""

# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of kernels)

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from enrollment.reconstruction.config import Weights
from enrollment.reconstruction.losses import C1, C2, OCTAVES, SIGMA, STRIDE, WINDOW
from enrollment.reconstruction.targets import Target
from models import jit
from models.splat import workers
from models.splat.jit import claim
from models.types import Array

_C1, _C2 = np.float32(C1), np.float32(C2)
_HALF = WINDOW // 2
_kernel = jit.kernel(fastmath={"contract", "arcp", "nsz", "reassoc"}, error_model="numpy")


def photometric(color: Tensor, alpha: Tensor, target: Target, weights: Weights) -> Tensor:
    """The loss of a drawn color (H, W, 3) and alpha (H, W), float32 on the CPU."""
    loss: Tensor = _Photometric.apply(color, alpha, target, weights)
    return loss


class _Photometric(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, color: Tensor, alpha: Tensor, target: Target, weights: Weights) -> Tensor:
        image, matte, known = target.image.numpy(), target.matte.numpy(), target.known.numpy()
        loss, *grads = loss_and_gradient(color.numpy(), alpha.numpy(), image, matte, known, weights)
        ctx.grads = [torch.from_numpy(grad) for grad in grads]
        return torch.tensor(loss, dtype=torch.float32)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, ...]:
        scale = float(above)
        color, alpha = (grad if scale == 1.0 else grad * scale for grad in ctx.grads)
        return color, alpha, None, None


def loss_and_gradient(
    color: Array, alpha: Array, image: Array, matte: Array, known: Array, weights: Weights
) -> tuple[float, Array, Array]:
    """The loss and its gradients by color (H, W, 3) and alpha (H, W). image, matte, known: of the target."""
    height, width = alpha.shape
    grad_color, grad_alpha = np.empty_like(color), np.empty_like(alpha)
    plain = np.array([1 - weights.ssim, weights.square, weights.alpha], np.float32)
    loss = _pixels(color, alpha, image, matte, known, plain, grad_color, grad_alpha)
    if weights.gradient:
        loss += _gradients(color, image, known, np.float32(weights.gradient), grad_color)
    if weights.ssim and min(height, width) >= WINDOW:
        loss += _dissimilarity(color, image, known, np.float32(weights.ssim), grad_color)
    return float(loss), grad_color, grad_alpha


@_kernel
def _pixels(color, alpha, image, matte, known, weights, grad_color, grad_alpha):
    height, width = alpha.shape
    count = np.float32(0.0)
    for y in range(height):
        row = np.float32(0.0)
        for x in range(width):
            row += known[y, x]
        count += row
    of_color, of_alpha = np.float32(1.0) / max(3 * count, np.float32(1.0)), np.float32(1.0) / max(count, np.float32(1.0))
    first, square, third = weights[0] * of_color, weights[1] * of_color, weights[2] * of_alpha
    total = 0.0
    for y in range(height):
        row = np.float32(0.0)
        for x in range(width):
            seen = known[y, x]
            for c in range(3):
                d = color[y, x, c] - image[y, x, c]
                row += seen * (first * abs(d) + square * d * d)
                grad_color[y, x, c] = seen * (first * np.sign(d) + np.float32(2.0) * square * d)
            d = alpha[y, x] - matte[y, x]
            row += seen * third * abs(d)
            grad_alpha[y, x] = seen * third * np.sign(d)
        total += row
    return total


@_kernel
def _gradients(color, image, known, weight, grad_color):
    """`losses.gradients` times `weight`; its gradient is added to grad_color."""
    height, width = known.shape
    share = np.float32(0.0)
    for y in range(height):
        row = np.float32(0.0)
        for x in range(width):
            row += known[y, x]
        share += row
    share = max(share / np.float32(height * width), np.float32(1e-3))
    error = np.empty((height, width, 3), np.float32)
    for y in range(height):
        for x in range(width):
            for c in range(3):
                error[y, x, c] = (color[y, x, c] - image[y, x, c]) * known[y, x]
    total = 0.0
    factor = np.float32(1.0)  # how much one pixel counts in a pixel of this octave
    for octave in range(OCTAVES):
        if octave > 0:
            coarse = np.empty((error.shape[0] // 2, error.shape[1] // 2, 3), np.float32)
            for y in range(coarse.shape[0]):
                for x in range(coarse.shape[1]):
                    for c in range(3):
                        upper = error[2 * y, 2 * x, c] + error[2 * y, 2 * x + 1, c]
                        lower = error[2 * y + 1, 2 * x, c] + error[2 * y + 1, 2 * x + 1, c]
                        coarse[y, x, c] = np.float32(0.25) * (upper + lower)
            error = coarse
            factor *= np.float32(0.25)
        rows, columns = error.shape[0], error.shape[1]
        if min(rows, columns) < 2:
            break
        whole = weight / (np.float32(2 * OCTAVES) * share)
        down, right = whole / np.float32(3 * (rows - 1) * columns), whole / np.float32(3 * rows * (columns - 1))
        grad = np.zeros((rows, columns, 3), np.float32)
        for y in range(rows):
            row = np.float32(0.0)
            for x in range(columns - 1):
                for c in range(3):
                    d = error[y, x + 1, c] - error[y, x, c]
                    row += right * abs(d)
                    sign = right * np.sign(d)
                    grad[y, x + 1, c] += sign
                    grad[y, x, c] -= sign
            if y + 1 < rows:
                for x in range(columns):
                    for c in range(3):
                        d = error[y + 1, x, c] - error[y, x, c]
                        row += down * abs(d)
                        sign = down * np.sign(d)
                        grad[y + 1, x, c] += sign
                        grad[y, x, c] -= sign
            total += row
        for y in range(rows << octave):
            for x in range(columns << octave):
                for c in range(3):
                    grad_color[y, x, c] += factor * known[y, x] * grad[y >> octave, x >> octave, c]
    return total


def _dissimilarity(color: Array, image: Array, known: Array, weight: np.float32, grad_color: Array) -> float:
    """`losses.dissimilarity` times `weight`; its gradient is added to grad_color."""
    height, width = known.shape
    rows = (height - WINDOW) // STRIDE + 1
    columns = (width - WINDOW) // STRIDE + 1
    centres = known[_HALF : _HALF + STRIDE * rows : STRIDE, _HALF : _HALF + STRIDE * columns : STRIDE]
    scale = np.float32(weight / max(float(centres.sum()) * 3, 1.0))
    spread, sums, counter = np.empty((rows, 3, 3 * width), np.float32), np.zeros(rows), np.zeros(1, np.int64)
    x, y, mask = color.reshape(height, -1), image.reshape(height, -1), known
    threads = workers.available()
    workers.run(lambda _: _windows(counter, x, y, mask, _taps(), scale, columns, spread, sums), threads)
    counter[0] = 0
    workers.run(lambda _: _spread(counter, x, y, mask, _taps(), spread, grad_color.reshape(height, -1)), threads)
    return float(sums.sum())


@cache
def _taps() -> Array:
    """(WINDOW,) weights of a window's rows, and of its columns."""
    weight = np.exp(-((np.arange(WINDOW) - _HALF) ** 2) / (2 * SIGMA**2))
    return np.asarray(weight / weight.sum(), np.float32)


@_kernel
def _windows(counter, drawn, truth, known, taps, scale, columns, spread, sums):
    """Rows of windows: their loss into sums (rows,), and spread (rows, 3, 3 W): the gradients by the means of x, x^2 and x y,
    spread over the columns. drawn, truth: (H, 3 W)."""
    wide = drawn.shape[1]
    moments, grads = np.empty((5, wide), np.float32), np.empty((3, columns * 3), np.float32)
    while True:
        r = claim(counter)
        if r >= spread.shape[0]:
            return
        moments[:] = np.float32(0.0)
        for t in range(WINDOW):
            y, weight = STRIDE * r + t, taps[t]
            for k in range(wide):
                b = truth[y, k]
                a = drawn[y, k] if known[y, k // 3] > 0 else b
                wa, wb = weight * a, weight * b
                moments[0, k] += wa
                moments[1, k] += wb
                moments[2, k] += wa * a
                moments[3, k] += wb * b
                moments[4, k] += wa * b
        total = np.float32(0.0)
        for column in range(columns):
            seen = scale * known[STRIDE * r + WINDOW // 2, STRIDE * column + WINDOW // 2]
            for c in range(3):
                at = 3 * STRIDE * column + c
                mx, my = np.float32(0.0), np.float32(0.0)
                xx, yy, xy = np.float32(0.0), np.float32(0.0), np.float32(0.0)
                for t in range(WINDOW):
                    k, weight = at + 3 * t, taps[t]
                    mx += weight * moments[0, k]
                    my += weight * moments[1, k]
                    xx += weight * moments[2, k]
                    yy += weight * moments[3, k]
                    xy += weight * moments[4, k]
                two = np.float32(2.0)
                a, b = two * mx * my + _C1, two * (xy - mx * my) + _C2
                d, e = mx * mx + my * my + _C1, xx - mx * mx + yy - my * my + _C2
                similar = a * b / (d * e)
                total += seen * (np.float32(1.0) - similar)
                g = 3 * column + c
                grads[0, g] = -seen * (two * my * (b - a) / (d * e) - similar * two * mx * (e - d) / (d * e))
                grads[1, g] = seen * similar / e
                grads[2, g] = -seen * two * a / (d * e)
        sums[r] = total
        for m in range(3):
            for k in range(wide):
                spread[r, m, k] = np.float32(0.0)
            for column in range(columns):
                for t in range(WINDOW):
                    k = 3 * (STRIDE * column + t)
                    for c in range(3):
                        spread[r, m, k + c] += taps[t] * grads[m, 3 * column + c]


@_kernel
def _spread(counter, drawn, truth, known, taps, spread, grad_color):
    """Add to each row of grad_color (H, 3 W) what the windows over it say."""
    height, wide = drawn.shape
    sums = np.empty((3, wide), np.float32)
    while True:
        y = claim(counter)
        if y >= height:
            return
        sums[:] = np.float32(0.0)
        for r in range(max(0, (y - WINDOW + STRIDE) // STRIDE), min(spread.shape[0] - 1, y // STRIDE) + 1):
            weight = taps[y - STRIDE * r]
            for m in range(3):
                for k in range(wide):
                    sums[m, k] += weight * spread[r, m, k]
        for k in range(wide):
            if known[y, k // 3] > 0:
                grad_color[y, k] += sums[0, k] + np.float32(2.0) * drawn[y, k] * sums[1, k] + truth[y, k] * sums[2, k]
