"""Who looks at whom: from where a person looks on the own screen to where that person's avatar looks in the room.

A face before a screen turns by a few degrees from one picture to the next; around a table the same glance takes up to a right
angle. `Attention` finds the cell of the picture (realtime/room/seating.py) that the tracked gaze falls on, and turns head and
eyes of the avatar by the difference between the two, so that the avatar looks at the person who is shown in that cell. What
the gaze misses the face by, the avatar misses the person by.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from models.heads.base import quaternion, rotation_matrix
from models.types import Array, Array64, DriveFrame
from realtime.room.seating import HEAD_HEIGHT, HEAD_WIDTH, Seat, about_y

HALF_SPAN = (math.radians(15.0), math.radians(11.0))
"""Half the angle that the picture takes before the person, to the side and up: a laptop's screen at arm's length."""
FACE = (0.10, 0.12)
"""Half a face, metres to the side and up: whose gaze falls within looks at the person."""
WITHIN = 0.2
"""Part of a movement of the gaze within the face that the avatar makes, so that the eyes live."""
KEEP = math.radians(2.0)
"""How much nearer another face must be before the avatar turns to it."""
SETTLE = 0.12
"""Seconds in which a turn to somebody else goes most of its way."""
HEAD_SHARE = 0.65
"""Part of the turn that the head makes; the eyes make the rest (Stahl 1999: heads make about two thirds of large shifts)."""
MOST_EYES = (math.radians(25.0), math.radians(18.0))
"""How far the eyes turn in the head; the head makes what is beyond."""


class Attention:
    """The attention of one person. Call it for every drive frame."""

    def __init__(self) -> None:
        self.attended: int | None = None
        """Position in `cells` of the person that is looked at; None while nobody is there or nobody looks."""
        self.turning = False
        """Whether the next call with the same drive frame would give another one."""
        self._turn = np.zeros(2)
        self._time: float | None = None

    def __call__(
        self, drive: DriveFrame, own: Seat, cells: Array64, eyes: Array64, now: float, *, attends: bool = True
    ) -> DriveFrame:
        """The drive frame with head and eyes turned. attends: whether the person looks at a screen.

        drive: relative to the resting head (realtime/rest.py). cells: (K, 4) of the picture that the person sees. eyes: (K, 3)
        metres, room axes: where to look to meet each person's eyes. now: seconds.
        """
        share = 1.0 if self._time is None else 1.0 - math.exp(-max(0.0, now - self._time) / SETTLE)
        self._time = now
        wanted = np.zeros(2)
        if attends and drive.confidence > 0 and len(cells):
            seen = angles(direction_of(drive))
            self.attended = self._nearest(seen, cells)
            head = own.position + about_y(own.yaw) @ (drive.translation + own.eye - own.position)
            to = about_y(own.yaw).T @ (eyes[self.attended] - head)
            wanted = angles(to) + _miss(seen, cells[self.attended]) - seen
        else:
            self.attended = None
        self._turn += share * (wanted - self._turn)
        self.turning = bool(np.abs(wanted - self._turn).max() > 1e-3)
        return turned(drive, self._turn) if np.abs(self._turn).max() > 1e-4 else drive

    def _nearest(self, seen: Array64, cells: Array64) -> int:
        away = np.array([np.linalg.norm(seen - centre_of(cell)) for cell in cells])
        nearest = int(np.argmin(away))
        kept = self.attended
        return kept if kept is not None and kept < len(cells) and away[kept] < away[nearest] + KEEP else nearest


def direction_of(drive: DriveFrame) -> Array64:
    """(3,) unit, avatar space: where the person looks, by head and eyes."""
    return np.asarray(rotation_matrix(drive.rotation) @ direction(np.asarray(drive.gaze, np.float64).mean(0)))


def direction(yaw_pitch: Array64) -> Array64:
    """(3,) unit vector of yaw (positive: to the left) and pitch (positive: up), radians; +z is ahead."""
    yaw, pitch = yaw_pitch
    return np.array([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])


def angles(vector: Array64) -> Array64:
    """(2,) yaw and pitch of a vector; the inverse of `direction`."""
    return np.array([math.atan2(vector[0], vector[2]), math.atan2(vector[1], math.hypot(vector[0], vector[2]))])


def centre_of(cell: Array64) -> Array64:
    """(2,) yaw and pitch under which the person sees the middle of a cell of the own screen."""
    x, y = cell[0] + cell[2] / 2, cell[1] + cell[3] / 2
    return np.array([(0.5 - x) * 2 * HALF_SPAN[0], (0.5 - y) * 2 * HALF_SPAN[1]])


def _miss(seen: Array64, cell: Array64) -> Array64:
    """(2,) by how much the gaze misses the face in the cell; a small part of that within the face."""
    across, upright = cell[2] / HEAD_WIDTH, cell[3] / HEAD_HEIGHT  # parts of the picture a metre, at the most
    half = 2 * np.array([FACE[0] * across * HALF_SPAN[0], FACE[1] * upright * HALF_SPAN[1]])
    apart = seen - centre_of(cell)
    inside = np.clip(apart, -half, half)
    return np.asarray(WITHIN * inside + apart - inside)


def turned(drive: DriveFrame, turn: Array64) -> DriveFrame:
    """The drive frame with its gaze turned by yaw and pitch: head and eyes share the turn, and the gaze is met exactly."""
    goal = direction(angles(direction_of(drive)) + turn)
    head = _towards(turn * HEAD_SHARE) @ rotation_matrix(drive.rotation)
    eyes = angles(head.T @ goal)
    kept = np.clip(eyes, -np.array(MOST_EYES), MOST_EYES)
    if np.abs(eyes - kept).max() > 1e-9:
        head = _towards(angles(goal) - angles(head @ direction(kept))) @ head
        eyes = angles(head.T @ goal)
    gaze = np.asarray(drive.gaze, np.float64)
    return replace(drive, rotation=quaternion(head), gaze=_float32(gaze - gaze.mean(0) + eyes))


def _towards(yaw_pitch: Array64) -> Array64:
    """(3, 3) rotation that takes +z to `direction(yaw_pitch)`, upright."""
    c, s = math.cos(yaw_pitch[1]), math.sin(yaw_pitch[1])
    up = np.array([[1.0, 0.0, 0.0], [0.0, c, s], [0.0, -s, c]])
    return np.asarray(about_y(float(yaw_pitch[0])) @ up)


def _float32(values: Array64) -> Array:
    return np.asarray(values, np.float32)
