"""A tile as rows of pixels, for the kernels that draw it a stretch of a row at a time (blend_features.py and its backward).

A worker keeps the tile that it is at in a small buffer that stays in the first-level cache: planes of TILE_HEIGHT rows of
ROW floats, the first of them T. A splat is drawn LANES pixels of a row at a time; such an inner loop has a constant
length and no branches, so LLVM makes vector code of it (one AVX-512 register, two of AVX2, four of NEON).

A pixel that is finished keeps its T with the sign turned. Then T * (1 - alpha) is under T_MIN for whatever comes later,
and no second flag is needed.
"""

# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of kernels)

from __future__ import annotations

import numpy as np

from models.splat import base
from models.splat.binning import TILE_HEIGHT, TILE_WIDTH
from models.splat.jit import f32, kernel
from models.splat.lanes import LANES

ROW = TILE_WIDTH + LANES  # the last group of lanes may reach over the tile's right edge
PLANE = ROW * TILE_HEIGHT

LOG2_ALPHA_MIN = f32(np.log2(base.ALPHA_MIN))
BELOW = f32(np.log2(base.ALPHA_MIN) - 1.0)  # anything under the threshold, and safe for exp2
ALPHA_MAX, T_MIN = f32(base.ALPHA_MAX), f32(base.T_MIN)
_SLACK = f32(0.05)  # of log2(alpha), for rounding
_U_ROW = np.uint64(ROW)
_0 = f32(0.0)
_LAST_LANE = f32(LANES - 1)


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
def reaches(a, level, start):
    """Whether level - a x^2 comes over the threshold anywhere in the LANES pixels from x = start on."""
    nearest = min(max(_0, start), start + _LAST_LANE)
    return level - a * nearest * nearest >= LOG2_ALPHA_MIN - _SLACK
