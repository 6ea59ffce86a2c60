"""The CUDA rasterizer: the gsplat package behind the same interface. gsplat and torch are imported when one is made."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models import caches
from models.errors import MissingPartError, VisavisError
from models.splat import base
from models.splat.normals import shortest_axes
from models.types import Camera, Gaussians, Picture

if TYPE_CHECKING:
    from torch import Tensor


OLDEST = (1, 5, 3)
"""The release of gsplat that `batch_cuda` needs."""
COMPILER_BYTES = 4 << 30
"""Of the machine's memory for each of the compilers that make gsplat's kernels."""


@cache
def problem() -> str | None:
    """Why gsplat cannot be used here, in words that fit into a sentence; None where it can. Looked for once.

    Where gsplat came without compiled kernels this compiles them, which takes minutes the first time; or waits until another
    process has. What may not wait asks `models.splat.ready.is_ready` before.
    """
    try:
        import torch
    except ImportError as error:
        return f"torch cannot be imported ({error})"
    if not torch.cuda.is_available():
        return "torch finds no CUDA device"
    try:
        import gsplat
    except ImportError as error:
        return f"gsplat cannot be imported ({error})"
    there = str(getattr(gsplat, "__version__", ""))
    if tuple(map(int, re.findall(r"\d+", there)[:3])) < OLDEST:
        return f"gsplat {there or 'of unknown version'} is too old, {'.'.join(map(str, OLDEST))} is needed"
    with _alone():
        return _kernels_problem()


@contextmanager
def _alone() -> Iterator[None]:
    """While no other process is here: of two that compile gsplat at a time, each takes the other's lock away."""
    try:
        lock = (caches.folder() / "gsplat.lock").open("w")
    except (OSError, VisavisError):
        yield  # without a place for a lock there is none
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _kernels_problem() -> str | None:
    """gsplat imports without its kernels too, and fails at the first picture only: so they are asked for here."""
    os.environ.setdefault("MAX_JOBS", str(_compilers()))
    try:
        from gsplat.cuda import _backend
    except Exception as error:  # whatever the compiler or the loader has to say
        if isinstance(error, ImportError) and (error.name or "").startswith("gsplat"):
            return None  # a gsplat that keeps them elsewhere; the first picture will tell
        return f"gsplat's kernels cannot be built or loaded ({first_line(error)})"
    missing = getattr(_backend, "_C", "elsewhere") is None
    return "gsplat has no compiled kernels and finds no CUDA toolkit (nvcc) to build them" if missing else None


def _compilers() -> int:
    """Compilers that may run at once, each of which takes up to 2 GB; gsplat would start ten on any machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min((os.cpu_count() or 2) - 1, memory // COMPILER_BYTES))


def first_line(error: Exception) -> str:
    """What an error says, short enough for a sentence."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def require() -> None:
    """Raises `MissingPartError`, which says how to get what is missing, where gsplat cannot be used."""
    if (found := problem()) is not None:
        raise MissingPartError(
            f"The CUDA rasterizer needs gsplat and an NVIDIA GPU, but {found}; "
            "get it with `pip install visavis[cuda]`, or use the CPU rasterizer."
        )


class CudaRasterizer:
    """Draws on an NVIDIA GPU with gsplat in its "classic" mode."""

    name = "cuda"

    def __init__(self, device: str = "cuda") -> None:
        require()
        self._device = device

    def render(
        self,
        gaussians: Gaussians,
        camera: Camera,
        *,
        background: tuple[float, float, float] = base.WHITE,
        depth: bool = False,
        normal: bool = False,
    ) -> Picture:
        """Draw as base.py defines; float32, copied back to the host."""
        features = [gaussians.colors, *([shortest_axes(gaussians, camera)] if normal else [])]
        drawn, alpha = self._draw(gaussians, np.concatenate(features, axis=1), camera, background, depth)
        out = drawn.cpu().numpy()
        return Picture(
            color=np.ascontiguousarray(out[..., :3]),
            alpha=alpha.cpu().numpy(),
            depth=out[..., -1].copy() if depth else None,
            normal=out[..., 3:6].copy() if normal else None,
        )

    def render_into(
        self,
        gaussians: Gaussians,
        camera: Camera,
        out: NDArray[np.uint8],
        background: tuple[float, float, float] = base.WHITE,
    ) -> None:
        """Draw into `out`, (camera.height, camera.width, 3) uint8; rounded on the GPU, only bytes are copied."""
        import torch

        drawn, _ = self._draw(gaussians, gaussians.colors, camera, background, depth=False)
        out[:] = (drawn.clamp(0.0, 1.0) * 255.0 + 0.5).to(torch.uint8).cpu().numpy()

    def _draw(
        self,
        gaussians: Gaussians,
        features: NDArray[np.float32],
        camera: Camera,
        background: tuple[float, float, float],
        depth: bool,
    ) -> tuple[Tensor, Tensor]:
        """features (N, F), and expected depth where asked for -> (H, W, F or F + 1) and alpha (H, W), on the device."""
        import torch

        from models.splat.autograd_cuda import draw

        g = gaussians
        # one table: one copy to the device
        table = self._tensor(np.concatenate([g.means, g.rotations, g.scales, g.opacities[:, None], features], axis=1))
        behind = np.zeros(features.shape[1], np.float32)
        behind[:3] = background
        with torch.inference_mode():
            columns = (table[:, 0:3], table[:, 3:7], table[:, 7:10], table[:, 10], table[:, 11:])
            return draw(*columns, camera, self._tensor(behind), depth=depth)

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        import torch

        return torch.as_tensor(np.ascontiguousarray(values, np.float32), device=self._device)
