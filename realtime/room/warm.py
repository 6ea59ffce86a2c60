"""Loads the compiled kernels of solving, posing and drawing when it is imported: half a second that no room waits for. Starts no
thread."""

from __future__ import annotations

import numpy as np

from models.avatar import Avatar
from models.binding import BoundGaussians
from models.heads import registry
from models.renderer import view_camera
from models.splat.cpu import CpuRasterizer
from models.tracking.solver import Solver
from models.types import DriveFrame
from realtime.room.pipeline import facing
from realtime.room.scene import Composer, Placed, SceneAvatar


def _somebody(model_name: str, identities: int, vertices: int) -> Avatar:
    """An avatar of four Gaussians."""
    turned = np.tile(np.array([1, 0, 0, 0], np.float32), (4, 1))
    numbers = [np.full(shape, 0.5, np.float32) for shape in ((4, 3), (4, 3), 4, (4, 3))]
    gaussians = BoundGaussians(np.arange(4, dtype=np.int32), numbers[0], turned, *numbers[1:])
    return Avatar(model_name, np.zeros(identities, np.float32), np.zeros((vertices, 3), np.float32), gaussians)


def _work() -> None:
    model = registry.by_name("anny")
    scene_avatar = SceneAvatar(_somebody(model.name, model.identity_count, model.vertex_count), model)
    Solver(scene_avatar.person).solve(facing(scene_avatar.person), 0.0)
    placed = [Placed(scene_avatar.gaussians(DriveFrame(), 1000.0), np.eye(4))] * 2
    camera = view_camera(width=64, height=64)
    gaussians, camera = Composer()(placed, camera)
    CpuRasterizer(threads=1).render_into(gaussians, camera, np.empty((64, 64, 3), np.uint8))


_work()
