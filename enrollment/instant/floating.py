"""Pieces of the invented surface that hang in the air: what the photo's outline leaves of hair or cloth that it denies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.types import Array

VOXEL = 0.01
"""Side of the voxels in which points are counted as neighbours, metres."""


def floating(points: Array) -> NDArray[np.bool_]:
    """(N,) which points are not connected with the largest piece. points: (N, 3) metres.

    Connected are points in voxels that touch, also at a corner.
    """
    if not len(points):
        return np.zeros(0, bool)
    cell = np.floor((points - points.min(axis=0)) / VOXEL).astype(int)
    filled = np.zeros(cell.max(axis=0) + 1, bool)
    filled[tuple(cell.T)] = True
    label, _ = ndimage.label(filled, np.ones((3, 3, 3)))
    piece = label[tuple(cell.T)]
    return np.asarray(piece != np.bincount(piece).argmax())
