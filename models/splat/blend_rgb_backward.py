"""Pixels back to splats, colour only: the gradient of blend.py, tile by tile and in blocks as there.

What a splat is told by a tile is a row of pair gradients as blend_backward.py has them, with three features and nothing for z.
A worker's buffer: the state of the tile's blocks, the batch (block.py), and the batch's sums (block_backward.py).
"""

# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of kernels)

from __future__ import annotations

import numpy as np

from models.splat.binning import TILE_HEIGHT_BITS, TILE_WIDTH_BITS, tiles_across
from models.splat.blend import ACROSS, DOWN, find_blocks, take_batch, transpose
from models.splat.block import BATCH, BLOCK, FIELDS
from models.splat.block_backward import STATE, SUMS, USED, blend_block_backward
from models.splat.jit import claim, f32, kernel
from models.splat.lanes import LANES

_BLOCKS = ACROSS * DOWN
BUFFER = _BLOCKS * STATE + BATCH * (FIELDS + SUMS)
"""Floats that `blend_rgb_backward` needs a worker."""
_BATCH, _SUMS = np.uint64(_BLOCKS * STATE), np.uint64(_BLOCKS * STATE + BATCH * FIELDS)
_U_BLOCKS, _U_STATE, _U_LANES = np.uint64(_BLOCKS), np.uint64(STATE), np.uint64(LANES)
_U_ACROSS, _U_BLOCK, _U_SUMS = np.uint64(ACROSS), np.uint64(BLOCK), np.uint64(SUMS)
_ALL, _NONE, _ONE = np.uint64(2**64 - 1), np.uint64(0), np.uint64(1)
_0, _1 = f32(0.0), f32(1.0)


@kernel
def blend_rgb_backward(counter, bins, drawn, above, buffer, pair_grads):
    """Write pair_grads (P, USED) float32, ordered by binning.pair_slots, for every tile that `claim` gives.

    drawn: colour (H, W, 3) and alpha (H, W) of blend_rgb. above: the gradients by them, float32.
    """
    columns, offsets, pairs, slots, boxes = bins.columns, bins.offsets, bins.pairs, bins.slots, bins.boxes
    tiles, masks = offsets.shape[0] - 1, np.empty(BATCH, np.uint64)
    while True:
        tile = claim(counter)
        if tile >= tiles:
            return
        tile_row, tile_column = tile // columns, tile % columns
        left, top = tile_column << TILE_WIDTH_BITS, tile_row << TILE_HEIGHT_BITS
        alive = _load(buffer, left, top, drawn, above)
        for start in range(offsets[tile], offsets[tile + 1], BATCH):
            count = min(BATCH, offsets[tile + 1] - start)
            buffer[_SUMS:] = _0
            if alive != _NONE:
                take_batch(bins, start, count, left, top, buffer, _BATCH)
                find_blocks(buffer, _BATCH, count, alive, masks)
                transpose(masks)
                alive = _go_through_batch(buffer, masks, alive)
            for j in range(count):
                i = pairs[start + j]
                down, across = tile_row - (boxes[i, 2] >> TILE_HEIGHT_BITS), tile_column - (boxes[i, 0] >> TILE_WIDTH_BITS)
                slot = slots[i] + down * tiles_across(boxes, i) + across
                for k in range(USED):
                    pair_grads[slot, k] = buffer[_SUMS + np.uint64(j) * _U_SUMS + np.uint64(k)]


@kernel
def _go_through_batch(buffer, masks, alive):
    for b in range(_U_BLOCKS):
        if masks[b] != _NONE:
            column, row = f32((b % _U_ACROSS) * _U_BLOCK), f32((b // _U_ACROSS) * _U_BLOCK)
            if not blend_block_backward(buffer, b * _U_STATE, _BATCH, _SUMS, masks[b], column, row):
                alive &= ~(_ONE << b)
    return alive


@kernel
def _load(buffer, left, top, drawn, above):
    """Fill the blocks' states; return the blocks of which anything is wanted."""
    (color, alpha), (grad_color, grad_alpha) = drawn, above
    height, width = np.uint64(alpha.shape[0]), np.uint64(alpha.shape[1])
    wanted = _NONE
    for b in range(_U_BLOCKS):
        x0, y0 = np.uint64(left) + b % _U_ACROSS * _U_BLOCK, np.uint64(top) + b // _U_ACROSS * _U_BLOCK
        for k in range(_U_LANES):
            x, y, at = x0 + k % _U_BLOCK, y0 + k // _U_BLOCK, b * _U_STATE + k
            buffer[at] = -_1  # finished: beyond the picture, or without any gradient
            for plane in range(_ONE, _U_STATE // _U_LANES):
                buffer[at + plane * _U_LANES] = _0
            if x >= width or y >= height:
                continue
            behind, is_wanted = -(_1 - alpha[y, x]) * grad_alpha[y, x], grad_alpha[y, x] != _0
            for channel in range(np.uint64(3)):
                gradient = grad_color[y, x, channel]
                buffer[at + (channel + np.uint64(2)) * _U_LANES] = gradient
                behind += gradient * color[y, x, channel]
                is_wanted |= gradient != _0
            buffer[at + _U_LANES] = behind
            if is_wanted:
                buffer[at] = _1
                wanted |= _ONE << b
    return wanted
