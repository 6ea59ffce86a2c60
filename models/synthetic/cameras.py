"""Cameras around a head: a chosen or a random viewpoint."""

from __future__ import annotations

import numpy as np

from models.types import Camera

MIDDLE = (0.0, 0.005, 0.0)
"""The point that cameras look at, metres, avatar space."""
SHOWN = 0.36
"""Height of a picture at the middle of the head, metres."""


def orbit_camera(yaw: float, pitch: float = 0.0, *, fov: float = 20.0, size: int = 256, shown: float = SHOWN) -> Camera:
    """A square camera around the head: yaw, pitch and fov in degrees, yaw positive towards the person's left; far enough away
    to see `shown` metres at the middle of the head."""
    angle = np.deg2rad(fov)
    distance = 0.5 * shown / np.tan(0.5 * angle)
    return Camera.orbit(
        np.deg2rad(yaw), np.deg2rad(pitch), float(distance), width=size, height=size, fov_y=float(angle), target=MIDDLE
    )


def random_camera(rng: np.random.Generator, *, size: int = 256, frontal: float = 0.6) -> Camera:
    """Mostly from in front, the rest all round; pitch -25 to 35 degrees; portrait to wide lenses; not quite centred."""
    yaw = rng.normal(0, 35) if rng.random() < frontal else rng.uniform(-180, 180)
    pitch = float(np.clip(rng.normal(3, 11), -25, 35))
    return orbit_camera(
        float(yaw), pitch, fov=float(rng.uniform(12, 32)), size=size, shown=SHOWN * float(rng.uniform(0.88, 1.12))
    )
