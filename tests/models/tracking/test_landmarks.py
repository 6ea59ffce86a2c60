from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

data = pytest.importorskip("skimage.data")

from models.tracking.landmarks import detect_faces  # noqa: E402


def test_several_faces_come_largest_first(astronaut: NDArray[np.uint8]) -> None:
    small = cv2.copyMakeBorder(astronaut, 120, 120, 120, 120, cv2.BORDER_REPLICATE)
    small = cv2.resize(small, (512, 512), interpolation=cv2.INTER_AREA)
    faces = detect_faces(np.concatenate([small, astronaut], axis=1))
    assert len(faces) == 2
    assert faces[0].size > 1.3 * faces[1].size and faces[0].points[:, 0].mean() > 512
    assert all(0.4 < f.confidence <= 1.0 and f.points.shape == (478, 3) and f.points.dtype == np.float32 for f in faces)
    assert len(detect_faces(np.concatenate([small, astronaut], axis=1), max_faces=1)) == 1


def test_a_face_that_fills_the_picture_is_found(astronaut: NDArray[np.uint8]) -> None:
    assert len(detect_faces(astronaut[70:190, 165:290])) == 1


def test_landmarks_do_not_depend_on_the_size_of_the_face(astronaut: NDArray[np.uint8]) -> None:
    large = cv2.resize(astronaut, None, fx=2.5, fy=2.5, interpolation=cv2.INTER_CUBIC)
    small = np.full((900, 1400, 3), 90, np.uint8)
    small[300:812, 600:1112] = astronaut
    a, b, c = (detect_faces(picture)[0] for picture in (astronaut, large, small))
    np.testing.assert_allclose(b.points[:, :2] / 2.5, a.points[:, :2], atol=2.0)
    np.testing.assert_allclose(c.points[:, :2] - (600, 300), a.points[:, :2], atol=2.0)


def test_no_face_gives_an_empty_list() -> None:
    assert detect_faces(np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)) == []
    assert detect_faces(np.zeros((2, 2, 3), np.uint8)) == []
    assert detect_faces(np.zeros((50, 50), np.uint8)) == []  # no picture
