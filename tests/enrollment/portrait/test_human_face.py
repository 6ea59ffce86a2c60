"""The score that a face is a human one: high for people, low for a cat that the landmark network takes for a person."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enrollment.portrait.human_face import LEAST_HUMAN, human_face_score
from models.tracking.landmarks import detect_faces
from tests.enrollment.portrait.test_portrait import Pixels, cats, exposed, turned


def test_a_cat_that_fools_the_landmark_network_is_told_from_a_person(astronaut: Pixels) -> None:
    fooled = [(cat, face) for cat in cats() for face in detect_faces(cat)]
    assert fooled, "some picture of the cat must get past the face detector, or this tests nothing"
    assert max(human_face_score(cat, face) for cat, face in fooled) < LEAST_HUMAN - 0.05
    for photo in (astronaut, turned(astronaut, 20), exposed(astronaut, 1.6)):
        assert human_face_score(photo, detect_faces(photo)[0]) > LEAST_HUMAN + 0.2


def test_wide_photos_are_cut_before_they_are_warped(astronaut: Pixels) -> None:
    """OpenCV warps no picture of more than 32767 pixels a side."""
    wide = np.zeros((512, 40_000, 3), np.uint8)
    wide[:, -512:] = astronaut
    face = detect_faces(astronaut)[0]
    moved = replace(face, points=face.points + np.array([40_000 - 512, 0, 0], np.float32))
    assert human_face_score(wide, moved) == pytest.approx(human_face_score(astronaut, face), abs=0.1)
