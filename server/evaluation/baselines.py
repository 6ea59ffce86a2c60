"""Baselines without a head model that an avatar has to beat: the photo copied, and the photo warped between landmarks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from models.heads.raster import rasterize
from models.types import Array64, Camera

Pixels = NDArray[np.uint8]


def copy(photo: Pixels, count: int) -> list[Pixels]:
    """The photo `count` times."""
    return [photo] * count


def warp(photo: Pixels, source: NDArray[np.floating], target: NDArray[np.floating]) -> Pixels:
    """`photo`, (H, W, 3), warped so that its landmarks `source` come to lie at `target`, both (N, 2) pixels.

    Piecewise affine on a Delaunay triangulation of `target`; corners and the middles of the sides stay where they are.
    """
    height, width = photo.shape[:2]
    frame = _frame(width, height)
    target, source = np.concatenate([target, frame]), np.concatenate([source, frame])
    triangles = np.asarray(Delaunay(target).simplices, np.int32)
    flat = np.column_stack([target, np.ones(len(target))])  # at depth 1 a camera without focal length keeps pixels
    at = rasterize(flat, triangles, Camera(width, height, 1.0, 1.0, 0.0, 0.0), cull=False).interpolate(triangles, source)
    at -= 0.5  # remap counts from pixel centres
    return np.asarray(cv2.remap(photo, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _frame(width: int, height: int) -> Array64:
    return np.array([(x, y) for x in (0, width / 2, width) for y in (0, height / 2, height) if (x, y) != (width / 2, height / 2)])
