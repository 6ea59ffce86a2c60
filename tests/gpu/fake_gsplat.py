"""gsplat's `rasterization` as its documentation describes it, in plain torch on any device: so that what calls it can be tried
without a GPU. It refuses what gsplat 1.5.3 refuses (shapes, keywords, other float types than float32)."""

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
    """(..., C, H, W, D), with "RGB+ED" one more, and alphas (..., C, H, W, 1), for Gaussians (..., N, .) and cameras (..., C, .).

    The dimensions in front (`...`) came with 1.5.3.
    """
    front, (count, channels) = means.shape[:-2], colors.shape[-2:]
    cameras = viewmats.shape[-3]
    assert count > 0 and colors.dim() == len(front) + 2
    assert backgrounds is not None
    shapes = (
        (means, (*front, count, 3)),
        (quats, (*front, count, 4)),
        (scales, (*front, count, 3)),
        (opacities, (*front, count)),
        (colors, (*front, count, channels)),
        (viewmats, (*front, cameras, 4, 4)),
        (Ks, (*front, cameras, 3, 3)),
        (backgrounds, (*front, cameras, channels)),
    )
    for tensor, shape in shapes:
        assert tensor.shape == shape and tensor.dtype == torch.float32 and torch.isfinite(tensor).all(), shape
        assert tensor.device == means.device
    assert isinstance(width, int) and isinstance(height, int) and packed is False
    assert render_mode in ("RGB", "RGB+ED") and rasterize_mode == "classic"
    assert (near_plane, eps2d) == (base.NEAR, base.DILATION) and (quats.norm(dim=-1) > 0).all()
    calls.append((*front, cameras, count))
    sets = [tensor.reshape(-1, *tensor.shape[len(front) :]) for tensor, _ in shapes]
    pictures = []
    for five, views, lenses, behind in ((parts[:5], *parts[5:]) for parts in zip(*sets, strict=True)):
        for view, k, ground in zip(views, lenses, behind, strict=True):
            pictures.append(_picture(five, view, k, ground, width, height, render_mode == "RGB+ED"))
    drawn, alpha = (torch.stack(parts).reshape(*front, cameras, height, width, -1) for parts in zip(*pictures, strict=True))
    return drawn, alpha, {}


calls: list[tuple[int, ...]] = []
"""Of each call since `install`: the dimensions in front, cameras, and Gaussians."""


def _picture(
    five: tuple[Tensor, ...], view: Tensor, k: Tensor, behind: Tensor, width: int, height: int, depth: bool
) -> tuple[Tensor, Tensor]:
    k_, world = k.double().cpu().numpy(), view.double().cpu().numpy()
    camera = Camera(width, height, k_[0, 0], k_[1, 1], k_[0, 2], k_[1, 2], world.astype(np.float64))
    out, alpha, away = reference.rasterize(*five, camera, behind)  # type: ignore[call-arg]
    return torch.cat([out, away[..., None]], dim=2) if depth else out, alpha


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `import gsplat` find this, and `models.splat.cuda` believe that all is well."""
    module = ModuleType("gsplat")
    module.rasterization = rasterization  # type: ignore[attr-defined]
    module.__file__ = __file__
    monkeypatch.setitem(sys.modules, "gsplat", module)
    monkeypatch.setattr(cuda, "problem", lambda: None)
    calls.clear()


def install_without_kernels(monkeypatch: pytest.MonkeyPatch, version: str = "1.5.3") -> None:
    """A gsplat as pip leaves it on a machine without nvcc: it imports and cannot draw."""
    parts: dict[str, dict[str, Any]] = {
        "gsplat": {"__version__": version},
        "gsplat.cuda": {},
        "gsplat.cuda._backend": {"_C": None},
    }
    for name, content in parts.items():
        module = ModuleType(name)
        module.__dict__.update(content, __path__=[])
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(torch, "cuda", SimpleNamespace(is_available=lambda: True))
