"""The CUDA rasterizer: the gsplat package behind the same interface. gsplat and torch are imported when one is made."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import MissingPartError
from models.splat import base
from models.splat.normals import shortest_axes
from models.types import Camera, Gaussians, Picture

if TYPE_CHECKING:
    from torch import Tensor


@cache
def _problem() -> str | None:
    """Why gsplat cannot be used here, in words that fit into a sentence; None where it can. Looked for once."""
    try:
        import torch
    except ImportError as error:
        return f"torch cannot be imported ({error})"
    if not torch.cuda.is_available():
        return "torch finds no CUDA device"
    try:
        import gsplat  # noqa: F401
    except ImportError as error:
        return f"gsplat cannot be imported ({error})"
    return None


class CudaRasterizer:
    """Draws on an NVIDIA GPU with gsplat >= 1.5 in its "classic" mode."""

    name = "cuda"

    def __init__(self, device: str = "cuda") -> None:
        if (problem := _problem()) is not None:
            raise MissingPartError(
                f"The CUDA rasterizer needs gsplat and an NVIDIA GPU, but {problem}; "
                "get it with `pip install visavis[cuda]`, or use the CPU rasterizer."
            )
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
        from gsplat import rasterization

        rows = np.concatenate(
            [gaussians.means, gaussians.rotations, gaussians.scales, gaussians.opacities[:, None], features], axis=1
        ).astype(np.float32)
        rows = rows[np.isfinite(rows).all(axis=1) & (np.abs(rows[:, 3:7]).sum(axis=1) > 0)]
        behind = np.zeros(features.shape[1], np.float32)
        behind[:3] = background
        size = (camera.height, camera.width)
        if len(rows) == 0:
            empty = self._tensor(np.concatenate([behind, [0.0] * depth]))
            return empty.expand(*size, -1), torch.zeros(size, device=self._device)

        table = self._tensor(rows)
        intrinsics = np.array([[camera.fx, 0.0, camera.cx], [0.0, camera.fy, camera.cy], [0.0, 0.0, 1.0]])
        with torch.inference_mode():
            drawn, alpha, _ = rasterization(
                means=table[:, 0:3].contiguous(),
                quats=table[:, 3:7].contiguous(),
                scales=table[:, 7:10].contiguous(),
                opacities=table[:, 10].contiguous(),
                colors=table[:, 11:].contiguous(),
                viewmats=self._tensor(camera.world_to_camera)[None],
                Ks=self._tensor(intrinsics)[None],
                width=camera.width,
                height=camera.height,
                near_plane=base.NEAR,
                eps2d=base.DILATION,
                backgrounds=self._tensor(behind)[None],
                render_mode="RGB+ED" if depth else "RGB",
                rasterize_mode="classic",
                packed=False,
            )
        return drawn[0], alpha[0, ..., 0]

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        import torch

        return torch.as_tensor(np.ascontiguousarray(values, np.float32), device=self._device)
