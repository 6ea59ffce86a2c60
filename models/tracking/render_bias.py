"""The landmark tracker's bias on an avatar's pictures: it does not report the places that the head model has for its landmarks.

A solver that knows the difference finds the pose and expression under which the avatar's *picture* matches a clip.
"""

from __future__ import annotations

import numpy as np

from models.avatar import Avatar
from models.heads.base import HeadModel, quaternion, rotation_vector
from models.renderer import AvatarRenderer, tracked_camera
from models.splat.choose import best
from models.tracking.face_basis import face_basis
from models.tracking.landmarks import FaceMesh
from models.tracking.pinhole import project
from models.tracking.tracker_bias import load_tracker_bias
from models.types import Array64, DriveFrame

SIDE, FOCAL, DISTANCE = 512, 1024.0, 0.6
"""Of the pictures that are rendered: pixels, pixels, metres."""
TURNS = np.deg2rad([-14.0, -7.0, 0.0, 7.0, 14.0])
PASSES = 3
"""Runs of the tracker on each picture; its window settles in the first two."""


def measure_render_bias(avatar: Avatar, model: HeadModel) -> Array64:
    """(2, N) metres in head space, to the person's left and up, for `Solver`'s `resting_offset`: landmarks of the avatar's
    pictures less those of its head, at rest, the mean over some turns. Zero where no face is found in any picture."""
    renderer = AvatarRenderer(avatar, model, best(), SIDE, SIDE, tracked=True)
    camera = tracked_camera(SIDE, SIDE, FOCAL)
    bias = load_tracker_bias()
    basis, zero = face_basis(renderer.person, bias), np.zeros_like(bias.noise)
    translation = np.array([0.0, 0.0, -DISTANCE])
    differences: list[Array64] = []
    with FaceMesh(static=False) as mesh:
        for turn in TURNS:
            rotation = rotation_vector(np.array([0.0, turn, 0.0]))
            picture = renderer.render(DriveFrame(rotation=quaternion(rotation), translation=translation), camera)
            found = [mesh(picture) for _ in range(PASSES)][-1]
            if found:
                expected = project(basis.resting(rotation, zero), rotation, translation, FOCAL)
                pixels = found[0][bias.landmarks, :2] - 0.5 * SIDE - expected.pixels
                metres = pixels * (-expected.points[:, 2:] / FOCAL) * (1.0, -1.0)
                differences.append(np.linalg.solve(rotation[:2, :2], metres.T))
    return np.mean(differences, axis=0) if differences else zero
