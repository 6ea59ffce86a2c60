"""How the numba kernels of this folder are compiled, and the few scalar operations that they share.

Kernels release the GIL and start no threads of their own: numba's own thread pool aborts the process when two threads
enter it at once, so the rows of work are handed out by `claim` to the plain threads of workers.py instead.

Compiled code is cached on disk. numba renews a kernel's cache when the kernel's own file changes, not when a file changes
from which it takes constants or other kernels; so importing this module drops the caches of the whole folder when any file
of the folder is not the one that they were made from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.extending import intrinsic

f32 = np.float32

# 2^f for f in (-1, 0], degree 5, smallest largest relative error (8e-8 before rounding).
_C0, _C1, _C2 = f32(0.99999992507), f32(0.69314225263), f32(0.24017218905)
_C3, _C4, _C5 = f32(0.05527972147), f32(0.00918861008), f32(0.00093878757)
_BIAS, _MANTISSA_BITS = np.int32(127), np.int32(23)


def _drop_stale_caches() -> None:
    folder = Path(__file__).parent
    sources = b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))
    stamp, mark = hashlib.sha256(sources).hexdigest(), folder / "__pycache__" / "kernels.sha256"
    try:
        if not mark.exists() or mark.read_text() != stamp:
            for cache in mark.parent.glob("*.nb[ci]"):
                cache.unlink(missing_ok=True)
            mark.parent.mkdir(exist_ok=True)
            mark.write_text(stamp)
    except OSError:
        pass  # a folder that cannot be written holds no caches, or those it was installed with


_drop_stale_caches()


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` without the GIL; cached on disk where some folder for that can be written.

    Of fastmath only what cannot change a comparison: fused multiply-add, reciprocal division, no signed zero.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": {"contract", "arcp", "nsz"}, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba's "cannot cache function": neither the package nor the user's cache folder is writable
        return numba.njit(**options)(function)


@intrinsic
def claim(typingctx: Any, counter: Any) -> Any:
    """claim(counter: (1,) int64) -> the number that stood there, raising it by one; safe between threads."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        one = context.get_constant(numba.types.int64, 1)
        return builder.atomic_rmw("add", array.data, one, "monotonic")

    return numba.types.int64(counter), generate


@numba.njit(nogil=True, fastmath={"contract", "nsz"})
def exp2(x: Any) -> Any:
    """2^x for x in [-126, 127], float32 -> float32; written so that LLVM turns it into vector code in a loop."""
    whole = np.int32(x)
    f = x - f32(whole)
    p = _C0 + f * (_C1 + f * (_C2 + f * (_C3 + f * (_C4 + f * _C5))))
    return p * np.int32((whole + _BIAS) << _MANTISSA_BITS).view(np.float32)
