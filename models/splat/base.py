"""The interface that every rasterizer implements, and the one definition of what a picture of Gaussians is.

The image formation is that of 3D Gaussian Splatting (Kerbl et al. 2023) over EWA splatting (Zwicker et al. 2001), with
the constants of gsplat 1.5 in its "classic" mode, so that the oracle, the CPU and the CUDA rasterizer draw the same
picture. For one Gaussian (mean m, rotation R, scales s, opacity o, colour c) and one camera (fx, fy, cx, cy,
world_to_camera [W|t]):

1. Dropped: any value that is not finite; a quaternion of length zero; z <= NEAR, where (x, y, z) = W m + t in metres;
   o < ALPHA_MIN. Quaternions are normalised before use.
2. Centre on the picture: (u, v) = (fx x/z + cx, fy y/z + cy) pixels. The centre of pixel (column i, row j) is
   (i + 0.5, j + 0.5).
3. Covariance on the picture (Kerbl eq. 5, Zwicker eq. 31): S = J W R diag(s^2) R^T W^T J^T + DILATION * I, pixels^2,
   with J = [[fx/z, 0, -fx x'/z^2], [0, fy/z, -fy y'/z^2]]. There x'/z is x/z clamped to
   [-cx/fx - m, (width - cx)/fx + m] with m = FOV_MARGIN * 0.5 * width/fx: for a centred principal point, 1.3 times the
   field of view. The same for y'/z. A Gaussian with det S <= 0 or not finite is dropped.
4. Opacity at a pixel with d = pixel centre - (u, v): alpha = min(ALPHA_MAX, o * exp(-d^T S^-1 d / 2)). Where the
   unclamped value is under ALPHA_MIN the Gaussian does not touch the pixel.
5. The Gaussians that touch a pixel are composed by increasing z as float32 holds it, equal z by increasing index
   (Kerbl eq. 3): starting from T = 1, if T * (1 - alpha) <= T_MIN the pixel is finished *without* this Gaussian;
   otherwise its weight is w = alpha * T, and T becomes T * (1 - alpha).
6. Out: colour = sum w c + T * background; alpha = sum w = 1 - T; depth = sum w z / sum w (0 where alpha is 0);
   normal = sum w n, n the axis of the smallest scale (the first of equals) in the world frame, turned about where it looks
   away from the camera's centre: where the cosine between it and the ray from there to m is over EDGE_ON. An axis that is
   seen edge-on keeps its sign, as the sign of a cosine of zero is only rounding.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.types import Camera, Gaussians, Picture

WHITE: tuple[float, float, float] = (1.0, 1.0, 1.0)

NEAR = 0.01  # metres
DILATION = 0.3  # pixels^2, added to both variances
FOV_MARGIN = 0.3  # of half the picture's width (height), where the Jacobian's clamp begins
ALPHA_MAX = 0.999
ALPHA_MIN = 1.0 / 255.0
T_MIN = 1e-4
EDGE_ON = 1e-5  # cosine


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


class LiveRasterizer(Rasterizer, Protocol):
    """A rasterizer that also fills pictures of a stream."""

    def render_into(
        self,
        gaussians: Gaussians,
        camera: Camera,
        out: NDArray[np.uint8],
        background: tuple[float, float, float] = WHITE,
    ) -> None:
        """Draw into `out`, (camera.height, camera.width, 3) uint8 RGB, contiguous; no byte further than one from the nearest."""
        ...
