"""Which rasterizer to use: by name, or the best that this machine has."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from models.errors import MissingPartError, VisavisError
from models.splat import ready
from models.splat.base import LiveRasterizer, Rasterizer

if TYPE_CHECKING:
    from torch import Tensor

    Rasterize = Callable[..., tuple[Tensor, Tensor, Tensor]]

log = logging.getLogger(__name__)

NAMES = ("auto", "cpu", "cuda", "oracle")


def best() -> LiveRasterizer:
    """The CUDA rasterizer where gsplat and an NVIDIA GPU are there and it has drawn before (`models.splat.ready`), else the CPU
    one: nothing is compiled here."""
    if ready.is_ready():
        from models.splat.cuda import CudaRasterizer

        try:
            return CudaRasterizer()
        except MissingPartError:
            pass
    elif ready.is_installed() and ready.last_tried() is None:
        log.info("gsplat's kernels may have to be compiled, so the processor draws; `visavis doctor` makes them ready, once")
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


def differentiable(device: str = "cpu") -> Rasterize:
    """The differentiable rasterizer for tensors on a torch device: "cpu", "cuda" or "cuda:1".

    Called with (means, rotations, scales, opacities, features, camera, background) it returns features (H, W, F), alpha and
    depth (H, W), as models.splat.autograd.rasterize says. Normals to go with it come from models.splat.reference.shortest_axes
    on either device. Raises MissingPartError where CUDA cannot be had.
    """
    if device == "cpu":
        from models.splat.autograd import rasterize as on_cpu

        return on_cpu
    if re.fullmatch(r"cuda(:\d+)?", device):
        from models.splat import cuda
        from models.splat.autograd_cuda import rasterize as on_cuda

        cuda.require()
        return on_cuda
    raise VisavisError(f"A device called {device!r} is not known; choose cpu, cuda, or cuda:1 and so on.")


def differentiable_colors(device: str = "cpu") -> Callable[..., tuple[Tensor, Tensor]]:
    """As `differentiable`, without depth and for features (N, F), F a multiple of three: returns features (H, W, F) and alpha
    (H, W), on the CPU several times as fast."""
    if device == "cpu":
        from models.splat.autograd import rasterize_colors

        return rasterize_colors
    with_depth = differentiable(device)

    def without_depth(*arguments: Any) -> tuple[Tensor, Tensor]:
        color, alpha, _ = with_depth(*arguments)
        return color, alpha

    return without_depth
