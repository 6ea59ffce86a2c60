"""Gaze from a photo: the camera ray through each iris landmark is intersected with the fitted eyeball."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from enrollment.instant.fit import PhotoFit
from enrollment.portrait.portrait import Portrait
from models.heads.base import PersonHead
from models.types import Array, Array64

IRIS = ((473, "left_eye"), (468, "right_eye"))
"""Landmark at the centre of the iris, and region of the head model, of each eye."""
LIMIT = 0.6
"""Largest yaw and pitch of an eye, radians."""
LIDS = (((386, 374), (263, 362)), ((159, 145), (33, 133)))
"""Landmarks at the middle of the lids, and at the corners, of the left eye and of the right one."""
OPEN, SHUT = 0.33, 0.12
"""Height of an eye's opening relative to its width: usually, and under which the eye counts as shut (looking down: 0.2)."""
NARROW = 0.65
"""Width of an eye's opening relative to the other's under which the other one says where both look."""
MEET = 0.85
"""Coefficient of a blink at which the lids meet."""


def blinks(portrait: Portrait) -> Array:
    """(2,) float32: how far the left and the right eye are shut, as `eyeBlink`; 0 for one that is not shut."""
    points = portrait.landmarks.points[:, :2]
    part = np.array([np.linalg.norm(points[a] - points[b]) / np.linalg.norm(points[c] - points[d]) for (a, b), (c, d) in LIDS])
    return np.where(part < SHUT, MEET * (1 - part / OPEN), 0.0).astype(np.float32)


def _turned_out(portrait: Portrait) -> NDArray[np.bool_]:
    """(2,) the left and the right eye, where it is so much narrower than the other that the tracker guesses its iris."""
    points = portrait.landmarks.points[:, :2]
    width = np.array([np.linalg.norm(points[a] - points[b]) for _, (a, b) in LIDS])
    return np.asarray((width < NARROW * width[::-1]) & (blinks(portrait)[::-1] == 0))


def estimate_gaze(person: PersonHead, photo: PhotoFit, portrait: Portrait) -> Array:
    """Yaw and pitch of each eye, (2, 2) float32 radians, as `DriveFrame.gaze`. Both eyes get the mean of the two: a difference is
    an error of the fit. 0 is where the head model itself looks at rest, by its own landmarks, and for eyes that are shut."""
    seen = (blinks(portrait) == 0) & ~_turned_out(portrait)
    if not seen.any():
        return np.zeros((2, 2), np.float32)
    marks = photo.camera(portrait).project(person.landmarks(person.rest) @ photo.rotation.T + photo.translation)
    apart = [
        _eye_direction(person, photo, portrait, portrait.landmarks.points[mark, :2], region)
        - _eye_direction(person, photo, portrait, marks[mark], region)
        for mark, region in np.array(IRIS, object)[seen]
    ]
    mean = np.clip(np.mean(apart, axis=0), -LIMIT, LIMIT)
    return np.tile(mean, (2, 1)).astype(np.float32)


def _eye_direction(person: PersonHead, photo: PhotoFit, portrait: Portrait, pixel: Array | Array64, region: str) -> Array64:
    """Yaw and pitch from an eyeball's middle to its surface under a pixel (2,)."""
    ball = person.rest[person.model.region_vertices(region)]
    centre = ball.mean(axis=0)
    radius = float(np.linalg.norm(ball - centre, axis=1).max())
    x, y = pixel - np.asarray(portrait.principal)
    ray = np.array([x / photo.focal, -y / photo.focal, -1.0])
    ray /= np.linalg.norm(ray)
    middle = photo.rotation @ centre + photo.translation
    along = float(ray @ middle)
    miss = float(middle @ middle) - along**2
    hit = ray * (along - np.sqrt(max(radius**2 - miss, 0.0)))
    direction = photo.rotation.T @ (hit - middle)
    direction /= np.linalg.norm(direction)
    return np.array([np.arctan2(direction[0], direction[2]), np.arcsin(np.clip(direction[1], -1, 1))])
