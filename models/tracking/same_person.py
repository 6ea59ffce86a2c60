"""Whether a clip shows the avatar's own person: decided by colours, as the shape of a head fits many people.

The avatar is drawn over some of the clip's pictures, and the colours inside the face's outline are compared. One person in
another light counts as another: the decision is also whether the pictures can be laid over each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.avatar import AvatarPoser
from models.posture import pose_of
from models.renderer import tracked_camera
from models.splat.choose import best
from models.tracking.landmarks import Landmarks, Pixels
from models.types import Array, DriveFrame

SIDE = 128
"""Larger side of the pictures compared, pixels."""
BLUR = 2.0
"""Pixels; colours are compared, not details."""
MOST = 0.075
"""Mean difference of colours in [0, 1] up to which two pictures show one person. Measured as `difference`: 0.02 and 0.03
for avatars of a clip's own person, 0.13 to 0.33 for sixteen others."""


@dataclass(frozen=True)
class SolvedPicture:
    """rgb: (H, W, 3) uint8, a picture of the clip. face: its landmarks. drive: the drive frame solved from them."""

    rgb: Pixels
    face: Landmarks
    drive: DriveFrame


def same_person(poser: AvatarPoser, pictures: list[SolvedPicture], focal: float) -> bool:
    """Whether the avatar looks like the face in these pictures of one camera; focal: pixels. False without a picture."""
    return bool(pictures) and float(np.median([difference(poser, picture, focal) for picture in pictures])) <= MOST


def difference(poser: AvatarPoser, picture: SolvedPicture, focal: float) -> float:
    """Mean absolute difference of the colours in the face, [0, 1]; 1 where the avatar is not in front of the camera."""
    height, width = picture.rgb.shape[:2]
    part = SIDE / max(height, width)
    size = max(1, round(width * part)), max(1, round(height * part))
    camera = tracked_camera(width, height, focal).resized(*size)
    pose = pose_of(picture.drive, poser.person.joints)
    rendered = best().render(poser.pose(picture.drive.coefficients, pose), camera).color
    target = cv2.resize(picture.rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    outline = cv2.convexHull((picture.face.points[:, :2] * part).astype(np.int32))
    inside = cv2.fillConvexPoly(np.zeros(size[::-1], np.uint8), outline, 1).astype(bool)
    return float(np.abs(_smooth(rendered) - _smooth(target))[inside].mean()) if inside.any() else 1.0


def _smooth(picture: Array) -> Array:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), BLUR), np.float32)
