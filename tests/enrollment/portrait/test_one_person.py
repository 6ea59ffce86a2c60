"""Of people who stand together one is left, and a face that somebody's head hides is refused."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from enrollment.portrait.one_person import _nearer, without_others
from enrollment.portrait.portrait import Portrait, prepare
from models.errors import PhotoError
from models.tracking.face_geometry import face_height, well_within
from models.tracking.landmarks import Landmarks

Pixels = NDArray[np.uint8]


def moved(face: Landmarks, right: float, down: float = 0.0) -> Landmarks:
    """The face elsewhere, in face heights."""
    height = face_height(face)
    return replace(face, points=face.points + np.float32([right * height, down * height, 0]))


def test_people_who_touch_end_between_their_faces(portrait: Portrait) -> None:
    face, everybody, plain = portrait.landmarks, np.ones_like(portrait.matte), np.full_like(portrait.image, 128)
    for side in (1, -1):
        other = moved(face, 1.1 * side)
        cut = without_others(plain, everybody, face, [other])
        assert cut.shape == everybody.shape and cut.dtype == np.float32 and 0 <= cut.min() <= cut.max() <= 1
        assert cut[well_within(face, cut.shape) > 0].min() > 0.99, "the own face is whole"
        theirs = well_within(other, cut.shape) > 0
        assert theirs.any() and cut[theirs].max() == 0, "the other one is gone"
        row = int(face.points[1, 1])
        middle = 0.5 * (face.points[1, 0] + other.points[1, 0])
        edge = np.flatnonzero(np.diff(cut[row] > 0.5))
        assert len(edge) == 1 and abs(edge[0] - middle) < 0.15 * face_height(face)


def test_people_who_touch_end_where_the_colour_changes(portrait: Portrait) -> None:
    face, everybody = portrait.landmarks, np.ones_like(portrait.matte)
    height, other = face_height(face), moved(portrait.landmarks, 1.4)
    middle = int(face.points[1, 0] + 0.7 * height)
    row = np.s_[int(face.points[1, 1])]
    for edge in (middle - int(0.12 * height), middle + int(0.12 * height)):
        picture = np.full_like(portrait.image, 90)
        picture[:, edge:] = 160
        cut = without_others(picture, everybody, face, [other])
        found = np.flatnonzero(np.diff(cut[row] > 0.5))
        assert len(found) == 1 and abs(found[0] - edge) < 0.03 * height


def test_no_way_leads_around_people_through_the_air() -> None:
    """Else the far rim of somebody's patterned shirt would be nearer to who stands beside it."""
    picture = np.full((60, 60, 3), 0.4, np.float32)
    picture[:, 30:] = np.random.default_rng(0).random((60, 30, 1))
    mine, theirs, people = np.zeros((60, 60), bool), np.zeros((60, 60), bool), np.ones((60, 60), bool)
    mine[:, :5], theirs[:, 55:] = True, True
    people[:50, 12:30] = False
    assert not _nearer(picture, people, mine, theirs)[:30, 33].any()
    assert _nearer(picture, np.ones_like(people), mine, theirs)[:30, 33].all()


def test_one_who_stands_apart_changes_nothing(portrait: Portrait) -> None:
    face = portrait.landmarks
    for others in ([], [moved(face, 6)], [moved(face, 0, -9)]):
        assert without_others(portrait.image, portrait.matte, face, others) is portrait.matte
    beside = without_others(portrait.image, portrait.matte, face, [moved(face, 1.6)])
    head = np.s_[: int(face.points[152, 1])]
    assert np.abs(beside - portrait.matte)[head].mean() < 0.002, "hair and face stay"


@pytest.mark.parametrize(("right", "down"), [(0.5, 0.0), (-0.4, 0.5), (0.1, 0.75)])
def test_a_face_behind_a_head_is_refused_in_one_sentence(portrait: Portrait, right: float, down: float) -> None:
    with pytest.raises(PhotoError, match=r"^one person was expected, [^.]*; use a photo of one person alone$"):
        without_others(portrait.image, portrait.matte, portrait.landmarks, [moved(portrait.landmarks, right, down)])


def test_a_photo_of_two_heads_that_touch_becomes_one_person(astronaut: Pixels, portrait: Portrait) -> None:
    """She leans her head against her mirror image."""
    matrix = np.array([[portrait.scale, 0, portrait.principal[0] - 256 * portrait.scale],
                       [0, portrait.scale, portrait.principal[1] - 256 * portrait.scale]])  # fmt: skip
    alpha = cv2.warpAffine(portrait.matte, cv2.invertAffineTransform(matrix), (512, 512))[..., None]
    both = np.full((512, 900, 3), (185, 190, 180), np.uint8)
    for left, flip in ((145, -1), (300, 1)):
        window = both[:, left : left + 512]
        window[:] = astronaut[:, ::flip] * alpha[:, ::flip] + window * (1 - alpha[:, ::flip])
    found = prepare(both)
    assert found.warnings == ("2 faces were found; the largest is used",)
    solid = found.matte > 0.5
    assert solid[well_within(found.landmarks, solid.shape) > 0].all()
    row = int(found.landmarks.points[1, 1])
    reach = 0.9 * face_height(found.landmarks)
    assert np.abs(np.flatnonzero(solid[row]) - found.landmarks.points[1, 0]).max() < reach, "one head is as wide as this"
