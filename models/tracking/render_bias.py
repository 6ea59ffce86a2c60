"""How the landmark tracker sees an avatar: shown a picture of it, it does not answer with the places that the head model
has for its landmarks. A solver that knows the difference finds the pose and expression whose *picture* matches a clip."""

from __future__ import annotations

import numpy as np

from models.avatar import Avatar
from models.heads.base import HeadModel, quaternion, rotation_vector
from models.renderer import AvatarRenderer, tracked_camera
from models.splat.choose import best
from models.tracking.face_basis import face_basis
from models.tracking.gauss_newton import project
from models.tracking.landmarks import FaceMesh
from models.tracking.tracker_bias import tracker_response
from models.types import Array64, DriveFrame

SIDE, FOCAL, DISTANCE = 512, 1024.0, 0.6
"""Of the pictures that are shown: pixels, pixels, metres."""
TURNS = np.deg2rad([-14.0, -7.0, 0.0, 7.0, 14.0])
LOOKS = 3
"""Looks at each picture; the tracker settles in the first two."""


def offset(avatar: Avatar, model: HeadModel) -> Array64:
    """(2, N) metres in head space, to the person's left and up, for `Solver.offset`: landmarks of the avatar's pictures less
    those of its head, at rest, the mean over some turns. Zero where no face is seen in any picture."""
    renderer = AvatarRenderer(avatar, model, best(), SIDE, SIDE, tracked=True)
    camera = tracked_camera(SIDE, SIDE, FOCAL)
    response = tracker_response()
    basis, none = face_basis(renderer.person, response), np.zeros_like(response.noise)
    translation = np.array([0.0, 0.0, -DISTANCE])
    away: list[Array64] = []
    with FaceMesh(static=False) as mesh:
        for turn in TURNS:
            rotation = rotation_vector(np.array([0.0, turn, 0.0]))
            picture = renderer.render(DriveFrame(rotation=quaternion(rotation), translation=translation), camera)
            found = [mesh(picture) for _ in range(LOOKS)][-1]
            if found:
                known = project(basis.resting(rotation, none), rotation, translation, FOCAL)
                pixels = found[0][response.landmarks, :2] - 0.5 * SIDE - known.pixels
                metres = pixels * (-known.points[:, 2:] / FOCAL) * (1.0, -1.0)
                away.append(np.linalg.solve(rotation[:2, :2], metres.T))
    return np.mean(away, axis=0) if away else none
