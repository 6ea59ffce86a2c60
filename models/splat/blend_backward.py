"""Pixels back to splats: the gradient of blend_features.py, tile by tile, farthest splat first.

With g the gradient at a pixel, z counted among the features, a splat's share of it is d = g . features, and (Kerbl et
al. 2023, section 6 and appendix A)

    d loss / d alpha = T d - behind / (1 - alpha),
    behind = (sum of w d over the splats further back) + T_final (g . background - g_alpha).

T before the splat is recovered from T after it by dividing by 1 - alpha. What is summed over a splat's pixels is
e = d loss / d ln(alpha), times 1, dx, dx^2, dy, dx dy, dy^2: the exponent is quadratic in (dx, dy), so that is all the
projection needs. A row of pair gradients is these six sums, the gradient of z, and that of the features. Depth is the
sum of w z over alpha, so its gradient is taken apart into those two before anything else.

The planes of a worker's buffer: T; the place of the pixel's last splat; the splat's weights; the ratio
alpha / (1 - alpha); 1 where alpha is not clamped; d; behind; then g, for z and for each feature. After the planes come
rows of LANES partial sums: of e, e dy, e dy^2, of z and of the features.
"""

# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of kernels)

from __future__ import annotations

import numpy as np

from models.splat.binning import TILE_HEIGHT, TILE_HEIGHT_BITS, TILE_WIDTH, TILE_WIDTH_BITS, tiles_across
from models.splat.jit import claim, exp2, f32, kernel
from models.splat.lanes import LANES, add_channel, lane_sum, scale_by_ramp, take_shares
from models.splat.project import SHEAR, A, C, L, U, V, Z
from models.splat.rows import ALPHA_MAX, BELOW, LOG2_ALPHA_MIN, PLANE, ROW, reaches

MOMENTS = 6  # 1, dx, dx^2, dy, dx dy, dy^2

_U_LANES, _U_ROW = np.uint64(LANES), np.uint64(ROW)
_LAST, _WEIGHT, _RATIO, _FREE, _SHARE, _BEHIND, _GRADIENT = (np.uint64(k * PLANE) for k in range(1, 8))
_U_PLANE = np.uint64(PLANE)
_U_1 = np.uint64(1)
_0, _HALF, _1 = f32(0.0), f32(0.5), f32(1.0)


def buffer_size(features: int) -> int:
    """Floats that `blend_backward` needs a worker."""
    return (8 + features) * PLANE + (4 + features) * LANES


@kernel
def blend_backward(counter, bins, features, background, drawn, above, buffer, pair_grads):
    """Write pair_grads (P, MOMENTS + 1 + F) float32, ordered by binning.pair_slots, for every tile that `claim` gives.

    drawn: z_sum, final_t and last of blend_features. above: the gradients of the features (H, W, F), of alpha (H, W)
    and of depth (H, W), float32. The rest as there.
    """
    columns, offsets, pairs, slots, boxes = bins.columns, bins.offsets, bins.pairs, bins.slots, bins.boxes
    tiles = offsets.shape[0] - 1
    row_last = np.empty(TILE_HEIGHT, np.int64)
    while True:
        tile = claim(counter)
        if tile >= tiles:
            return
        tile_row, tile_column = tile // columns, tile % columns
        left, top = tile_column << TILE_WIDTH_BITS, tile_row << TILE_HEIGHT_BITS
        furthest = _load(buffer, left, top, background, drawn, above, row_last)
        for place in range(offsets[tile + 1] - offsets[tile] - 1, -1, -1):
            i = pairs[offsets[tile] + place]
            down, across = tile_row - (boxes[i, 2] >> TILE_HEIGHT_BITS), tile_column - (boxes[i, 0] >> TILE_WIDTH_BITS)
            slot = slots[i] + down * tiles_across(boxes, i) + across
            for k in range(pair_grads.shape[1]):
                pair_grads[slot, k] = _0
            if place <= furthest:
                _draw_backward(i, place, left, top, bins.splats, boxes, features, buffer, row_last, pair_grads, slot)


