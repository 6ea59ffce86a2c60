"""Splats to pixels, tile by tile, colour only: steps 4 and 5 of base.py.

A tile is 64 blocks of 4 x 4 pixels. Its splats are taken in batches of 64, nearest first. For each splat of a batch a mask says
which blocks it touches (find_blocks); turned over, for each block, which splats touch it (transpose). So a block is drawn with
its state in registers, by no splat that does not reach it, and not at all once its pixels are finished: so of an avatar only
what the view sees costs anything here. A picture of bytes takes a block as finished a little earlier, at UNSEEN_T.

A worker's buffer, which stays in the first-level cache: the state of the tile's blocks, then the batch (block.py).
"""

# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of kernels)

from __future__ import annotations

import math

import numpy as np

from models.splat import block, project
from models.splat.binning import TILE_HEIGHT, TILE_HEIGHT_BITS, TILE_WIDTH, TILE_WIDTH_BITS
from models.splat.block import BATCH, BLOCK, FIELDS, STATE, blend_block, store_block
from models.splat.jit import claim, f32, kernel
from models.splat.lanes import LANES

ACROSS, DOWN = TILE_WIDTH // BLOCK, TILE_HEIGHT // BLOCK  # blocks in a tile; together as many as a mask has bits
RGB_BUFFER = ACROSS * DOWN * STATE + BATCH * FIELDS  # floats that `blend_rgb` needs a worker
UNSEEN_T = f32(1.0 / 512.0)  # what is behind so little transmittance changes no byte by more than a half
NO_BYTES = np.empty((0, 0, 3), np.uint8)  # for a picture of floats
_REACH = f32(0.02 - block.LOG2_ALPHA_MIN)  # of log2(alpha), with something for rounding
_SLACK = f32(1.0e-3)  # pixels added to a splat's reach, for rounding
_TINY = f32(1.0e-30)
_U_BLOCKS, _U_STATE, _U_LANES, _U_BATCH = np.uint64(ACROSS * DOWN), np.uint64(STATE), np.uint64(LANES), np.uint64(BATCH)
_U_ACROSS, _U_BLOCK = np.uint64(ACROSS), np.uint64(BLOCK)
_STATES = np.uint64(ACROSS * DOWN * STATE)
_P1, _U_3 = np.uint64(LANES), np.uint64(3)
_NONE, _ALL, _ONE = np.uint64(0), np.uint64(2**64 - 1), np.uint64(1)
_0, _HALF, _1 = f32(0.0), f32(0.5), f32(1.0)
_U, _V, _A, _SHEAR, _C, _L, _RED, _GREEN, _BLUE = (np.uint64(k * BATCH) for k in range(FIELDS))


