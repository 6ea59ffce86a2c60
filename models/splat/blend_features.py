"""Splats to pixels for depth and any number of features, keeping what the backward pass needs. Compare blend.py.

The planes of a worker's buffer are: T; the place, in the tile's list, of the last splat that was drawn; the weights of
the splat at hand; the sum of z; and one a feature.
"""

# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of kernels)

from __future__ import annotations

import numpy as np

from models.splat.binning import TILE_HEIGHT, TILE_HEIGHT_BITS, TILE_WIDTH, TILE_WIDTH_BITS
from models.splat.jit import claim, exp2, f32, kernel
from models.splat.lanes import LANES, add_scaled
from models.splat.project import SHEAR, A, C, L, U, V, Z
from models.splat.rows import ALPHA_MAX, BELOW, LOG2_ALPHA_MIN, PLANE, ROW, T_MIN, look_for_finished_rows, reaches

_CHECK_EVERY = 32  # splats between two looks for finished rows
_U_LANES, _U_PLANE = np.uint64(LANES), np.uint64(PLANE)
_LAST, _WEIGHT, _Z_SUM, _FEATURES = (np.uint64(k * PLANE) for k in range(1, 5))
_0, _HALF, _1 = f32(0.0), f32(0.5), f32(1.0)


def buffer_size(features: int) -> int:
    """Floats that `blend_features` needs a worker."""
    return (4 + features) * PLANE


@kernel
def blend_features(counter, bins, features, background, buffer, out, z_sum, final_t, last):
    """Draw every tile that `claim` hands out.

    As blend.blend_rgb, but features (N, F) and background (F,) float32 take the place of the colours. Out, all float32:
    out (H, W, F); z_sum (H, W), the weighted sum of z, metres; final_t (H, W), the transmittance; last (H, W), the
    place in the tile's list of the last splat that was drawn on the pixel (a whole number; -1: none).
    """
    columns, offsets, pairs = bins.columns, bins.offsets, bins.pairs
    tiles = offsets.shape[0] - 1
    alive = np.empty(TILE_HEIGHT, np.bool_)
    while True:
        tile = claim(counter)
        if tile >= tiles:
            return
        left, top = (tile % columns) << TILE_WIDTH_BITS, (tile // columns) << TILE_HEIGHT_BITS
        buffer[:PLANE] = _1
        buffer[PLANE : 2 * PLANE] = -_1
        buffer[3 * PLANE :] = _0
        alive[:] = True
        for place in range(offsets[tile + 1] - offsets[tile]):
            if place % _CHECK_EVERY == _CHECK_EVERY - 1 and not look_for_finished_rows(buffer, alive):
                break
            i = pairs[offsets[tile] + place]
            _draw(i, f32(place), left, top, bins.splats, bins.boxes, features, buffer, alive)
        _write(buffer, left, top, background, out, z_sum, final_t, last)


@kernel
def _write(buffer, left, top, background, out, z_sum, final_t, last):
    channels = np.uint64(out.shape[2])
    for row in range(min(TILE_HEIGHT, out.shape[0] - top)):
        start, y = np.uint64(row) * np.uint64(ROW), np.uint64(top + row)
        for k in range(np.uint64(min(TILE_WIDTH, out.shape[1] - left))):
            t, x = abs(buffer[start + k]), np.uint64(left) + k
            final_t[y, x] = t
            last[y, x] = buffer[start + _LAST + k]
            z_sum[y, x] = buffer[start + _Z_SUM + k]
            for channel in range(channels):
                drawn = buffer[start + _FEATURES + channel * _U_PLANE + k]
                out[y, x, channel] = drawn + t * background[channel]


@kernel
def _draw(i, place, left, top, splats, boxes, features, buffer, alive):
    a, shear, c, log_opacity = splats[i, A], splats[i, SHEAR], splats[i, C], splats[i, L]
    u, v = splats[i, U] - f32(left) - _HALF, splats[i, V] - f32(top) - _HALF
    x0, x1 = max(boxes[i, 0] - left, 0), min(boxes[i, 1] - left, TILE_WIDTH)
    y0, y1 = max(boxes[i, 2] - top, 0), min(boxes[i, 3] - top, TILE_HEIGHT)
    wide = x1 - x0 > LANES
    channels = np.uint64(features.shape[1])
    for column in range(x0, x1, LANES):
        start_x = f32(column) - u
        for row in range(y0, y1):
            dy = f32(row) - v
            level, sheared = log_opacity - c * dy * dy, start_x + shear * dy
            if not alive[row] or (wide and not reaches(a, level, sheared)):
                continue
            at = np.uint64(row * ROW + column)
            for k in range(_U_LANES):
                dx = sheared + f32(k)
                log_alpha = level - a * dx * dx
                opaque = min(exp2(max(log_alpha, BELOW)), ALPHA_MAX)
                t = buffer[at + k]
                after = t - opaque * t
                touched, open_ = log_alpha >= LOG2_ALPHA_MIN, after > T_MIN
                buffer[at + k] = (after if open_ else -abs(t)) if touched else t
                buffer[at + _LAST + k] = place if touched and open_ else buffer[at + _LAST + k]
                buffer[at + _WEIGHT + k] = opaque * t if touched and open_ else _0
            add_scaled(buffer, at + _Z_SUM, at + _WEIGHT, splats[i, Z])
            for channel in range(channels):
                add_scaled(buffer, at + _FEATURES + channel * _U_PLANE, at + _WEIGHT, features[np.uint64(i), channel])