@kernel
def _load(buffer, left, top, background, drawn, above, row_last):
    """Fill the planes, and row_last (TILE_HEIGHT,) with the last place drawn in each row; return the last of them."""
    z_sum, final_t, last = drawn
    grad_out, grad_alpha, grad_depth = above
    channels = np.uint64(grad_out.shape[2])
    buffer[:] = _0
    furthest = -1
    for row in range(TILE_HEIGHT):
        row_last[row] = -1
        start, y = np.uint64(row) * _U_ROW, np.uint64(top + row)
        inside = np.uint64(max(min(TILE_WIDTH, last.shape[1] - left), 0)) if top + row < last.shape[0] else np.uint64(0)
        for k in range(inside):
            x, at = np.uint64(left) + k, start + k
            dot, alpha = -grad_alpha[y, x], _1 - final_t[y, x]
            if alpha > _0:
                buffer[at + _GRADIENT] = grad_depth[y, x] / alpha
                dot += buffer[at + _GRADIENT] * z_sum[y, x] / alpha
            for channel in range(channels):
                gradient = grad_out[y, x, channel]
                buffer[at + _GRADIENT + (channel + _U_1) * _U_PLANE] = gradient
                dot += gradient * background[channel]
            buffer[at], buffer[at + _LAST], buffer[at + _BEHIND] = final_t[y, x], last[y, x], final_t[y, x] * dot
            row_last[row] = max(row_last[row], np.int64(last[y, x]))
        for k in range(inside, _U_ROW):
            buffer[start + _LAST + k] = -_1
        furthest = max(furthest, row_last[row])
    return furthest


@kernel
def _draw_backward(i, place, left, top, splats, boxes, features, buffer, row_last, pair_grads, slot):
    a, shear, c, log_opacity = splats[i, A], splats[i, SHEAR], splats[i, C], splats[i, L]
    u, v = splats[i, U] - f32(left) - _HALF, splats[i, V] - f32(top) - _HALF
    x0, x1 = max(boxes[i, 0] - left, 0), min(boxes[i, 1] - left, TILE_WIDTH)
    y0, y1 = max(boxes[i, 2] - top, 0), min(boxes[i, 3] - top, TILE_HEIGHT)
    wide = x1 - x0 > LANES
    channels, place_ = np.uint64(features.shape[1]) + _U_1, f32(place)  # z is channel 0
    partial = _GRADIENT + channels * _U_PLANE
    partial_features = partial + np.uint64(3) * _U_LANES
    for column in range(x0, x1, LANES):
        start_x = f32(column) - u
        for k in range((np.uint64(3) + channels) * _U_LANES):
            buffer[partial + k] = _0
        for row in range(y0, y1):
            dy = f32(row) - v
            level, sheared = log_opacity - c * dy * dy, start_x + shear * dy
            if place > row_last[row] or (wide and not reaches(a, level, sheared)):
                continue
            at = np.uint64(row * ROW + column)
            for k in range(_U_LANES):
                dx = sheared + f32(k)
                log_alpha = level - a * dx * dx
                density = exp2(max(log_alpha, BELOW))
                drawn = log_alpha >= LOG2_ALPHA_MIN and buffer[at + _LAST + k] >= place_
                alpha = min(density, ALPHA_MAX) if drawn else _0
                ratio = _1 / (_1 - alpha)
                t = buffer[at + k] * ratio
                buffer[at + k] = t
                buffer[at + _WEIGHT + k] = alpha * t
                buffer[at + _RATIO + k] = alpha * ratio
                buffer[at + _FREE + k] = _1 if density <= ALPHA_MAX else _0
                buffer[at + _SHARE + k] = _0
            for channel in range(channels):
                gradient = at + _GRADIENT + channel * _U_PLANE
                value = features[np.uint64(i), channel - _U_1] if channel > 0 else splats[i, Z]
                add_channel(buffer, at + _SHARE, value, partial_features + channel * _U_LANES, at + _WEIGHT, gradient)
            take_shares(buffer, at + _WEIGHT, at + _SHARE, at + _BEHIND, at + _RATIO, at + _FREE, partial, dy)
        _add_moments(buffer, partial, start_x, pair_grads, slot)
        for channel in range(channels):
            pair_grads[slot, MOMENTS + np.int64(channel)] += lane_sum(buffer, partial_features + channel * _U_LANES)


@kernel
def _add_moments(buffer, partial, start_x, pair_grads, slot):
    """Weigh the partial sums of e, e dy and e dy^2 with the lanes' dx and add them to the row `slot`."""
    e, ey, eyy = partial, partial + _U_LANES, partial + _U_LANES + _U_LANES
    for k in range(3):
        pair_grads[slot, k] += lane_sum(buffer, e)
        scale_by_ramp(buffer, e, start_x)
    for k in range(3, 5):
        pair_grads[slot, k] += lane_sum(buffer, ey)
        scale_by_ramp(buffer, ey, start_x)
    pair_grads[slot, 5] += lane_sum(buffer, eyy)
