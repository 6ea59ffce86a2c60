"""Landmarks of a turned face's hidden contour."""

from __future__ import annotations

import numpy as np

from enrollment.portrait.far_contour import on_outline
from models.tracking.face_geometry import face_height
from models.tracking.landmarks import Landmarks

SIDE = 600


def _scene() -> tuple[Landmarks, np.ndarray, np.ndarray]:
    """A face of 300 pixels' height on a person who fills the picture from column 300 on."""
    points = np.tile(np.array([360.0, 300.0, 0.0], np.float32), (478, 1))
    points[10, :2], points[152, :2] = (360, 150), (360, 450)
    matte = np.zeros((SIDE, SIDE), np.float32)
    matte[:, 300:] = 1.0
    return Landmarks(points, 1.0, SIDE, SIDE), matte, np.ones((SIDE, SIDE), bool)


def test_a_landmark_in_the_background_is_moved_to_the_outline() -> None:
    face, matte, inside = _scene()
    face.points[234, :2] = (294.3, 240.4)
    moved = on_outline(face, matte, inside)
    assert moved.points[234, :2].tolist() == [300.5, 240.5]
    assert np.array_equal(np.delete(moved.points, 234, axis=0), np.delete(face.points, 234, axis=0))


def test_what_the_matte_cannot_know_stays() -> None:
    face, matte, inside = _scene()
    assert 270 < face_height(face) < 390
    inside[:120] = False
    matte[270:285, 390:405] = 0.0
    face.points[234, :2] = (299.8, 240)  # as good as the outline
    face.points[127, :2] = (240, 240)  # too far: the matte has lost the face
    face.points[103, :2] = (294, 100)  # beyond the photo
    face.points[67, :2] = (-5, 240)  # beyond the crop
    face.points[1, :2] = (396, 276)  # a hole in the matte
    assert np.array_equal(on_outline(face, matte, inside).points, face.points)
    assert on_outline(face, np.zeros_like(matte), inside) is face
