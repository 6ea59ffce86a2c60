"""The normal of a Gaussian: its shortest axis, turned to the camera (base.py, step 6)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.splat import base
from models.types import Array, Camera, Gaussians


def shortest_axes(gaussians: Gaussians, camera: Camera) -> Array:
    """(N, 3) float32 unit vectors in the world frame; rows of Gaussians with broken numbers mean nothing."""
    with np.errstate(all="ignore"):
        quaternions = gaussians.rotations / np.linalg.norm(gaussians.rotations, axis=1, keepdims=True)
        axes = _column(quaternions, np.argmin(np.abs(gaussians.scales), axis=1))
        rays = gaussians.means - camera.position.astype(np.float32)
        away = np.einsum("ij,ij->i", axes, rays) > base.EDGE_ON * np.linalg.norm(rays, axis=1)
    return np.where(away[:, None], -axes, axes).astype(np.float32)


def _column(quaternions: Array, index: NDArray[np.intp]) -> Array:
    """Column index[i] of the rotation matrix of unit quaternion i (wxyz): (N, 4), (N,) -> (N, 3).

    Column k is e_k turned by (w, q): 2 q q_k + (2 w^2 - 1) e_k + 2 w (q x e_k).
    """
    w, q = quaternions[:, :1], quaternions[:, 1:]
    unit = np.eye(3, dtype=np.float32)[index]
    along = np.take_along_axis(q, index[:, None], axis=1)
    return 2.0 * q * along + (2.0 * w * w - 1.0) * unit + 2.0 * w * np.cross(q, unit)
