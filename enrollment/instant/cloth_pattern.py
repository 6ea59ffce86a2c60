"""The pattern of a cloth by example: image quilting (Efros and Freeman 2001) from windows of the cloth that a photo shows.

The pattern is what is left of the colours without their slow changes, which are light and shadow. It is laid on the bust like a
cape, from the chest over the shoulders down the back, so nothing is stretched.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.types import Array

TEXEL = 0.003
"""Size of a texel, metres."""
BLOCK, OVERLAP = 18, 5
"""Side of a block and width of the seam between two, texels."""
MOST_WINDOWS = 160
"""Windows that are looked at for each block."""
SIMILAR = 0.6
"""Part of the windows that is used: those whose colours are nearest to the cloth's main one; a tie or a button is none of them."""
TOLERANCE = 0.1
"""Error of a seam, relative to the best one's, up to which a window may be drawn by lot; the same one everywhere would be seen."""
CAPE = (0.6, 0.8)
"""Width and length of the pattern, metres."""
ROOT, RADIUS = (-0.22, -0.03), 0.13
"""Height and depth, avatar space, metres, of the axis around which the cape lies, and its distance from that axis, at which the
pattern has its true size."""
SEED = 20
"""Of the lots."""


@dataclass(frozen=True)
class ClothPattern:
    """texels: (H, W, 3) float32, differences from the cloth's main colour."""

    texels: Array

    def at(self, points: Array) -> Array:
        """The pattern (N, 3) at points (N, 3) of the body, avatar space at rest."""
        angle = np.arctan2(points[:, 2] - ROOT[1], points[:, 1] - ROOT[0])
        height, width = self.texels.shape[:2]
        row, column = angle * RADIUS / TEXEL + height / 2, points[:, 0] / TEXEL + width / 2
        at = np.stack([row, column])
        return np.stack([ndimage.map_coordinates(c, at, order=1, mode="nearest") for c in np.moveaxis(self.texels, 2, 0)], axis=1)

    @staticmethod
    def of(colors: Array, slow: Array, cloth: NDArray[np.bool_], main: Array, pixel: float) -> ClothPattern:
        """The pattern of cloth in a photo. colors: (S, S, 3). slow: (S, S, 3), the same without the pattern. cloth: (S, S).
        main: (3,) the cloth's main colour. pixel: size of a pixel on the cloth, metres. A photo without a window of cloth that is
        as large as a block gives a plain one."""
        shape = (round(CAPE[1] / TEXEL), round(CAPE[0] / TEXEL))
        side = max(BLOCK, round(len(colors) * pixel / TEXEL))
        small = (cv2.resize(a, (side, side), interpolation=cv2.INTER_AREA) for a in (colors - slow, slow, np.float32(cloth)))
        detail, base, share = small
        windows = _windows(detail, base, share > 0.99, main)
        if not len(windows):
            return ClothPattern(np.zeros((*shape, 3), np.float32))
        return ClothPattern(quilt(windows - windows.mean(axis=(0, 1, 2)), shape, np.random.default_rng(SEED)))


def _windows(detail: Array, base: Array, cloth: NDArray[np.bool_], main: Array) -> Array:
    """Windows (K, BLOCK, BLOCK, 3) of `detail` that lie on cloth of about the main colour."""
    corner = np.argwhere(np.lib.stride_tricks.sliding_window_view(cloth, (BLOCK, BLOCK)).all(axis=(2, 3)))
    if not len(corner):
        return np.zeros((0, BLOCK, BLOCK, 3), np.float32)
    far = np.linalg.norm(base[corner[:, 0] + BLOCK // 2, corner[:, 1] + BLOCK // 2] - main, axis=1)
    alike = corner[np.argsort(far, kind="stable")[: max(1, round(SIMILAR * len(corner)))]]
    chosen = alike[np.linspace(0, len(alike) - 1, min(len(alike), MOST_WINDOWS)).astype(int)]
    return np.stack([detail[r : r + BLOCK, c : c + BLOCK] for r, c in chosen])


def quilt(windows: Array, shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """A texture (*shape, 3) of windows (K, B, B, 3) that overlap by `OVERLAP` and are joined where they differ least."""
    block = windows.shape[1]
    step = block - OVERLAP
    rows, columns = (-(-(n - OVERLAP) // step) for n in shape)
    out = np.zeros((rows * step + OVERLAP, columns * step + OVERLAP, 3), np.float32)
    for i in range(rows):
        for j in range(columns):
            there = out[i * step : i * step + block, j * step : j * step + block]
            error = np.zeros(len(windows))
            if i:
                error += np.square(windows[:, :OVERLAP] - there[:OVERLAP]).sum(axis=(1, 2, 3))
            if j:
                error += np.square(windows[:, :, :OVERLAP] - there[:, :OVERLAP]).sum(axis=(1, 2, 3))
            window = windows[rng.choice(np.flatnonzero(error <= error.min() * (1 + TOLERANCE) + 1e-9))]
            keep = np.zeros((block, block), bool)
            if i:
                keep[:OVERLAP] |= _seam(np.square(window[:OVERLAP] - there[:OVERLAP]).sum(axis=2).T).T
            if j:
                keep[:, :OVERLAP] |= _seam(np.square(window[:, :OVERLAP] - there[:, :OVERLAP]).sum(axis=2))
            there[~keep] = window[~keep]
    return out[: shape[0], : shape[1]]


def _seam(error: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(H, W) what lies left of the path from the first to the last row along which `error` (H, W) is least."""
    cost = error.copy()
    for r in range(1, len(cost)):
        cost[r] += ndimage.minimum_filter1d(cost[r - 1], 3, mode="nearest")
    column = np.empty(len(cost), int)
    column[-1] = int(cost[-1].argmin())
    for r in range(len(cost) - 2, -1, -1):
        low = max(column[r + 1] - 1, 0)
        column[r] = low + int(cost[r, low : column[r + 1] + 2].argmin())
    return np.arange(error.shape[1])[None] < column[:, None]
