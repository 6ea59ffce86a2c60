"""From a drive frame to the pose of head and shoulders.

A tracker sees the head alone. The shoulders follow it by a part of its turn, and stand where the neck puts them.
"""

from __future__ import annotations

import numpy as np

from models.heads.base import HEAD, NECK, Pose, halfway, rotation_log, rotation_matrix, rotation_vector
from models.types import Array64, DriveFrame

SHOULDERS_FOLLOW = 0.2
"""How much of the head's turn the shoulders make along."""


def pose_of(drive: DriveFrame, joints: Array64) -> Pose:
    """Head and body in the drive frame's own space. joints: (6, 3) of the person (`PersonHead.joints`)."""
    head = np.eye(4)
    head[:3, :3] = rotation_matrix(drive.rotation)
    head[:3, 3] = drive.translation
    return Pose(head=head, body=body_under(head, joints), gaze=drive.gaze)


def body_under(head: Array64, joints: Array64, follow: float = SHOULDERS_FOLLOW, turn: float = 0.0) -> Array64:
    """(4, 4) pose of the shoulders under a head at `head` (4, 4): the neck, half turned, joins the two. turn: of the shoulders
    about their own vertical besides, radians, positive to the person's left."""
    body = np.eye(4)
    body[:3, :3] = rotation_vector(follow * rotation_log(head[:3, :3])) @ rotation_vector(np.array((0.0, turn, 0.0)))
    neck = halfway(body[:3, :3], head[:3, :3])
    base = head[:3, :3] @ joints[HEAD] + head[:3, 3] + neck @ (joints[NECK] - joints[HEAD])
    body[:3, 3] = base - body[:3, :3] @ joints[NECK]
    return body
