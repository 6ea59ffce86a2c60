"""The second layer under what a photo shows. It lies a little deeper than the surface that no photo shows, and where the two meet
there would be a step, through whose cracks one sees into the dark head from the side: the layer rises to the surface there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from models.types import Array

RISES = 0.01
"""Distance from the surface that no photo shows over which the layer rises to it, metres."""


def sunk(points: Array, under: NDArray[np.bool_], beside: NDArray[np.bool_]) -> Array:
    """(N,) in [0, 1]: part of their depth that the samples `under` (N,) lie under the surface; 1 elsewhere.

    points: (N, 3) metres, on the surface. beside: (N,) samples of the same surface that stay on it.
    """
    part = np.ones(len(points), np.float32)
    if under.any() and beside.any():
        away, _ = cKDTree(points[beside]).query(points[under], distance_upper_bound=RISES)
        part[under] = np.minimum(away / RISES, 1.0)
    return part
