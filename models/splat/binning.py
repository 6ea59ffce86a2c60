"""Splats to tiles: sort once by depth, then deal the sorted splats out, so that every tile's list comes out sorted."""

# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of kernels)

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.splat.jit import kernel
from models.splat.project import UNSEEN

TILE_WIDTH_BITS, TILE_HEIGHT_BITS = 6, 4
TILE_WIDTH, TILE_HEIGHT = 1 << TILE_WIDTH_BITS, 1 << TILE_HEIGHT_BITS  # pixels

_DIGIT_BITS = 11
_DIGITS = 1 << _DIGIT_BITS


class Bins(NamedTuple):
    """A picture's splats, dealt out to its tiles; kernels take it as one argument.

    columns: tiles in a row of tiles. offsets (tiles + 1,) int64 and pairs (>= P,) int32: tile k's splats, nearest
    first, are pairs[offsets[k] : offsets[k + 1]]. slots (>= N,) int64: see pair_slots. splats (>= N, 12) float32, boxes
    (>= N, 4) int32: project.py.
    """

    columns: int
    offsets: NDArray[np.int64]
    pairs: NDArray[np.int32]
    slots: NDArray[np.int64]
    splats: NDArray[np.float32]
    boxes: NDArray[np.int32]


def grid(width: int, height: int) -> tuple[int, int]:
    """Columns and rows of tiles that cover a picture of width x height pixels."""
    return -(-width // TILE_WIDTH), -(-height // TILE_HEIGHT)


@kernel
def sort_by_depth(keys, order, scratch, histogram):
    """Put the seen Gaussians' indices into order (N,) int32, nearest first, equal keys by index; return how many.

    A radix sort over the bits in which the keys differ. keys: (N,) uint32. scratch: (N,) int32. histogram: (2048,)
    int32.
    """
    count, low, high = 0, UNSEEN, np.uint32(0)
    for i in range(keys.shape[0]):
        if keys[i] != UNSEEN:
            order[count] = i
            count += 1
            low, high = min(low, keys[i]), max(high, keys[i])
    source, target = order, scratch
    shift, passes = np.uint32(0), 0
    while count > 0 and (high - low) >> shift > 0:
        histogram[:] = 0
        for k in range(count):
            histogram[((keys[source[k]] - low) >> shift) & np.uint32(_DIGITS - 1)] += 1
        total = np.int32(0)
        for digit in range(_DIGITS):
            total, histogram[digit] = total + histogram[digit], total
        for k in range(count):
            i = source[k]
            digit = ((keys[i] - low) >> shift) & np.uint32(_DIGITS - 1)
            target[histogram[digit]] = i
            histogram[digit] += 1
        source, target = target, source
        shift += np.uint32(_DIGIT_BITS)
        passes += 1
    if passes % 2 == 1:
        order[:count] = scratch[:count]
    return count


@kernel
def count_pairs(keys, boxes, columns, offsets):
    """Fill offsets (tiles + 1,) int64 with where each tile's list starts; return the length of all lists together."""
    offsets[:] = 0
    for i in range(keys.shape[0]):
        if keys[i] == UNSEEN:
            continue
        for row in range(boxes[i, 2] >> TILE_HEIGHT_BITS, ((boxes[i, 3] - 1) >> TILE_HEIGHT_BITS) + 1):
            for column in range(boxes[i, 0] >> TILE_WIDTH_BITS, ((boxes[i, 1] - 1) >> TILE_WIDTH_BITS) + 1):
                offsets[row * columns + column + 1] += 1
    for tile in range(offsets.shape[0] - 1):
        offsets[tile + 1] += offsets[tile]
    return offsets[-1]


@kernel
def fill_pairs(order, count, boxes, columns, offsets, pairs, cursors):
    """Write each tile's splats, nearest first, into pairs (>= P,) int32. cursors: (tiles,) int64, scratch."""
    cursors[:] = offsets[:-1]
    for k in range(count):
        i = order[k]
        for row in range(boxes[i, 2] >> TILE_HEIGHT_BITS, ((boxes[i, 3] - 1) >> TILE_HEIGHT_BITS) + 1):
            for column in range(boxes[i, 0] >> TILE_WIDTH_BITS, ((boxes[i, 1] - 1) >> TILE_WIDTH_BITS) + 1):
                tile = row * columns + column
                pairs[cursors[tile]] = i
                cursors[tile] += 1


@kernel
def pair_slots(order, count, boxes, slots):
    """Number the (splat, tile) pairs splat by splat: slots (N,) int64 is a splat's first; its tiles follow row by row.

    Where pairs are kept in this order, all that belongs to one Gaussian lies together (project_backward.py).
    """
    total = 0
    for k in range(count):
        i = order[k]
        slots[i] = total
        rows = ((boxes[i, 3] - 1) >> TILE_HEIGHT_BITS) - (boxes[i, 2] >> TILE_HEIGHT_BITS) + 1
        total += rows * tiles_across(boxes, i)


@kernel
def tiles_across(boxes, i):
    """How many columns of tiles the splat i touches."""
    return ((boxes[i, 1] - 1) >> TILE_WIDTH_BITS) - (boxes[i, 0] >> TILE_WIDTH_BITS) + 1
