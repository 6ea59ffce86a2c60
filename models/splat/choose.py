"""Which rasterizer to use: by name, or the best that this machine has."""

from __future__ import annotations

import importlib.util

from models.errors import MissingPartError, VisavisError
from models.splat.base import LiveRasterizer, Rasterizer

NAMES = ("auto", "cpu", "cuda", "oracle")


def best() -> LiveRasterizer:
    """The CUDA rasterizer where gsplat and an NVIDIA GPU are there, else the CPU one."""
    if importlib.util.find_spec("gsplat") is not None:
        from models.splat.cuda import CudaRasterizer

        try:
            return CudaRasterizer()
        except MissingPartError:
            pass
    from models.splat.cpu import CpuRasterizer

    return CpuRasterizer()


def by_name(name: str) -> Rasterizer:
    """A new rasterizer of NAMES; "auto" is `best()`. Raises MissingPartError where "cuda" cannot be had."""
    if name == "auto":
        return best()
    if name == "cpu":
        from models.splat.cpu import CpuRasterizer

        return CpuRasterizer()
    if name == "cuda":
        from models.splat.cuda import CudaRasterizer

        return CudaRasterizer()
    if name == "oracle":
        from models.splat.oracle import OracleRasterizer

        return OracleRasterizer()
    raise VisavisError(f"There is no rasterizer called {name!r}; choose one of {', '.join(NAMES)}.")
