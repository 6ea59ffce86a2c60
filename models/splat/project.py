"""Gaussians to splats: steps 1 to 3 of base.py, and the room that each takes on the picture.

A splat is a row of 12 float32: centre u, v (pixels); the form of the exponent in base 2, A, SHEAR, C and L, so that
log2(alpha) = L - A (dx + SHEAR dy)^2 - C dy^2 before the clamp; red, green, blue; z (metres); two spare. Written as a
sum of squares, nothing cancels, and float32 is enough for long thin splats too.
"""

# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of kernels)

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.splat import base
from models.splat.jit import claim, kernel
from models.types import Camera

U, V, A, SHEAR, C, L, RED, GREEN, BLUE, Z = range(10)
SPLAT = 12  # floats in a splat
CHUNK = 512  # Gaussians claimed at a time
UNSEEN = np.uint32(0xFFFFFFFF)  # the sort key of a Gaussian that is not drawn

_NEAR, _DILATION, _ALPHA_MIN = base.NEAR, base.DILATION, base.ALPHA_MIN
_LOG_ALPHA_MIN = math.log(base.ALPHA_MIN)
_LOG2_E = math.log2(math.e)
_FAR_AWAY = 1.0e6  # pixels; keeps the conversion to integers in range
_SLACK = 1.0e-3  # pixels added to a splat's reach, for rounding

# Places in the camera's vector; 0-8 is the rotation (row by row) and 9-11 the translation of world_to_camera.
FX, FY, CX, CY, X_LOW, X_HIGH, Y_LOW, Y_HIGH, WIDTH, HEIGHT = range(12, 22)


def camera_vector(camera: Camera) -> NDArray[np.float64]:
    """The camera as the kernels read it, (22,) float64: world_to_camera, intrinsics, limits of x/z and y/z, size."""
    margin_x = base.FOV_MARGIN * 0.5 * camera.width / camera.fx
    margin_y = base.FOV_MARGIN * 0.5 * camera.height / camera.fy
    return np.array(
        [
            *camera.world_to_camera[:3, :3].ravel(),
            *camera.world_to_camera[:3, 3],
            *(camera.fx, camera.fy, camera.cx, camera.cy),
            -camera.cx / camera.fx - margin_x,
            (camera.width - camera.cx) / camera.fx + margin_x,
            -camera.cy / camera.fy - margin_y,
            (camera.height - camera.cy) / camera.fy + margin_y,
            *(camera.width, camera.height),
        ],
        np.float64,
    )


@kernel
def project(counter, gaussians, camera, splats, boxes, keys):
    """Write splats (N, 12), boxes (N, 4) int32 and keys (N,) uint32 for all Gaussians, a chunk at a time.

    A box is columns [x0, x1) and rows [y0, y1) of the pixels that the splat may touch, within the picture. A key is z's
    bits, which sort as z does because z > 0, or UNSEEN. gaussians: means, rotations, scales, opacities and colors of
    types.Gaussians.
    """
    n = gaussians[0].shape[0]
    while True:
        start = claim(counter) * CHUNK
        if start >= n:
            return
        for i in range(start, min(start + CHUNK, n)):
            _project_one(i, gaussians, camera, splats, boxes, keys)


