"""gsplat's `rasterization` as its documentation describes it, in plain torch on any device: so that what calls it can be tried
without a GPU. It refuses what gsplat 1.5 refuses (shapes, keywords, other float types than float32)."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.splat import base, cuda, reference
from models.types import Camera


def rasterization(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colors: Tensor,
    viewmats: Tensor,
    Ks: Tensor,
    width: int,
    height: int,
    near_plane: float = 0.01,
    eps2d: float = 0.3,
    packed: bool = True,
    backgrounds: Tensor | None = None,
    render_mode: str = "RGB",
    rasterize_mode: str = "classic",
) -> tuple[Tensor, Tensor, dict[str, Any]]:
    """(1, H, W, D), with "RGB+ED" (1, H, W, D + 1), and alphas (1, H, W, 1)."""
    count = len(means)
    assert count > 0 and colors.dim() == 2
    shapes = (
        (means, (count, 3)),
        (quats, (count, 4)),
        (scales, (count, 3)),
        (opacities, (count,)),
        (colors, (count, colors.shape[1])),
    )
    for tensor, shape in (*shapes, (viewmats, (1, 4, 4)), (Ks, (1, 3, 3))):
        assert tensor.shape == shape and tensor.dtype == torch.float32 and torch.isfinite(tensor).all()
    assert backgrounds is not None and backgrounds.shape == (1, colors.shape[1]) and backgrounds.dtype == torch.float32
    assert render_mode in ("RGB", "RGB+ED") and rasterize_mode == "classic"
    assert (near_plane, eps2d) == (base.NEAR, base.DILATION) and (quats.norm(dim=1) > 0).all()
    k = Ks[0].double().cpu().numpy()
    view = Camera(width, height, k[0, 0], k[1, 1], k[0, 2], k[1, 2], viewmats[0].double().cpu().numpy().astype(np.float64))
    out, alpha, depth = reference.rasterize(means, quats, scales, opacities, colors, view, backgrounds[0])
    drawn = torch.cat([out, depth[..., None]], dim=2) if render_mode == "RGB+ED" else out
    return drawn[None], alpha[None, ..., None], {}


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `import gsplat` find this, and `models.splat.cuda` believe that all is well."""
    module = ModuleType("gsplat")
    module.rasterization = rasterization  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gsplat", module)
    monkeypatch.setattr(cuda, "problem", lambda: None)


def install_without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gsplat as pip leaves it on a machine without nvcc: it imports and cannot draw."""
    parts: dict[str, dict[str, Any]] = {"gsplat": {}, "gsplat.cuda": {}, "gsplat.cuda._backend": {"_C": None}}
    for name, content in parts.items():
        module = ModuleType(name)
        module.__dict__.update(content, __path__=[])
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(torch, "cuda", SimpleNamespace(is_available=lambda: True))
