"""Splats back to Gaussians: the gradient of steps 2 and 3 of base.py, for a range of Gaussians at a time.

The letters are those of project.py: S = H H^T + DILATION I, the rows of H are h_x, h_y = (J W) R diag(s), the rows of J
W are a and b. The chain is written out by hand; compare Kerbl et al. 2023, appendix A, and tests/models/splat for the
check.
"""

# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of kernels)

from __future__ import annotations

import math

import numpy as np

from models.splat import base
from models.splat.binning import TILE_HEIGHT_BITS, tiles_across
from models.splat.blend_backward import MOMENTS
from models.splat.jit import claim, kernel
from models.splat.project import CHUNK, FX, FY, UNSEEN, X_HIGH, X_LOW, Y_HIGH, Y_LOW

_DILATION = base.DILATION


@kernel
def project_backward(counter, pair_grads, slots, keys, boxes, gaussians, camera, grads_out):
    """Write the gradients of means, rotations, scales, opacities and features into the five float32 arrays grads_out.

    pair_grads: blend_backward.py. slots: binning.pair_slots. keys, boxes: project.py. gaussians: means, rotations,
    scales and opacities. What was not drawn, or is hidden, gets zeros.
    """
    means, rotations, scales, opacities = gaussians
    grad_means, grad_rotations, grad_scales, grad_opacities, grad_features = grads_out
    n = means.shape[0]
    sums, grads, of_axes = np.empty(MOMENTS + 1, np.float64), np.empty(10, np.float64), np.empty((3, 3), np.float64)
    while True:
        start = claim(counter) * CHUNK
        if start >= n:
            return
        for i in range(start, min(start + CHUNK, n)):
            sums[:] = 0.0
            grads[:] = 0.0
            grad_features[i, :] = np.float32(0.0)
            grad_opacities[i] = np.float32(0.0)
            if keys[i] != UNSEEN:
                rows = ((boxes[i, 3] - 1) >> TILE_HEIGHT_BITS) - (boxes[i, 2] >> TILE_HEIGHT_BITS) + 1
                for slot in range(slots[i], slots[i] + rows * tiles_across(boxes, i)):
                    for k in range(MOMENTS + 1):
                        sums[k] += pair_grads[slot, k]
                    for k in range(grad_features.shape[1]):
                        grad_features[i, k] += pair_grads[slot, MOMENTS + 1 + k]
                is_told = False
                for k in range(MOMENTS + 1):
                    is_told |= sums[k] != 0.0
                if is_told:
                    grad_opacities[i] = sums[0] / np.float64(opacities[i])
                    _one_backward(i, sums, means, rotations, scales, camera, of_axes, grads)
            for k in range(3):
                grad_means[i, k], grad_scales[i, k] = grads[k], grads[7 + k]
            for k in range(4):
                grad_rotations[i, k] = grads[3 + k]


