"""Error of an avatar's silhouette in views that the photo does not show, measured on synthetic people whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from enrollment.high.conditions import target_camera
from enrollment.high.synthesize import PITCH
from enrollment.instant.pipeline import Enrollment
from enrollment.prior_training.training_pairs import TrainingPairMaker
from models import arkit
from models.avatar import Avatar, AvatarPoser
from models.heads.base import HeadModel
from models.splat.cpu import CpuRasterizer
from models.types import Array, Camera

YAWS = (40.0, -40.0, 90.0, -90.0, 135.0, 180.0)
"""Of the views that are compared, degrees."""
SIDE = 192
"""Of the pictures, pixels."""
HEAD = 0.66
"""Upper part of the picture's height that is compared: head and neck without the shoulders."""
REST = np.zeros(arkit.COUNT, np.float32)


@dataclass(frozen=True)
class OutlineBenchmark:
    """One synthetic person. mattes: (len(YAWS), SIDE, SIDE), the true silhouettes."""

    enrollment: Enrollment
    mattes: Array

    @staticmethod
    def of(maker: TrainingPairMaker) -> OutlineBenchmark:
        """Render the true silhouettes of the head that was photographed at this maker."""
        made = maker.made
        mattes = [
            made.head.render(made.true_camera(camera), REST, made.true_pose(REST), background=1.0).matte for camera in cameras()
        ]
        return OutlineBenchmark(made.enrollment, np.stack(mattes))

    def error(self, avatar: Avatar, model: HeadModel) -> float:
        """Mean error of the avatar's silhouettes relative to the area of the true ones."""
        poser, rasterizer, upper = AvatarPoser(avatar, model), CpuRasterizer(1), round(HEAD * SIDE)
        errors = []
        for camera, truth in zip(cameras(), self.mattes, strict=True):
            alpha = rasterizer.render(poser.pose(REST), camera).alpha
            errors.append(np.abs(alpha - truth)[:upper].sum() / truth[:upper].sum())
        return float(np.mean(errors))


def cameras() -> list[Camera]:
    """Cameras of the compared views."""
    return [target_camera(yaw, PITCH, size=SIDE) for yaw in YAWS]
