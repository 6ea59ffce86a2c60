"""Tones at the sides of the head, where the photo's pixels go over to the completed texture. What the photo shows there, as far
as it is believed (`grazing`), differs a little from the completed texture; that difference is blurred over the surface and fades
out where nothing is believed. Pixels that are not believed get the completed colour with it, and so does the surface beyond:
no flakes, and no seam where the pixels end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from models.types import Array, Gaussians

CELL = 0.003
"""Side of the voxels in which the surface is blurred, metres."""
FAINT = 0.12
"""Weight of no difference beside that of a surface which is covered by believed pixels."""
COVERS = 3.3
"""Area of the grid's mesh that a lifted Gaussian stands for, in products of its two larger standard deviations."""


@dataclass(frozen=True)
class SurfaceBlur:
    """Values blurred over a surface in voxels. lowest: (3,) metres. total: (X, Y, Z, C + 1), values times coverage, and coverage:
    1 where the surface is covered all over."""

    lowest: Array
    total: Array

    @staticmethod
    def of(points: Array, values: Array, areas: Array, width: float) -> SurfaceBlur:
        """points: (N, 3) metres. values: (N, C). areas: (N,) square metres that each stands for. width: standard deviation,
        metres."""
        lowest = points.min(axis=0) - 2 * width
        cells = np.floor((points - lowest) / CELL).astype(np.int64)
        shape = tuple(np.ceil((points.max(axis=0) + 2 * width - lowest) / CELL).astype(int) + 2)
        flat = np.ravel_multi_index(tuple(cells.T), shape)
        columns = [np.bincount(flat, areas * column, int(np.prod(shape))) for column in (*values.T, np.ones(len(points)))]
        total = np.stack(columns).reshape(-1, *shape).astype(np.float32)
        full = CELL**3 / (np.sqrt(2 * np.pi) * width)
        blurred = [ndimage.gaussian_filter(part, width / CELL, mode="constant", truncate=2.5) for part in total]
        return SurfaceBlur(lowest.astype(np.float32), np.stack(blurred, axis=-1) / np.float32(full))

    def at(self, points: Array) -> tuple[Array, Array]:
        """Sums of values (N, C) at points (N, 3), and the coverage there (N,)."""
        place = ((points - self.lowest) / CELL - 0.5).T
        found = np.stack(
            [ndimage.map_coordinates(self.total[..., k], place, order=1, mode="constant") for k in range(self.total.shape[-1])],
            axis=1,
        )
        return found[:, :-1], found[:, -1]

    def mean(self, points: Array, prior: float) -> Array:
        """(N, C) mean at points (N, 3), towards 0 where the coverage is not more than `prior`."""
        total, coverage = self.at(points)
        return np.asarray(total / (coverage + prior)[:, None], np.float32)


def areas(world: Gaussians) -> Array:
    """(N,) square metres that lifted Gaussians stand for."""
    scales = np.sort(world.scales, axis=1)
    return np.asarray(COVERS * scales[:, 1] * scales[:, 2], np.float32)