@kernel
def _one_backward(i, sums, means, rotations, scales, m, d_axes, grads):
    """From sums (MOMENTS + 1,), the splat's six and that of z, fill grads (10,): mean 3, quaternion 4, scales 3.

    d_axes: (3, 3), to work in."""
    mx, my, mz = np.float64(means[i, 0]), np.float64(means[i, 1]), np.float64(means[i, 2])
    x = m[0] * mx + m[1] * my + m[2] * mz + m[9]
    y = m[3] * mx + m[4] * my + m[5] * mz + m[10]
    z = m[6] * mx + m[7] * my + m[8] * mz + m[11]
    w, p, q, r = _unit(rotations, i)
    # The columns of R, a row each.
    axes = (
        (1.0 - 2.0 * (q * q + r * r), 2.0 * (p * q + w * r), 2.0 * (p * r - w * q)),
        (2.0 * (p * q - w * r), 1.0 - 2.0 * (p * p + r * r), 2.0 * (q * r + w * p)),
        (2.0 * (p * r + w * q), 2.0 * (q * r - w * p), 1.0 - 2.0 * (p * p + q * q)),
    )
    slope_x, slope_y = min(max(x / z, m[X_LOW]), m[X_HIGH]), min(max(y / z, m[Y_LOW]), m[Y_HIGH])
    j_x, j_y = m[FX] / z, m[FY] / z
    k_x, k_y = -j_x * slope_x, -j_y * slope_y
    a = (j_x * m[0] + k_x * m[6], j_x * m[1] + k_x * m[7], j_x * m[2] + k_x * m[8])
    b = (j_y * m[3] + k_y * m[6], j_y * m[4] + k_y * m[7], j_y * m[5] + k_y * m[8])

    s_xx, s_xy, s_yy = _DILATION, 0.0, _DILATION
    for k in range(3):
        h_x, h_y = np.float64(scales[i, k]) * _dot(a, axes[k]), np.float64(scales[i, k]) * _dot(b, axes[k])
        s_xx, s_xy, s_yy = s_xx + h_x * h_x, s_xy + h_x * h_y, s_yy + h_y * h_y
    determinant = s_xx * s_yy - s_xy * s_xy
    c_xx, c_xy, c_yy = s_yy / determinant, -s_xy / determinant, s_xx / determinant  # the conic, S^-1

    # e is d loss / d ln(alpha), and ln(alpha) = ... - (c_xx dx^2 + 2 c_xy dx dy + c_yy dy^2) / 2 with dx = pixel - u.
    d_u, d_v = c_xx * sums[1] + c_xy * sums[3], c_xy * sums[1] + c_yy * sums[3]
    g_xx, g_xy, g_yy = 0.5 * sums[2], 0.5 * sums[4], 0.5 * sums[5]
    # d loss / d S = -S^-1 (d loss / d S^-1) S^-1; the minus is in g.
    t_xx, t_xy = c_xx * g_xx + c_xy * g_xy, c_xx * g_xy + c_xy * g_yy
    t_yx, t_yy = c_xy * g_xx + c_yy * g_xy, c_xy * g_xy + c_yy * g_yy
    d_xx, d_xy, d_yy = t_xx * c_xx + t_xy * c_xy, t_xx * c_xy + t_xy * c_yy, t_yx * c_xy + t_yy * c_yy

    d_a0, d_a1, d_a2, d_b0, d_b1, d_b2 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(3):
        s, axis = np.float64(scales[i, k]), axes[k]
        ar, br = _dot(a, axis), _dot(b, axis)
        d_h_x, d_h_y = 2.0 * s * (d_xx * ar + d_xy * br), 2.0 * s * (d_xy * ar + d_yy * br)
        grads[7 + k] = d_h_x * ar + d_h_y * br
        for c in range(3):
            d_axes[k, c] = s * (d_h_x * a[c] + d_h_y * b[c])
        d_a0, d_a1, d_a2 = d_a0 + s * d_h_x * axis[0], d_a1 + s * d_h_x * axis[1], d_a2 + s * d_h_x * axis[2]
        d_b0, d_b1, d_b2 = d_b0 + s * d_h_y * axis[0], d_b1 + s * d_h_y * axis[1], d_b2 + s * d_h_y * axis[2]

    d_j_x, d_k_x = d_a0 * m[0] + d_a1 * m[1] + d_a2 * m[2], d_a0 * m[6] + d_a1 * m[7] + d_a2 * m[8]
    d_j_y, d_k_y = d_b0 * m[3] + d_b1 * m[4] + d_b2 * m[5], d_b0 * m[6] + d_b1 * m[7] + d_b2 * m[8]
    d_x, d_y = j_x * d_u, j_y * d_v
    d_z = sums[MOMENTS] - (d_u * j_x * x + d_v * j_y * y + d_j_x * j_x + d_j_y * j_y + d_k_x * k_x + d_k_y * k_y) / z
    if m[X_LOW] <= x / z <= m[X_HIGH]:
        d_x -= d_k_x * j_x / z
        d_z += d_k_x * j_x * x / (z * z)
    if m[Y_LOW] <= y / z <= m[Y_HIGH]:
        d_y -= d_k_y * j_y / z
        d_z += d_k_y * j_y * y / (z * z)
    for k in range(3):
        grads[k] = m[k] * d_x + m[3 + k] * d_y + m[6 + k] * d_z
    _rotation_backward(i, rotations, d_axes, grads)


@kernel
def _rotation_backward(i, rotations, d, grads):
    """From d (3, 3), d[k, c] the gradient of R[c, k], to that of the quaternion before normalisation: grads[3:7]."""
    w, p, q, r = _unit(rotations, i)
    d_w = 2.0 * (r * (d[0, 1] - d[1, 0]) + q * (d[2, 0] - d[0, 2]) + p * (d[1, 2] - d[2, 1]))
    d_p = 2.0 * (q * (d[1, 0] + d[0, 1]) + r * (d[2, 0] + d[0, 2]) + w * (d[1, 2] - d[2, 1]) - 2.0 * p * (d[1, 1] + d[2, 2]))
    d_q = 2.0 * (p * (d[1, 0] + d[0, 1]) + r * (d[2, 1] + d[1, 2]) + w * (d[2, 0] - d[0, 2]) - 2.0 * q * (d[0, 0] + d[2, 2]))
    d_r = 2.0 * (p * (d[2, 0] + d[0, 2]) + q * (d[2, 1] + d[1, 2]) + w * (d[0, 1] - d[1, 0]) - 2.0 * r * (d[0, 0] + d[1, 1]))
    along = w * d_w + p * d_p + q * d_q + r * d_r
    length = _length(rotations, i)
    grads[3], grads[4] = (d_w - w * along) / length, (d_p - p * along) / length
    grads[5], grads[6] = (d_q - q * along) / length, (d_r - r * along) / length


@kernel
def _length(rotations, i):
    total = 0.0
    for k in range(4):
        total += np.float64(rotations[i, k]) * np.float64(rotations[i, k])
    return math.sqrt(total)


@kernel
def _unit(rotations, i):
    length = _length(rotations, i)
    return rotations[i, 0] / length, rotations[i, 1] / length, rotations[i, 2] / length, rotations[i, 3] / length


@kernel
def _dot(first, second):
    return first[0] * second[0] + first[1] * second[1] + first[2] * second[2]
