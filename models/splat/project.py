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
_LOG2_ALPHA_MIN = math.log2(base.ALPHA_MIN)
_LOG2_E = math.log2(math.e)
_REACH = 2.0 / _LOG2_E
_FAR_AWAY = 1.0e6  # pixels; keeps the conversion to integers in range
_SLACK = 1.0e-3  # pixels added to a splat's reach, for rounding

STRIP = 128  # Gaussians that are worked on at a time, laid out column by column in the first-level cache
_COLUMNS = 25
_NEXT, _2NEXT, _3NEXT, _4NEXT, _5NEXT = (np.uint64(k * STRIP) for k in range(1, 6))
_MEAN, _ROTATION, _SCALE, _COLOR, _OPACITY, _SPLAT, _BOX, _Z = (
    np.uint64(column * STRIP) for column in (0, 3, 7, 10, 13, 14, 20, 24)
)
_K0, _K1, _K2, _K3 = (np.uint64(k) for k in range(4))
_THREE, _FOUR, _SIX = np.uint64(3), np.uint64(4), np.uint64(6)
_0 = np.float32(0.0)
_ROOT_HALF, _MANTISSA, _MANTISSA_BITS = np.int32(0x3F3504F3), np.int32(0x007FFFFF), np.int32(23)

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
    strip = np.empty(_COLUMNS * STRIP, np.float32)
    while True:
        start = claim(counter) * CHUNK
        if start >= n:
            return
        for first in range(start, min(start + CHUNK, n), STRIP):
            count = min(STRIP, n - first)
            _take(gaussians, first, count, strip)
            _project_strip(strip, count, camera)
            _give(strip, first, count, splats, boxes, keys)


@kernel
def _take(gaussians, first, count, strip):
    """Lay `count` Gaussians out column by column."""
    means, rotations, scales, opacities, colors = gaussians
    at = np.uint64(first)
    for j in range(np.uint64(count)):
        strip[_MEAN + j] = means[at + j, _K0]
        strip[_MEAN + _NEXT + j] = means[at + j, _K1]
        strip[_MEAN + _2NEXT + j] = means[at + j, _K2]
    for j in range(np.uint64(count)):
        strip[_ROTATION + j] = rotations[at + j, _K0]
        strip[_ROTATION + _NEXT + j] = rotations[at + j, _K1]
        strip[_ROTATION + _2NEXT + j] = rotations[at + j, _K2]
        strip[_ROTATION + _3NEXT + j] = rotations[at + j, _K3]
    for j in range(np.uint64(count)):
        strip[_SCALE + j] = scales[at + j, _K0]
        strip[_SCALE + _NEXT + j] = scales[at + j, _K1]
        strip[_SCALE + _2NEXT + j] = scales[at + j, _K2]
    for j in range(np.uint64(count)):
        strip[_COLOR + j] = colors[at + j, _K0]
        strip[_COLOR + _NEXT + j] = colors[at + j, _K1]
        strip[_COLOR + _2NEXT + j] = colors[at + j, _K2]
    for j in range(np.uint64(count)):
        strip[_OPACITY + j] = opacities[at + j]


@kernel
def _give(strip, first, count, splats, boxes, keys):
    for j in range(np.uint64(count)):
        i, z = np.uint64(first) + j, strip[_Z + j]
        keys[i] = np.float32(z).view(np.uint32) if z > _0 else UNSEEN
    for j in range(np.uint64(count)):
        if strip[_Z + j] > _0:
            i = np.uint64(first) + j
            for k in range(_FOUR):
                boxes[i, k] = np.int32(strip[_BOX + k * _NEXT + j])
            for k in range(_SIX):
                splats[i, k] = strip[_SPLAT + k * _NEXT + j]
            for k in range(_THREE):
                splats[i, _SIX + k] = strip[_COLOR + k * _NEXT + j]
            splats[i, np.uint64(Z)] = strip[_Z + j]


