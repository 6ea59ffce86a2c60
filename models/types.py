"""What passes between the parts: cameras, drive frames, Gaussians in the world, rendered pictures.

Conventions are in docs/conventions.md: right-handed, metres; avatar space has its origin between the ears, +x to the
person's left, +y up, +z out of the face; cameras are OpenCV (x right, y down, z forward); quaternions are wxyz; colours are
sRGB in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from models import arkit

Array = NDArray[np.float32]
Array64 = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion, OpenCV axes.

    width, height: pixels. fx, fy, cx, cy: pixels; the centre of the top left pixel is at (0.5, 0.5).
    world_to_camera: (4, 4) float64, rigid; takes world points to x right, y down, z forward, metres.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    world_to_camera: Array64 = field(default_factory=lambda: np.eye(4))

    @property
    def position(self) -> Array64:
        """The camera's centre in the world, (3,) metres."""
        r, t = self.world_to_camera[:3, :3], self.world_to_camera[:3, 3]
        return -r.T @ t

    def resized(self, width: int, height: int) -> Camera:
        """The same view in another picture size; a change of aspect stretches."""
        sx, sy = width / self.width, height / self.height
        return replace(self, width=width, height=height, fx=self.fx * sx, fy=self.fy * sy, cx=self.cx * sx, cy=self.cy * sy)

    def project(self, points: NDArray[np.floating]) -> Array64:
        """World points (..., 3) -> pixels (..., 2). Points at or behind the camera give nonsense; check z before."""
        p = points @ self.world_to_camera[:3, :3].T + self.world_to_camera[:3, 3]
        return np.stack([self.fx * p[..., 0] / p[..., 2] + self.cx, self.fy * p[..., 1] / p[..., 2] + self.cy], axis=-1)

    @staticmethod
    def look_at(
        eye: NDArray[np.floating] | tuple[float, float, float],
        target: NDArray[np.floating] | tuple[float, float, float],
        *,
        width: int,
        height: int,
        fov_y: float,
        up: tuple[float, float, float] = (0.0, 1.0, 0.0),
    ) -> Camera:
        """A camera at `eye` that looks at `target`; vertical field of view in radians; principal point in the middle."""
        eye_, target_ = np.asarray(eye, np.float64), np.asarray(target, np.float64)
        z = target_ - eye_
        z /= np.linalg.norm(z)
        x = np.cross(z, np.asarray(up, np.float64))
        norm = np.linalg.norm(x)
        x = x / norm if norm > 1e-9 else np.array([1.0, 0.0, 0.0])
        y = np.cross(z, x)
        m = np.eye(4)
        m[:3, :3] = np.stack([x, y, z])
        m[:3, 3] = -m[:3, :3] @ eye_
        f = 0.5 * height / np.tan(0.5 * fov_y)
        return Camera(width, height, f, f, 0.5 * width, 0.5 * height, m)

    @staticmethod
    def orbit(
        yaw: float,
        pitch: float = 0.0,
        distance: float = 0.9,
        *,
        width: int = 512,
        height: int = 512,
        fov_y: float = np.deg2rad(24.0),
        target: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> Camera:
        """A camera on a sphere around `target`: yaw 0 faces the avatar, positive yaw moves towards +x (its left); radians."""
        direction = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
        eye = np.asarray(target) + distance * direction
        return Camera.look_at(eye, target, width=width, height=height, fov_y=fov_y)


@dataclass(frozen=True)
class DriveFrame:
    """One moment of a face; also the public wire format (docs/protocol.md: as bytes, and as JSON).

    timestamp: seconds on the sender's clock. confidence: [0, 1]; 0 means no face was seen and the rest repeats the last pose.
    rotation: (4,) float64 unit quaternion wxyz and translation: (3,) float64 metres: avatar space -> the capturing camera in
    OpenGL axes (x right in the picture, y up, z towards the viewer), so that identity faces the camera and a person in front
    of it has negative z.
    coefficients: (52,) float32 in [0, 1], Apple's order (models/arkit.py).
    gaze: (2, 2) float32 radians, rows left eye and right eye (the person's), columns yaw (positive: towards the person's left)
    and pitch (positive: up), relative to the head.
    """

    timestamp: float = 0.0
    confidence: float = 1.0
    rotation: Array64 = field(default_factory=lambda: np.array([1.0, 0.0, 0.0, 0.0]))
    translation: Array64 = field(default_factory=lambda: np.zeros(3))
    coefficients: Array = field(default_factory=lambda: np.zeros(arkit.COUNT, np.float32))
    gaze: Array = field(default_factory=lambda: np.zeros((2, 2), np.float32))

    @staticmethod
    def expression(**values: float) -> DriveFrame:
        """A frame at the origin with the named ARKit coefficients set."""
        return DriveFrame(coefficients=np.asarray(arkit.vector(**values), np.float32))


@dataclass(frozen=True)
class Gaussians:
    """3D Gaussians in the world, ready to draw.

    means: (N, 3) float32 metres. rotations: (N, 4) float32 wxyz, unit. scales: (N, 3) float32 metres, one standard deviation.
    opacities: (N,) float32 in [0, 1]. colors: (N, 3) float32 sRGB in [0, 1].
    """

    means: Array
    rotations: Array
    scales: Array
    opacities: Array
    colors: Array

    def __len__(self) -> int:
        return int(self.means.shape[0])


@dataclass(frozen=True)
class Picture:
    """What a rasterizer returns, all (H, W, ...) float32.

    color: (H, W, 3) sRGB over the background that was asked for. alpha: (H, W) in [0, 1].
    depth: (H, W) metres along the camera's z, alpha-weighted mean (0 where nothing is). normal: (H, W, 3) world frame,
    alpha-weighted sum of the Gaussians' shortest axes turned to the camera (not normalised). `None` where not asked for.
    """

    color: Array
    alpha: Array
    depth: Array | None = None
    normal: Array | None = None
