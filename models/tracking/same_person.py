"""Whether a clip shows the avatar's own person: by looking, not by measuring the head, which fits many people.

The avatar is drawn over some of the clip's pictures, and the colours inside the face's outline are compared. The same person
in quite another light counts as another: what is decided here is also whether the pictures can be laid over each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from models.avatar import AvatarPoser
from models.posture import pose_of
from models.renderer import tracked_camera
from models.splat.choose import best
from models.tracking.landmarks import Landmarks
from models.types import Array, DriveFrame

Pixels = NDArray[np.uint8]
Look = tuple[Pixels, Landmarks, DriveFrame]
"""A picture (H, W, 3) of the clip, the face in it, and the drive frame solved for it."""

SIDE = 128
"""Pixels of the larger side, of the pictures compared."""
BLUR = 2.0
"""Pixels; colours are compared, not details."""
MOST = 0.075
"""Mean difference of colours in [0, 1] up to which two pictures show one person. Measured as `difference`: 0.02 and 0.03
for avatars of a clip's own person, 0.13 to 0.33 for sixteen others."""


def same_person(poser: AvatarPoser, looks: list[Look], focal: float) -> bool:
    """Whether the avatar looks like the face in these pictures of one camera; focal: pixels."""
    return bool(looks) and float(np.median([difference(poser, look, focal) for look in looks])) <= MOST


def difference(poser: AvatarPoser, look: Look, focal: float) -> float:
    """Mean absolute difference of the colours in the face, [0, 1]; 1 where the avatar is not in front of the camera."""
    rgb, face, drive = look
    height, width = rgb.shape[:2]
    part = SIDE / max(height, width)
    size = max(1, round(width * part)), max(1, round(height * part))
    camera = tracked_camera(width, height, focal).resized(*size)
    drawn = best().render(poser.pose(drive.coefficients, pose_of(drive, poser.person.joints)), camera)
    seen = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    outline = cv2.convexHull((face.points[:, :2] * part).astype(np.int32))
    inside = cv2.fillConvexPoly(np.zeros(size[::-1], np.uint8), outline, 1).astype(bool)
    return float(np.abs(_smooth(drawn.color) - _smooth(seen))[inside].mean()) if inside.any() else 1.0


def evenly(frames: Iterable[tuple[Pixels, float]], kept: dict[int, Pixels], most: int) -> Iterator[tuple[Pixels, float]]:
    """The frames as they come; up to `most` of them, evenly spread over all, are in `kept` by their number at the end."""
    apart = 1
    for i, (rgb, seconds) in enumerate(frames):
        if i % apart == 0:
            kept[i] = rgb
        if len(kept) > most:
            apart *= 2
            for number in [k for k in kept if k % apart]:
                del kept[number]
        yield rgb, seconds


def _smooth(picture: Array) -> Array:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), BLUR), np.float32)