@kernel
def _project_strip(strip, count, m):
    """Fill the columns from _SPLAT on; z is 0 where the Gaussian is not drawn.

    One long loop without branches, so that LLVM makes vector code of it; float64, because a determinant cancels.
    """
    m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11 = m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8], m[9], m[10], m[11]
    fx, fy, cx, cy, x_low, x_high, y_low, y_high = m[FX], m[FY], m[CX], m[CY], m[X_LOW], m[X_HIGH], m[Y_LOW], m[Y_HIGH]
    width, height = m[WIDTH], m[HEIGHT]
    for j in range(np.uint64(count)):
        mx, my, mz = np.float64(strip[_MEAN + j]), np.float64(strip[_MEAN + _NEXT + j]), np.float64(strip[_MEAN + _2NEXT + j])
        x, y = m0 * mx + m1 * my + m2 * mz + m9, m3 * mx + m4 * my + m5 * mz + m10
        z = m6 * mx + m7 * my + m8 * mz + m11

        # The dilated covariance on the picture, pixels^2; NaN where quaternion or scale are of no use.
        qw, qx = np.float64(strip[_ROTATION + j]), np.float64(strip[_ROTATION + _NEXT + j])
        qy, qz = np.float64(strip[_ROTATION + _2NEXT + j]), np.float64(strip[_ROTATION + _3NEXT + j])
        two = 2.0 / (qw * qw + qx * qx + qy * qy + qz * qz)  # normalises; infinite, and then NaN, for a quaternion of zeros
        per_z = 1.0 / z
        slope_x, slope_y = x * per_z, y * per_z
        j_x, j_y = fx * per_z, fy * per_z
        k_x, k_y = -j_x * min(max(slope_x, x_low), x_high), -j_y * min(max(slope_y, y_low), y_high)
        # The rows of J W.
        a0, a1, a2 = j_x * m0 + k_x * m6, j_x * m1 + k_x * m7, j_x * m2 + k_x * m8
        b0, b1, b2 = j_y * m3 + k_y * m6, j_y * m4 + k_y * m7, j_y * m5 + k_y * m8
        s0, s1, s2 = np.float64(strip[_SCALE + j]), np.float64(strip[_SCALE + _NEXT + j]), np.float64(strip[_SCALE + _2NEXT + j])
        r0, r1, r2 = 1.0 - two * (qy * qy + qz * qz), two * (qx * qy + qw * qz), two * (qx * qz - qw * qy)
        g0, h0 = s0 * (a0 * r0 + a1 * r1 + a2 * r2), s0 * (b0 * r0 + b1 * r1 + b2 * r2)
        r0, r1, r2 = two * (qx * qy - qw * qz), 1.0 - two * (qx * qx + qz * qz), two * (qy * qz + qw * qx)
        g1, h1 = s1 * (a0 * r0 + a1 * r1 + a2 * r2), s1 * (b0 * r0 + b1 * r1 + b2 * r2)
        r0, r1, r2 = two * (qx * qz + qw * qy), two * (qy * qz - qw * qx), 1.0 - two * (qx * qx + qy * qy)
        g2, h2 = s2 * (a0 * r0 + a1 * r1 + a2 * r2), s2 * (b0 * r0 + b1 * r1 + b2 * r2)
        s_xx, s_yy = _DILATION + g0 * g0 + g1 * g1 + g2 * g2, _DILATION + h0 * h0 + h1 * h1 + h2 * h2
        s_xy = g0 * h0 + g1 * h1 + g2 * h2
        determinant = s_xx * s_yy - s_xy * s_xy

        u, v = fx * slope_x + cx, fy * slope_y + cy
        opacity = strip[_OPACITY + j]
        level = _log2(opacity)
        reach = max(_REACH * (level - _LOG2_ALPHA_MIN), 0.0)  # squared, in standard deviations
        reach_x, reach_y = math.sqrt(reach * s_xx) + _SLACK, math.sqrt(reach * s_yy) + _SLACK
        # The first and one past the last pixel whose centre is within reach.
        x0, y0 = np.ceil(min(max(u - reach_x - 0.5, 0.0), _FAR_AWAY)), np.ceil(min(max(v - reach_y - 0.5, 0.0), _FAR_AWAY))
        x1 = np.floor(min(max(u + reach_x - 0.5, -1.0), width - 1.0)) + 1.0
        y1 = np.floor(min(max(v + reach_y - 0.5, -1.0), height - 1.0)) + 1.0
        numbers = x + y + np.float64(opacity + strip[_COLOR + j] + strip[_COLOR + _NEXT + j] + strip[_COLOR + _2NEXT + j])
        is_good = (z > _NEAR) & (z < np.inf) & (opacity >= _ALPHA_MIN) & (numbers - numbers == 0.0)
        is_good &= (determinant > 0.0) & (determinant < np.inf) & (x0 < x1) & (y0 < y1)

        strip[_SPLAT + j], strip[_SPLAT + _NEXT + j] = u, v
        strip[_SPLAT + _2NEXT + j] = 0.5 * _LOG2_E * s_yy / determinant
        strip[_SPLAT + _3NEXT + j] = -s_xy / s_yy
        strip[_SPLAT + _4NEXT + j] = 0.5 * _LOG2_E / s_yy
        strip[_SPLAT + _5NEXT + j] = level
        strip[_BOX + j], strip[_BOX + _NEXT + j] = x0, x1
        strip[_BOX + _2NEXT + j], strip[_BOX + _3NEXT + j] = y0, y1
        strip[_Z + j] = np.float32(z) if is_good else _0


@kernel
def _log2(x):
    """log2(x) of a normal float32, float64, good to 1e-9; what comes for other numbers means nothing."""
    bits = np.int32(np.float32(x).view(np.int32) - _ROOT_HALF)
    exponent = bits >> _MANTISSA_BITS
    mantissa = np.float64(np.int32((bits & _MANTISSA) + _ROOT_HALF).view(np.float32))  # from sqrt(1/2) to sqrt(2)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    s2 = s * s
    series = 1.0 + s2 * (1.0 / 3.0 + s2 * (1.0 / 5.0 + s2 * (1.0 / 7.0 + s2 * (1.0 / 9.0))))
    return np.float64(exponent) + 2.0 * _LOG2_E * s * series
