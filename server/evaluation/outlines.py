"""How far the outline of a head is off where the photo does not show it: of synthetic people, whose true outline is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from enrollment.high.conditions import wanted_camera
from enrollment.high.high import SURVEY
from enrollment.high.synthesize import PITCH, synthesize
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.thickness import thickened
from enrollment.prior_training.training_pairs import Desk
from models import arkit
from models.avatar import Avatar, AvatarPoser
from models.diffusion.prior import Prior
from models.heads.base import HeadModel
from models.splat.cpu import CpuRasterizer
from models.types import Array, Camera

YAWS = (40.0, -40.0, 90.0, -90.0, 135.0, 180.0)
SIDE = 192
HEAD = 0.66
"""Part of a picture's height that is above the shoulders: clothes are not asked for."""
REST = np.zeros(arkit.COUNT, np.float32)


@dataclass(frozen=True)
class Outline:
    """One person. mattes: (len(YAWS), SIDE, SIDE), the truth."""

    enrollment: Enrollment
    mattes: Array

    @staticmethod
    def of(desk: Desk) -> Outline:
        """What the head that was photographed at this desk looks like from all sides."""
        made = desk.made
        mattes = [
            made.head.render(made.true_camera(camera), REST, made.true_pose(REST), background=1.0).matte for camera in cameras()
        ]
        enrollment = Enrollment(made.avatar, made.fitted, (made.shot.portrait,), (), 0.0)
        return Outline(enrollment, np.stack(mattes))

    def errors(self, prior: Prior, model: HeadModel) -> tuple[float, float]:
        """What the instant avatar's mattes are off by on average, in parts of the true silhouette, and what they are off by when
        its hair is as thick as the prior says (`enrollment.instant.thickness`)."""
        thick = thickened(self.enrollment, model, synthesize(self.enrollment, model, prior, SURVEY))
        return self._error(self.enrollment.avatar, model), self._error(thick.avatar, model)

    def _error(self, avatar: Avatar, model: HeadModel) -> float:
        poser, rasterizer, upper = AvatarPoser(avatar, model), CpuRasterizer(1), round(HEAD * SIDE)
        parts = []
        for camera, truth in zip(cameras(), self.mattes, strict=True):
            alpha = rasterizer.render(poser.pose(REST), camera).alpha
            parts.append(np.abs(alpha - truth)[:upper].sum() / truth[:upper].sum())
        return float(np.mean(parts))


def cameras() -> list[Camera]:
    """From where the outlines are looked at."""
    return [wanted_camera(yaw, PITCH, size=SIDE) for yaw in YAWS]
