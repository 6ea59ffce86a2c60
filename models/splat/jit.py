"""How the numba kernels of this folder are compiled, and the few scalar operations that they share.

Kernels release the GIL and start no threads of their own: numba's own thread pool aborts the process when two threads
enter it at once, so the rows of work are handed out by `claim` to the plain threads of workers.py instead.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba.extending import intrinsic

from models import jit

f32 = np.float32

# 2^f for f in (-1, 0], degree 5, smallest largest relative error (8e-8 before rounding).
_C0, _C1, _C2 = f32(0.99999992507), f32(0.69314225263), f32(0.24017218905)
_C3, _C4, _C5 = f32(0.05527972147), f32(0.00918861008), f32(0.00093878757)
_BIAS, _MANTISSA_BITS = np.int32(127), np.int32(23)


kernel = jit.kernel(fastmath={"contract", "arcp", "nsz"}, error_model="numpy")
"""Of fastmath only what cannot change a comparison: fused multiply-add, reciprocal division, no signed zero."""


@intrinsic
def claim(typingctx: Any, counter: Any) -> Any:
    """claim(counter: (1,) int64) -> the number that stood there, raising it by one; safe between threads."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        one = context.get_constant(numba.types.int64, 1)
        return builder.atomic_rmw("add", array.data, one, "monotonic")

    return numba.types.int64(counter), generate


@jit.kernel(fastmath={"contract", "nsz"})
def exp2(x: Any) -> Any:
    """2^x for x in [-126, 127], float32 -> float32; written so that LLVM turns it into vector code in a loop."""
    whole = np.int32(x)
    f = x - f32(whole)
    p = _C0 + f * (_C1 + f * (_C2 + f * (_C3 + f * (_C4 + f * _C5))))
    return p * np.int32((whole + _BIAS) << _MANTISSA_BITS).view(np.float32)
