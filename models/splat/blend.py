"""Splats to pixels, tile by tile: steps 4 and 5 of base.py.

A worker keeps the tile that it is at in a small buffer that stays in the first-level cache: one plane of T, and one
plane a channel, each TILE_HEIGHT rows of ROW floats. A splat is drawn 16 pixels of a row at a time; that inner loop has
a constant length and no branches, so LLVM makes vector code of it (one AVX-512 register, two of AVX2, four of NEON).

A pixel that is finished keeps its T with the sign turned. Then T * (1 - alpha) is under T_MIN for whatever comes later,
and no second flag is needed.
"""

# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of kernels)

from __future__ import annotations

import numpy as np

from models.splat import base
from models.splat.binning import TILE_HEIGHT, TILE_HEIGHT_BITS, TILE_WIDTH, TILE_WIDTH_BITS
from models.splat.jit import claim, exp2, f32, kernel
from models.splat.lanes import LANES
from models.splat.project import BLUE, GREEN, RED, SHEAR, A, C, L, U, V

ROW = TILE_WIDTH + LANES  # the last group of lanes may reach over the tile's right edge
PLANE = ROW * TILE_HEIGHT
RGB_BUFFER = 4 * PLANE  # floats that `blend_rgb` needs a worker

LOG2_ALPHA_MIN = f32(np.log2(base.ALPHA_MIN))
BELOW = f32(np.log2(base.ALPHA_MIN) - 1.0)  # anything under the threshold, and safe for exp2
ALPHA_MAX, T_MIN = f32(base.ALPHA_MAX), f32(base.T_MIN)
_SLACK = f32(0.05)  # of log2(alpha), for rounding
_CHECK_EVERY = 32  # splats between two looks for finished rows
_U_LANES, _U_ROW = np.uint64(LANES), np.uint64(ROW)
_P1, _P2, _P3 = np.uint64(PLANE), np.uint64(2 * PLANE), np.uint64(3 * PLANE)
_0, _HALF, _1 = f32(0.0), f32(0.5), f32(1.0)
_LAST_LANE = f32(LANES - 1)


@kernel
def blend_rgb(counter, bins, background, buffer, bytes_out, color, alpha):
    """Draw every tile that `claim` hands out, colour only.

    bins: binning.Bins. background: (3,) float32. buffer: (RGB_BUFFER,) float32, this worker's own. Out: either
    bytes_out (H, W, 3) uint8, or, where that has no rows, color (H, W, 3) float32 and alpha (H, W) float32.
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
        buffer[PLANE:] = _0
        alive[:] = True
        for n in range(offsets[tile], offsets[tile + 1]):
            if (n - offsets[tile]) % _CHECK_EVERY == _CHECK_EVERY - 1 and not look_for_finished_rows(buffer, alive):
                break
            _draw_rgb(pairs[n], left, top, bins.splats, bins.boxes, buffer, alive)
        if bytes_out.shape[0] > 0:
            _write_bytes(buffer, left, top, background, bytes_out)
        else:
            _write_floats(buffer, left, top, background, color, alpha)


@kernel
def look_for_finished_rows(buffer, alive):
    """Clear alive[row] where all pixels of the row are finished; return whether any row is not."""
    any_alive = False
    for row in range(TILE_HEIGHT):
        if alive[row]:
            start = np.uint64(row) * _U_ROW
            highest = _0
            for k in range(np.uint64(TILE_WIDTH)):
                highest = max(highest, buffer[start + k])
            alive[row] = highest > _0
            any_alive |= alive[row]
    return any_alive


@kernel
def _draw_rgb(i, left, top, splats, boxes, buffer, alive):
    a, shear, c, log_opacity = splats[i, A], splats[i, SHEAR], splats[i, C], splats[i, L]
    red, green, blue = splats[i, RED], splats[i, GREEN], splats[i, BLUE]
    # Pixel (0, 0) of the tile is at dx = -u, dy = -v.
    u, v = splats[i, U] - f32(left) - _HALF, splats[i, V] - f32(top) - _HALF
    x0, x1 = max(boxes[i, 0] - left, 0), min(boxes[i, 1] - left, TILE_WIDTH)
    y0, y1 = max(boxes[i, 2] - top, 0), min(boxes[i, 3] - top, TILE_HEIGHT)
    wide = x1 - x0 > LANES
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
                weight = opaque * t if touched and open_ else _0
                buffer[at + k] = (after if open_ else -abs(t)) if touched else t
                buffer[at + _P1 + k] += weight * red
                buffer[at + _P2 + k] += weight * green
                buffer[at + _P3 + k] += weight * blue


@kernel
def reaches(a, level, start):
    """Whether level - a x^2 comes over the threshold anywhere in the LANES pixels from x = start on."""
    nearest = min(max(_0, start), start + _LAST_LANE)
    return level - a * nearest * nearest >= LOG2_ALPHA_MIN - _SLACK


@kernel
def _write_bytes(buffer, left, top, background, out):
    red, green, blue = background[0], background[1], background[2]
    for row in range(min(TILE_HEIGHT, out.shape[0] - top)):
        start, y = np.uint64(row) * _U_ROW, np.uint64(top + row)
        for k in range(np.uint64(min(TILE_WIDTH, out.shape[1] - left))):
            t, x = abs(buffer[start + k]), np.uint64(left) + k
            out[y, x, np.uint64(0)] = _byte(buffer[start + _P1 + k] + t * red)
            out[y, x, np.uint64(1)] = _byte(buffer[start + _P2 + k] + t * green)
            out[y, x, np.uint64(2)] = _byte(buffer[start + _P3 + k] + t * blue)


@kernel
def _byte(value):
    return np.uint8(np.int32(min(max(value, _0), _1) * f32(255.0) + _HALF))


@kernel
def _write_floats(buffer, left, top, background, color, alpha):
    for row in range(min(TILE_HEIGHT, color.shape[0] - top)):
        start, y = np.uint64(row) * _U_ROW, np.uint64(top + row)
        for k in range(np.uint64(min(TILE_WIDTH, color.shape[1] - left))):
            t, x = abs(buffer[start + k]), np.uint64(left) + k
            alpha[y, x] = _1 - t
            for channel in range(np.uint64(3)):
                drawn = buffer[start + (channel + np.uint64(1)) * _P1 + k]
                color[y, x, channel] = drawn + t * background[channel]
