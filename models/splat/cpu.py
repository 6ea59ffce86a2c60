"""The CPU rasterizer: numba kernels on plain threads. Agrees with oracle.py within what tests/models/splat states."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.splat import base, blend, blend_features, workers
from models.splat.normals import shortest_axes
from models.splat.workspace import Workspace, as_floats
from models.types import Array, Camera, Gaussians, Picture

_NO_COLOR, _NO_ALPHA = np.empty((0, 0, 3), np.float32), np.empty((0, 0), np.float32)


class CpuRasterizer:
    """Draws on `threads` threads (all cores by default). Pictures asked for at once from several threads wait in turn;
    make one rasterizer a thread to draw them side by side."""

    name = "cpu"

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or workers.available()
        self._lock = threading.Lock()
        self._workspace = Workspace()
        self._background = np.empty(3, np.float32)

    def render(
        self,
        gaussians: Gaussians,
        camera: Camera,
        *,
        background: tuple[float, float, float] = base.WHITE,
        depth: bool = False,
        normal: bool = False,
    ) -> Picture:
        """Draw as base.py defines; float32 throughout."""
        if depth or normal:
            return self._render_features(gaussians, camera, background, depth, normal)
        color = np.empty((camera.height, camera.width, 3), np.float32)
        alpha = np.empty((camera.height, camera.width), np.float32)
        self._render_rgb(gaussians, camera, background, blend.NO_BYTES, color, alpha)
        return Picture(color=color, alpha=alpha)

    def render_into(
        self,
        gaussians: Gaussians,
        camera: Camera,
        out: NDArray[np.uint8],
        background: tuple[float, float, float] = base.WHITE,
    ) -> None:
        """Draw into `out`, (camera.height, camera.width, 3) uint8, C-contiguous, RGB. Allocates nothing once warm.

        What lies behind blend.UNSEEN_T is left out, so a byte may be one off from the picture of `render`, rounded.
        """
        if out.shape != (camera.height, camera.width, 3) or out.dtype != np.uint8 or not out.flags.carray:
            raise ValueError(
                f"`out` should be contiguous uint8 of the shape {(camera.height, camera.width, 3)}, not {out.dtype} {out.shape}"
            )
        self._render_rgb(gaussians, camera, background, out, _NO_COLOR, _NO_ALPHA)

    def _render_rgb(
        self,
        gaussians: Gaussians,
        camera: Camera,
        background: tuple[float, float, float],
        bytes_out: NDArray[np.uint8],
        color: Array,
        alpha: Array,
    ) -> None:
        with self._lock:
            space = self._workspace
            space.prepare(gaussians, camera, self.threads)
            bins, buffers = space.bins, space.buffers(self.threads, blend.RGB_BUFFER)
            self._background[:] = background
            space.counter[0] = 0
            workers.run(
                lambda worker: blend.blend_rgb(space.counter, bins, self._background, buffers[worker], bytes_out, color, alpha),
                self.threads,
            )

    def _render_features(
        self, gaussians: Gaussians, camera: Camera, background: tuple[float, float, float], depth: bool, normal: bool
    ) -> Picture:
        features, behind = gaussians.colors, np.asarray(background, np.float32)
        if normal:
            features = np.concatenate([features, shortest_axes(gaussians, camera)], axis=1)
            behind = np.concatenate([behind, np.zeros(3, np.float32)])
        with self._lock:
            self._workspace.prepare(gaussians, camera, self.threads)
            drawn = draw_features(self._workspace, as_floats(features), behind, camera, self.threads)
        return Picture(
            color=drawn.out[..., :3].copy() if normal else drawn.out,
            alpha=drawn.alpha,
            depth=drawn.depth if depth else None,
            normal=drawn.out[..., 3:].copy() if normal else None,
        )


@dataclass(frozen=True)
class DrawnFeatures:
    """What blend_features.py drew, all float32: out (H, W, F); z_sum, final_t, last (H, W)."""

    out: Array
    z_sum: Array
    final_t: Array
    last: Array

    @cached_property
    def alpha(self) -> Array:
        """(H, W) in [0, 1]."""
        return np.subtract(1.0, self.final_t, dtype=np.float32)

    @cached_property
    def depth(self) -> Array:
        """(H, W) metres, 0 where nothing is."""
        return np.divide(self.z_sum, self.alpha, out=np.zeros_like(self.alpha), where=self.alpha > 0)


def draw_features(space: Workspace, features: Array, background: Array, camera: Camera, threads: int) -> DrawnFeatures:
    """Blend features (N, F) float32 over background (F,) float32, in a workspace that is prepared for this camera."""
    if background.shape != features.shape[1:]:
        raise ValueError(f"the background should have the shape {features.shape[1:]}, not {background.shape}")
    size = (camera.height, camera.width)
    drawn = DrawnFeatures(np.empty((*size, features.shape[1]), np.float32), *(np.empty(size, np.float32) for _ in range(3)))
    bins, buffers = space.bins, space.buffers(threads, blend_features.buffer_size(features.shape[1]))
    space.counter[0] = 0
    workers.run(
        lambda worker: blend_features.blend_features(
            *(space.counter, bins, features, background, buffers[worker]),
            *(drawn.out, drawn.z_sum, drawn.final_t, drawn.last),
        ),
        threads,
    )
    return drawn