@kernel
def blend_rgb(counter, bins, background, buffer, bytes_out, color, alpha):
    """Draw every tile that `claim` hands out.

    bins: binning.Bins. background: (3,) float32. buffer: (RGB_BUFFER,) float32, this worker's own. Out: either
    bytes_out (H, W, 3) uint8, or, where that has no rows, color (H, W, 3) float32 and alpha (H, W) float32.
    """
    columns, offsets = bins.columns, bins.offsets
    tiles = offsets.shape[0] - 1
    masks, to_bytes = np.empty(BATCH, np.uint64), bytes_out.shape[0] > 0
    least = UNSEEN_T if to_bytes else _0
    while True:
        tile = claim(counter)
        if tile >= tiles:
            return
        left, top = (tile % columns) << TILE_WIDTH_BITS, (tile // columns) << TILE_HEIGHT_BITS
        for b in range(_U_BLOCKS):
            for k in range(_U_LANES):
                buffer[b * _U_STATE + k] = _1
            for k in range(_U_LANES, _U_STATE):
                buffer[b * _U_STATE + k] = _0
        alive = _ALL
        for start in range(offsets[tile], offsets[tile + 1], BATCH):
            count = min(BATCH, offsets[tile + 1] - start)
            take_batch(bins, start, count, left, top, buffer, _STATES)
            find_blocks(buffer, _STATES, count, alive, masks)
            transpose(masks)
            alive = _draw_batch(buffer, masks, alive, least)
            if alive == _NONE:
                break
        if to_bytes:
            _write_bytes(buffer, left, top, background, bytes_out)
        else:
            _write_floats(buffer, left, top, background, color, alpha)


@kernel
def take_batch(bins, start, count, left, top, buffer, batch):
    """Copy the numbers of `count` splats, from pairs[start] on, to place `batch` of the buffer (block.py)."""
    splats = bins.splats
    shift_u, shift_v = f32(left) + _HALF, f32(top) + _HALF
    for j in range(count):
        i, at = np.uint64(bins.pairs[start + j]), batch + np.uint64(j)
        buffer[_U + at] = splats[i, project.U] - shift_u
        buffer[_V + at] = splats[i, project.V] - shift_v
        buffer[_A + at] = splats[i, project.A]
        buffer[_SHEAR + at] = splats[i, project.SHEAR]
        buffer[_C + at] = splats[i, project.C]
        buffer[_L + at] = splats[i, project.L]
        buffer[_RED + at] = splats[i, project.RED]
        buffer[_GREEN + at] = splats[i, project.GREEN]
        buffer[_BLUE + at] = splats[i, project.BLUE]


@kernel
def find_blocks(buffer, batch, count, alive, masks):
    """Set masks[j] to the blocks with a pixel centre that splat j of the batch may touch, of those in `alive`; 0 from `count` on.

    Bit ACROSS * row + column is a block. A splat touches A (dx + SHEAR dy)^2 + C dy^2 <= REACH + L, an ellipse; in each row of
    blocks it reaches from the leftmost to the rightmost point of its part between the first and the last pixel's centre.
    """
    for j in range(_U_BATCH):
        at = batch + j
        u, v, shear = buffer[_U + at], buffer[_V + at], buffer[_SHEAR + at]
        a, c = max(buffer[_A + at], _TINY), max(buffer[_C + at], _TINY)
        reach = max(buffer[_L + at] + _REACH, _0)
        high = reach / c  # the half height squared
        half_height, half_width = math.sqrt(high), math.sqrt(reach / a + shear * shear * high)
        tip = shear * high / max(half_width, _TINY)  # dy of the leftmost point; the rightmost is opposite
        mask = _NONE
        for row in range(DOWN):
            low_y = max(f32(row * BLOCK) - v - _SLACK, -half_height)
            high_y = min(f32(row * BLOCK + BLOCK - 1) - v + _SLACK, half_height)
            left_y, right_y = min(max(tip, low_y), high_y), min(max(-tip, low_y), high_y)
            left_x = u - shear * left_y - math.sqrt(max(reach - c * left_y * left_y, _0) / a) - _SLACK
            right_x = u - shear * right_y + math.sqrt(max(reach - c * right_y * right_y, _0) / a) + _SLACK
            first = np.int32(math.ceil(min(max(left_x, _0), f32(TILE_WIDTH))))
            last = np.int32(math.floor(min(max(right_x, -_1), f32(TILE_WIDTH - 1))))
            bits = (np.int32(2) << (last >> 2)) - (np.int32(1) << (first >> 2))
            is_there = low_y <= high_y and first <= last
            mask |= np.uint64(bits if is_there else 0) << np.uint64(row * ACROSS)
        masks[j] = mask & alive if j < np.uint64(count) else _NONE


@kernel
def transpose(masks):
    """Turn (64,) uint64 over as a square of bits: bit j of word i and bit i of word j change places."""
    keep, width = np.uint64(0x00000000FFFFFFFF), np.uint64(32)
    while width > _NONE:
        for first in range(_NONE, _U_BATCH, width + width):
            for k in range(first, first + width):
                swapped = ((masks[k] >> width) ^ masks[k + width]) & keep
                masks[k + width] ^= swapped
                masks[k] ^= swapped << width
        width >>= _ONE
        keep ^= keep << width


@kernel
def _draw_batch(buffer, masks, alive, least):
    for b in range(_U_BLOCKS):
        if masks[b] != _NONE:
            column, row = f32((b % _U_ACROSS) * _U_BLOCK), f32((b // _U_ACROSS) * _U_BLOCK)
            if not blend_block(buffer, b * _U_STATE, _STATES, masks[b], column, row, least):
                alive &= ~(_ONE << b)
    return alive


@kernel
def _write_bytes(buffer, left, top, background, out):
    behind = (background[0], background[1], background[2])
    width, height = np.uint64(out.shape[1]), np.uint64(out.shape[0])
    for b in range(_U_BLOCKS):
        x, y = np.uint64(left) + b % _U_ACROSS * _U_BLOCK, np.uint64(top) + b // _U_ACROSS * _U_BLOCK
        if x + _U_BLOCK <= width and y + _U_BLOCK <= height:
            store_block(buffer, b * _U_STATE, behind, out, (y * width + x) * _U_3, width * _U_3)
            continue
        for row in range(y, min(y + _U_BLOCK, height)):
            for column in range(x, min(x + _U_BLOCK, width)):
                at = b * _U_STATE + (row - y) * _U_BLOCK + (column - x)
                t = abs(buffer[at])
                for channel in range(_U_3):
                    out[row, column, channel] = _byte(buffer[at + (channel + _ONE) * _P1] + t * background[channel])


@kernel
def _first_pixel(row):
    """The place of the first pixel of a tile's row."""
    u_row = np.uint64(row)
    return u_row // _U_BLOCK * _U_ACROSS * _U_STATE + u_row % _U_BLOCK * _U_BLOCK


@kernel
def _byte(value):
    return np.uint8(np.int32(min(max(value, _0), _1) * f32(255.0) + _HALF))


@kernel
def _write_floats(buffer, left, top, background, color, alpha):
    for row in range(min(TILE_HEIGHT, color.shape[0] - top)):
        start, y = _first_pixel(row), np.uint64(top + row)
        for k in range(np.uint64(min(TILE_WIDTH, color.shape[1] - left))):
            at = start + k // _U_BLOCK * _U_STATE + k % _U_BLOCK
            t, x = abs(buffer[at]), np.uint64(left) + k
            alpha[y, x] = _1 - t
            for channel in range(_U_3):
                drawn = buffer[at + (channel + _ONE) * _P1]
                color[y, x, channel] = drawn + t * background[channel]
