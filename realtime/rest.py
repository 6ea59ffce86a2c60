"""The avatar while nobody drives it: it eases to rest, and from rest to the live pose again, without a jump.

Nobody drives the avatar while no webcam frame comes (camera off, person left, line stalled) and while no frame shows a face.
For `AFTER` seconds the last pose is held, because trackers lose a face for short times; then coefficients, gaze and head ease to
rest, and the picture stands still. When a face is seen again, the avatar eases from its present pose to the live pose.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.heads.base import quaternion, rotation_log, rotation_matrix, rotation_vector
from models.types import Array, Array64, DriveFrame

AFTER = 0.7
"""Seconds without a face after which the avatar goes to rest."""
TO_REST, TO_LIVE = 0.5, 0.3
"""Seconds that easing takes."""
JUMP = 0.5
"""Seconds without a face after which the next one may be anywhere, so that it is eased to."""
STEP = 1 / 30
"""Seconds between two pictures on the way to rest."""
SLOWEST = 0.1
"""Seconds by which easing goes on at the most from one picture to the next: where pictures are slow, it takes longer instead
of jumping."""
REST = DriveFrame(confidence=0.0)
"""Neutral face, gaze ahead, head where it rests."""


def relative(drive: DriveFrame, resting: Array64) -> DriveFrame:
    """The drive frame with its head relative to the `resting` one, (4, 4) rigid in the same axes: the identity is at rest."""
    back = resting[:3, :3].T
    return replace(
        drive,
        rotation=quaternion(back @ rotation_matrix(drive.rotation)),
        translation=back @ (drive.translation - resting[:3, 3]),
    )


def blend(start: DriveFrame, end: DriveFrame, share: float) -> DriveFrame:
    """Interpolate from `start` (share 0) to `end` (share 1): the head along the shortest arc, the rest linearly.

    Time stamp and confidence are those of `end`.
    """
    first = rotation_matrix(start.rotation)
    turn = rotation_log(rotation_matrix(end.rotation) @ first.T)
    return replace(
        end,
        rotation=quaternion(rotation_vector(share * turn) @ first),
        translation=start.translation + share * (end.translation - start.translation),
        coefficients=_linear(start.coefficients, end.coefficients, share),
        gaze=_linear(start.gaze, end.gaze, share),
    )


def smoothstep(x: float) -> float:
    """3 x^2 - 2 x^3, x cut to [0, 1]: starts and ends without speed."""
    x = min(max(x, 0.0), 1.0)
    return x * x * (3.0 - 2.0 * x)


class Resting:
    """Turns drive frames, and the time since the last one, into the frames to show.

    Poses are relative to the resting head (`realtime.pipeline.Pipeline.step`), so that `REST` suits every person.
    driven: whether a face was seen within the last `AFTER` seconds.
    """

    def __init__(self) -> None:
        self.driven = False
        self._live = REST
        self._seen = -np.inf
        self._source: object = None
        self._shown = REST
        self._origin: DriveFrame | None = None
        self._progress = 0.0
        self._now = 0.0

    def see(self, drive: DriveFrame, now: float, source: object = None) -> bool:
        """A drive frame has come; returns whether it drives: one without a face (confidence 0) does not. now: seconds. source:
        what it is from; a frame from another one is eased to."""
        if drive.confidence <= 0.0:
            return False
        if not self.driven or now - self._seen > JUMP or source != self._source:
            self._turn_to(now)
        self.driven, self._live, self._seen, self._source = True, drive, now, source
        return True

    def show(self, now: float) -> DriveFrame:
        """The frame to show at `now`: a new one while it eases; afterwards the last live frame itself, or `REST` itself."""
        if self.driven and now - self._seen > AFTER:
            self.driven = False
            self._turn_to(now)
        goal, duration = (self._live, TO_LIVE) if self.driven else (REST, TO_REST)
        self._progress += min(now - self._now, SLOWEST) / duration
        self._now = now
        if self._progress >= 1.0:
            self._origin = None
        self._shown = goal if self._origin is None else blend(self._origin, goal, smoothstep(self._progress))
        return self._shown

    def _turn_to(self, now: float) -> None:
        self._origin, self._progress, self._now = self._shown, 0.0, now


def _linear(start: Array, end: Array, share: float) -> Array:
    return np.asarray(start + np.float32(share) * (end - start), np.float32)
