"""How fast an avatar is drawn when what the view cannot see is left out, and how little that changes the picture."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import arkit
from models.avatar import Avatar
from models.heads import registry
from models.heads.base import quaternion
from models.renderer import AvatarRenderer
from models.splat import workers
from models.splat.base import WHITE
from models.splat.cpu import CpuRasterizer, draw_features
from models.splat.workspace import Workspace
from models.tracking.synthetic_landmarks import head_pose
from models.types import Camera, DriveFrame, Gaussians

SIZE = 512
FACES: tuple[tuple[dict[str, float], float, float], ...] = (
    ({"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "cheekSquintLeft": 0.5}, 0.0, 0.0),
    ({"jawOpen": 1.0}, 0.0, 0.0),
    ({"jawOpen": 0.6, "tongueOut": 1.0, "browInnerUp": 1.0}, 0.2, 0.0),
    ({"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0, "mouthPucker": 0.7}, 0.0, 0.3),
    ({}, np.deg2rad(30.0), 0.0),
    ({"jawOpen": 0.8, "eyeWideLeft": 1.0}, np.deg2rad(-30.0), 0.0),
    ({}, 0.0, np.pi / 4),
    ({"mouthFunnel": 0.8}, 0.0, -np.pi / 2),
)
"""Coefficients, turn of the head and turn of the camera (radians)."""


def bench_avatar(avatar: Avatar, repeats: int = 40) -> list[dict[str, Any]]:
    """Two rows: the avatar at rest from the front, SIZE x SIZE, on the CPU, with all its Gaussians and with what the view sees.

    With all: every Gaussian at every row of pixels that it reaches, as the rasterizer with gradients draws; with what the view
    sees: live pictures. The two take turns. median_ms and p95_ms of a picture, the posing not counted; times_faster: the median
    of the ratios. front_db: PSNR of the bytes against the first row's; faces_db and least_db: the mean and the least over FACES.
    """
    fast = CpuRasterizer()
    renderer = AvatarRenderer(avatar, registry.by_name(avatar.head), fast, SIZE, SIZE)
    workspace, behind = Workspace(), np.array(WHITE, np.float32)
    out = np.empty((SIZE, SIZE, 3), np.uint8)

    def whole(gaussians: Gaussians, camera: Camera) -> NDArray[np.float32]:
        workspace.prepare(gaussians, camera, fast.threads)
        return draw_features(workspace, gaussians.colors, behind, camera, fast.threads).out

    def decibels(face: tuple[dict[str, float], float, float]) -> float:
        coefficients, turn, yaw = face
        drive = DriveFrame(
            rotation=quaternion(head_pose(turn, 0.0, 0.0, (0.0, 0.0, 0.0))[:3, :3]),
            coefficients=np.array(arkit.vector(**coefficients), np.float32),
        )
        gaussians, camera = renderer.gaussians(drive), renderer.view_camera(yaw)
        fast.render_into(gaussians, camera, out)
        exact = np.floor(np.clip(whole(gaussians, camera), 0.0, 1.0) * 255.0 + 0.5)
        return float(10.0 * np.log10(255.0**2 / max(float(np.mean((exact - out) ** 2)), 1e-9)))

    faces = [decibels(face) for face in FACES]
    front = decibels(({}, 0.0, 0.0))
    gaussians, camera = renderer.gaussians(DriveFrame()), renderer.view_camera()
    tasks: list[Callable[[], object]] = [lambda: whole(gaussians, camera), lambda: fast.render_into(gaussians, camera, out)]
    times = np.empty((repeats, 2))
    for turn in range(repeats):
        for k, task in enumerate(tasks):
            start = time.perf_counter()
            task()
            times[turn, k] = 1e3 * (time.perf_counter() - start)
    common = {"gaussians": len(gaussians), "size": SIZE, "threads": workers.available()}
    medians, late = np.median(times, axis=0), np.percentile(times, 95, axis=0)
    quality = ({"front_db": None, "faces_db": None, "least_db": None},
               {"front_db": front, "faces_db": float(np.mean(faces)), "least_db": min(faces)})  # fmt: skip
    ratios = (None, float(np.median(times[:, 0] / times[:, 1])))
    return [
        {
            "what": what,
            **common,
            "median_ms": float(medians[k]),
            "p95_ms": float(late[k]),
            "times_faster": ratios[k],
            **quality[k],
        }
        for k, what in enumerate(("avatar, all Gaussians", "avatar, what the view sees"))
    ]
