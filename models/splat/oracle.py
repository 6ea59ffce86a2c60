"""The slow, plain rasterizer that the fast ones are held against: base.py in float64, no tiles, no shortcuts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.splat import base
from models.types import Camera, Gaussians, Picture

Array64 = NDArray[np.float64]


class OracleRasterizer:
    """One Gaussian after the other over the whole picture, nearest first; only for tests and small scenes."""

    name = "oracle"

    def render(
        self,
        gaussians: Gaussians,
        camera: Camera,
        *,
        background: tuple[float, float, float] = base.WHITE,
        depth: bool = False,
        normal: bool = False,
    ) -> Picture:
        """Draw as base.py defines; computed in float64, returned in float32."""
        height, width = camera.height, camera.width
        columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        transmittance = np.ones((height, width))
        finished = np.zeros((height, width), bool)
        total = np.zeros((height, width, 7))  # colour, z, normal

        for splat in _project(gaussians, camera):
            dx, dy = columns - splat.center[0], rows - splat.center[1]
            (a, b), (_, c) = np.linalg.inv(splat.covariance)
            density = splat.opacity * np.exp(-0.5 * (a * dx * dx + 2.0 * b * dx * dy + c * dy * dy))
            alpha = np.minimum(base.ALPHA_MAX, density)
            touched = (density >= base.ALPHA_MIN) & ~finished
            after = transmittance * (1.0 - alpha)
            finished |= touched & (after <= base.T_MIN)
            drawn = touched & ~finished
            weight = np.where(drawn, alpha * transmittance, 0.0)
            total += weight[..., None] * np.concatenate([splat.color, [splat.z], splat.normal])
            transmittance = np.where(drawn, after, transmittance)

        alpha = 1.0 - transmittance
        color = total[..., :3] + transmittance[..., None] * np.asarray(background, np.float64)
        mean_z = np.divide(total[..., 3], alpha, out=np.zeros_like(alpha), where=alpha > 0)
        return Picture(
            color=color.astype(np.float32),
            alpha=alpha.astype(np.float32),
            depth=mean_z.astype(np.float32) if depth else None,
            normal=total[..., 4:].astype(np.float32) if normal else None,
        )


class _Splat:
    """One Gaussian on the picture: centre (2,) pixels, covariance (2, 2) pixels^2, z metres, and what it carries."""

    def __init__(self, center: Array64, covariance: Array64, z: float, opacity: float, color: Array64, normal: Array64):
        self.center, self.covariance, self.z = center, covariance, z
        self.opacity, self.color, self.normal = opacity, color, normal


def _project(gaussians: Gaussians, camera: Camera) -> list[_Splat]:
    """The Gaussians that can be seen at all, nearest first."""
    w, t = camera.world_to_camera[:3, :3], camera.world_to_camera[:3, 3]
    splats = []
    for mean, quaternion, scales, opacity, color in zip(
        gaussians.means.astype(np.float64),
        gaussians.rotations.astype(np.float64),
        gaussians.scales.astype(np.float64),
        gaussians.opacities.astype(np.float64),
        gaussians.colors.astype(np.float64),
        strict=True,
    ):
        length = np.linalg.norm(quaternion)
        everything = np.concatenate([mean, quaternion, scales, [opacity], color])
        if not np.isfinite(everything).all() or length == 0.0 or opacity < base.ALPHA_MIN:
            continue
        x, y, z = w @ mean + t
        if z <= base.NEAR:
            continue
        rotation = rotation_matrix(quaternion / length)
        jacobian = np.array(
            [
                [camera.fx / z, 0.0, -camera.fx * _clamped(x / z, camera.width, camera.fx, camera.cx) / z],
                [0.0, camera.fy / z, -camera.fy * _clamped(y / z, camera.height, camera.fy, camera.cy) / z],
            ]
        )
        half = jacobian @ w @ rotation @ np.diag(scales)
        covariance = half @ half.T + base.DILATION * np.eye(2)
        determinant = np.linalg.det(covariance)
        if not np.isfinite(determinant) or determinant <= 0.0:
            continue
        center = np.array([camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy])
        axis = rotation[:, np.argmin(np.abs(scales))]
        ray = mean - camera.position
        axis = -axis if axis @ ray > base.EDGE_ON * np.linalg.norm(ray) else axis
        splats.append(_Splat(center, covariance, z, opacity, color, axis))
    return sorted(splats, key=lambda splat: np.float32(splat.z))


def _clamped(slope: float, size: int, focal: float, principal: float) -> float:
    """x/z (or y/z) kept within the field of view and a margin around it; size, focal, principal in pixels."""
    margin = base.FOV_MARGIN * 0.5 * size / focal
    return min((size - principal) / focal + margin, max(-principal / focal - margin, slope))


def rotation_matrix(quaternion: Array64) -> Array64:
    """Unit quaternion wxyz (4,) -> rotation (3, 3)."""
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
