"""Random head poses."""

from __future__ import annotations

import numpy as np

from models.heads.base import Pose, rotation_vector
from models.posture import body_under
from models.synthetic.expressions import gaze_of
from models.synthetic.head import SyntheticHead
from models.types import Array64


def random_pose(head: SyntheticHead, coefficients: np.ndarray, rng: np.random.Generator, *, turn: float = 0.25) -> Pose:
    """The head a little turned (radians, one standard deviation about the upright axis) on shoulders that follow."""
    matrix: Array64 = np.eye(4)
    angles = rng.normal(0, 1, 3) * np.array([0.5, 1.0, 0.35]) * turn
    matrix[:3, :3] = rotation_vector(np.clip(angles, -0.6, 0.6))
    return Pose(head=matrix, body=body_under(matrix, head.person.joints), gaze=gaze_of(head.person.model, coefficients))
