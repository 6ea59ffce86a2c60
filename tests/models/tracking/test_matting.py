"""The matte of a head that we drew ourselves, so that the truth is known; and what happens where no person is seen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models import arkit
from models.errors import PhotoError
from models.heads.base import HeadModel
from models.synthetic.cameras import orbit_camera
from models.synthetic.head import HeadSample, SyntheticHead
from models.tracking import matting
from models.tracking.face_geometry import face_height
from models.tracking.landmarks import Landmarks, detect_faces
from models.tracking.parsing import CLASSES, Parsing
from models.types import Array

SIDE = 384


@pytest.fixture(scope="module")
def drawn(model: HeadModel) -> tuple[HeadSample, NDArray[np.uint8], Landmarks]:
    """A head before a wall with a picture on it."""
    head = SyntheticHead.random(model, 5, hair_style="bob", glasses="none")
    sample = head.render(orbit_camera(0.0, size=SIDE, shown=0.5), np.zeros(arkit.COUNT, np.float32))
    wall = np.full((SIDE, SIDE, 3), (0.62, 0.66, 0.6), np.float32)
    wall[40:120, 20:110] = (0.3, 0.25, 0.5)
    photo = np.round(255 * sample.over(cv2.GaussianBlur(wall, (0, 0), 2)).clip(0, 1)).astype(np.uint8)
    return sample, photo, detect_faces(photo)[0]


def test_the_matte_is_the_true_one(drawn: tuple[HeadSample, NDArray[np.uint8], Landmarks]) -> None:
    sample, photo, face = drawn
    found = matting.matte_photo(photo, face)
    assert found.parsing is not None and found.alpha.dtype == np.float32
    careful, quick = error(found.alpha, sample.matte), error(matting.matte(photo, face), sample.matte)
    assert careful < 1.5 and careful < 0.7 * quick
    hair = (sample.matte > 0.9) & sample.hair
    assert found.parsing.most("hair")[hair].mean() > 0.7


def test_a_clips_picture_is_matted_as_a_photo_in_bounded_time(
    drawn: tuple[HeadSample, NDArray[np.uint8], Landmarks], monkeypatch: pytest.MonkeyPatch
) -> None:
    sample, photo, face = drawn
    sizes: list[tuple[int, ...]] = []
    careful = matting.matte_photo

    def watched(image: NDArray[np.uint8], face: Landmarks) -> matting.Matte:
        sizes.append(image.shape)
        return careful(image, face)

    monkeypatch.setattr(matting, "matte_photo", watched)
    monkeypatch.setattr(matting, "MOST_FACE", 0.75 * face_height(face))
    found = matting.matte_frame(photo, face)
    assert sizes == [(288, 288, 3)] and found.shape == (SIDE, SIDE) and found.dtype == np.float32
    quick = matting.matte(photo)
    assert error(found, sample.matte) < 0.8 * error(quick, sample.matte)
    np.testing.assert_array_equal(matting.matte_frame(photo, None), quick)


def error(found: Array, truth: Array) -> float:
    """Area between two mattes for each pixel of the outline: how far apart the outlines are, pixels."""
    person = np.uint8(truth > 0.5)
    length = (person - cv2.erode(person, np.ones((3, 3), np.uint8))).sum()
    return float(np.abs(found - truth).sum() / length)


def nobody(image: NDArray[np.uint8]) -> Parsing:
    shares = np.zeros((*image.shape[:2], len(CLASSES)), np.float32)
    shares[..., 0] = 1.0
    return Parsing(shares)


def test_where_the_parsing_sees_nobody_the_quick_matte_is_used(
    drawn: tuple[HeadSample, NDArray[np.uint8], Landmarks], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, photo, face = drawn
    monkeypatch.setattr(matting, "parse", nobody)
    found = matting.matte_photo(photo, face)
    assert found.parsing is None and np.array_equal(found.alpha, matting.matte(photo, face))
    with pytest.raises(PhotoError, match="plainer background"):
        matting.matte_photo(np.full_like(photo, 255), face)


def test_doubtful_holes_are_filled_and_gaps_are_not() -> None:
    person = np.zeros((100, 100), bool)
    person[10:, 20:80] = True
    share = np.where(person, 1.0, 0.0).astype(np.float32)
    holes = {"shirt": (np.s_[70:100, 40:60], 0.4), "arm": (np.s_[40:60, 25:35], 0.05), "speck": (np.s_[30:32, 50:52], 0.0)}
    for place, value in holes.values():
        person[place], share[place] = False, value
    filled = matting._without_holes(person, share)
    assert [bool(filled[place].all()) for place, _ in holes.values()] == [True, False, True]
    assert not filled[:10].any() and not filled[:, :20].any()
