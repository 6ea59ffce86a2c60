"""What a camera in front of a head sees."""

from __future__ import annotations

import numpy as np

from models import arkit
from models.heads.base import REGION, HeadModel
from models.heads.raster import rasterize
from models.types import Array, Camera


def face(**values: float) -> np.ndarray:
    """52 coefficients."""
    return np.asarray(arkit.vector(**values), np.float32)


def pixels_of(head: HeadModel, vertices: Array, region: str) -> int:
    """How much of a region is seen from the front."""
    camera = Camera.orbit(0.0, distance=1.2, width=640, height=640, fov_y=np.deg2rad(15), target=(0, -0.01, 0.05))
    seen = rasterize(vertices, head.faces, camera).face
    return int((head.region[seen[seen >= 0]] == REGION[region]).sum())