@kernel
def _project_one(i, gaussians, m, splats, boxes, keys):
    means, rotations, scales, opacities, colors = gaussians
    keys[i] = UNSEEN
    mx, my, mz = np.float64(means[i, 0]), np.float64(means[i, 1]), np.float64(means[i, 2])
    x = m[0] * mx + m[1] * my + m[2] * mz + m[9]
    y = m[3] * mx + m[4] * my + m[5] * mz + m[10]
    z = m[6] * mx + m[7] * my + m[8] * mz + m[11]
    opacity = np.float64(opacities[i])
    if not (z > _NEAR and opacity >= _ALPHA_MIN and math.isfinite(x + y + z + opacity)):
        return
    if not math.isfinite(colors[i, 0] + colors[i, 1] + colors[i, 2]):
        return

    s_xx, s_xy, s_yy = _covariance(i, rotations, scales, m, x, y, z)
    determinant = s_xx * s_yy - s_xy * s_xy
    if not (determinant > 0.0 and math.isfinite(determinant)):
        return

    u, v = m[FX] * x / z + m[CX], m[FY] * y / z + m[CY]
    log_opacity = math.log(opacity)
    reach = max(2.0 * (log_opacity - _LOG_ALPHA_MIN), 0.0)  # squared, in standard deviations
    reach_x, reach_y = math.sqrt(reach * s_xx) + _SLACK, math.sqrt(reach * s_yy) + _SLACK
    x0, x1 = _pixels(u, reach_x, m[WIDTH])
    y0, y1 = _pixels(v, reach_y, m[HEIGHT])
    if x0 >= x1 or y0 >= y1:
        return

    boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3] = x0, x1, y0, y1
    splats[i, U], splats[i, V] = u, v
    splats[i, A] = 0.5 * _LOG2_E * s_yy / determinant
    splats[i, SHEAR] = -s_xy / s_yy
    splats[i, C] = 0.5 * _LOG2_E / s_yy
    splats[i, L] = _LOG2_E * log_opacity
    splats[i, RED], splats[i, GREEN], splats[i, BLUE] = colors[i, 0], colors[i, 1], colors[i, 2]
    splats[i, Z] = z
    keys[i] = np.float32(z).view(np.uint32)


@kernel
def _pixels(center, reach, size):
    """First and one past the last pixel whose centre is within `reach` of `center`, of those in [0, size)."""
    first = math.ceil(min(max(center - reach - 0.5, 0.0), _FAR_AWAY))
    last = math.floor(min(max(center + reach - 0.5, -1.0), size - 1.0))
    return np.int32(first), np.int32(last + 1)


@kernel
def _covariance(i, rotations, scales, m, x, y, z):
    """The dilated covariance (xx, xy, yy) on the picture, pixels^2; NaN where quaternion or scale are of no use."""
    qw, qx, qy, qz = (
        np.float64(rotations[i, 0]),
        np.float64(rotations[i, 1]),
        np.float64(rotations[i, 2]),
        np.float64(rotations[i, 3]),
    )
    two = 2.0 / (qw * qw + qx * qx + qy * qy + qz * qz)  # normalises; infinite, and then NaN, for a quaternion of zeros
    j_x, j_y = m[FX] / z, m[FY] / z
    k_x = -j_x * min(max(x / z, m[X_LOW]), m[X_HIGH])
    k_y = -j_y * min(max(y / z, m[Y_LOW]), m[Y_HIGH])
    # The rows of J W.
    a0, a1, a2 = j_x * m[0] + k_x * m[6], j_x * m[1] + k_x * m[7], j_x * m[2] + k_x * m[8]
    b0, b1, b2 = j_y * m[3] + k_y * m[6], j_y * m[4] + k_y * m[7], j_y * m[5] + k_y * m[8]
    s_xx, s_xy, s_yy = _DILATION, 0.0, _DILATION
    for axis in range(3):
        if axis == 0:
            r0, r1, r2 = 1.0 - two * (qy * qy + qz * qz), two * (qx * qy + qw * qz), two * (qx * qz - qw * qy)
        elif axis == 1:
            r0, r1, r2 = two * (qx * qy - qw * qz), 1.0 - two * (qx * qx + qz * qz), two * (qy * qz + qw * qx)
        else:
            r0, r1, r2 = two * (qx * qz + qw * qy), two * (qy * qz - qw * qx), 1.0 - two * (qx * qx + qy * qy)
        s = np.float64(scales[i, axis])
        h_x, h_y = s * (a0 * r0 + a1 * r1 + a2 * r2), s * (b0 * r0 + b1 * r1 + b2 * r2)
        s_xx += h_x * h_x
        s_xy += h_x * h_y
        s_yy += h_y * h_y
    return s_xx, s_xy, s_yy
