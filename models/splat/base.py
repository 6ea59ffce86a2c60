"""The interface that every rasterizer implements: Gaussians and a camera in, a picture out."""

from __future__ import annotations

from typing import Protocol

from models.types import Camera, Gaussians, Picture

WHITE: tuple[float, float, float] = (1.0, 1.0, 1.0)


class Rasterizer(Protocol):
    """Draws Gaussians front to back (3DGS, Kerbl et al. 2023, eq. 3)."""

    name: str

    def render(
        self,
        gaussians: Gaussians,
        camera: Camera,
        *,
        background: tuple[float, float, float] = WHITE,
        depth: bool = False,
        normal: bool = False,
    ) -> Picture:
        """Draw `gaussians` from `camera` over `background` (sRGB); `depth` and `normal` only when asked for."""
        ...
