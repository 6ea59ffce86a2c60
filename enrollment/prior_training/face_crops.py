"""Synthetic faces for the expression encoder alone: moments of a person, each from the same two webcams.

A pair of `enrollment.prior_training.training_pairs` costs an enrollment; a face costs one small picture, so expressions come by
the dozen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from enrollment.high.conditions import target_camera
from models import arkit
from models.diffusion.parts import PARTS, face_parts
from models.diffusion.points import COUNT, part_points
from models.heads.base import HeadModel, Pose
from models.synthetic.expressions import gaze_of, random_expression
from models.synthetic.head import SyntheticHead
from models.types import Array, Camera

CROP = 128
"""Side in pixels of what the encoder sees, the four parts of a face (`models.diffusion.parts`)."""
DRAWN = 192
"""Pixels of the picture that they are cut out of: an eye is a little finer there than the encoder sees it."""
MARGIN = 1.2
"""Its side in sides of the landmarks' box."""
MOMENTS, GROUPS = 4, 10
"""Moments that share two webcams, and how often a person sits down before two others."""
APART = 15.0
"""Degrees between the two webcams at least."""

ROW = np.dtype([
    ("parts", "u1", (MOMENTS, 2, CROP, CROP, 3)),
    ("points", "f2", (MOMENTS, 2, len(PARTS), COUNT, 2)),
    ("coefficients", "f2", (MOMENTS, arkit.COUNT)),
])  # fmt: skip
"""One group: sRGB parts of each moment from both webcams, where the landmarks lie in them, and what the face did."""


def rows(model: HeadModel, seed: int, *, groups: int = GROUPS) -> NDArray[np.void]:
    """(groups,) of `ROW`, of the synthetic head with number `seed`."""
    rng = np.random.default_rng([seed, 0xFACE])
    head = SyntheticHead.random(model, seed)
    out = np.zeros(groups, ROW)
    for row in out:
        one = webcam(rng)
        webcams = [target_camera(*place, size=CROP) for place in (one, webcam(rng, away=one[0]))]
        for moment in range(MOMENTS):
            c = row["coefficients"][moment] = random_expression(rng, model)
            for view, camera in enumerate(webcams):
                row["parts"][moment, view], row["points"][moment, view] = look(head, camera, c, Pose(gaze=gaze_of(model, c)))
    return out


def webcam(rng: np.random.Generator, away: float | None = None) -> tuple[float, float]:
    """Yaw and pitch in degrees from which a webcam sees a face, at least `APART` degrees to the side of the yaw `away`."""
    while True:
        yaw = float(np.clip(rng.normal(0, 20), -45, 45))
        if away is None or abs(yaw - away) >= APART:
            return yaw, float(np.clip(rng.normal(0, 8), -15, 20))


def look(head: SyntheticHead, camera: Camera, coefficients: Array, pose: Pose) -> tuple[NDArray[np.uint8], Array]:
    """The parts of a moment's face as a camera sees it, (CROP, CROP, 3), and where its landmarks lie in them, (4, COUNT, 2)."""
    marks = head.person.landmarks(head.person.vertices(coefficients, pose))
    near = face_camera(marks, camera)
    color = head.render(near, coefficients, pose).color
    places = near.project(marks)
    return face_parts(np.asarray(np.round(255 * color.clip(0, 1)), np.uint8), places, CROP), part_points(places)


def face_camera(landmarks: Array, camera: Camera, side: int = DRAWN) -> Camera:
    """The part of a camera's picture that shows the face: a square around the landmarks (478, 3), world; `side` pixels."""
    xy = camera.project(landmarks)
    low, high = xy.min(axis=0), xy.max(axis=0)
    scale = side / (MARGIN * float((high - low).max()))
    cx, cy = side / 2 + scale * (np.array([camera.cx, camera.cy]) - (low + high) / 2)
    return Camera(side, side, camera.fx * scale, camera.fy * scale, float(cx), float(cy), camera.world_to_camera)
