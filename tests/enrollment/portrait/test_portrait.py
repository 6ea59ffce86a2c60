"""Which faces are taken, which are refused and with what advice, and what comes out cropped and matted."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from enrollment.high.conditions import target_camera
from enrollment.portrait.portrait import MOST_TURN, SIZE, SMALLEST_FACE, Portrait, prepare
from models.errors import PhotoError
from models.heads.base import HeadModel
from models.synthetic.head import SyntheticHead
from models.tracking.face_geometry import face_height, missing, turned_away
from models.tracking.landmarks import detect_faces
from models.tracking.matting import matte
from tests.enrollment.heads import picture_of

Pixels = NDArray[np.uint8]


def refusal(photo: Pixels) -> str:
    """The one sentence with which a photo is refused."""
    with pytest.raises(PhotoError) as error:
        prepare(photo)
    text = str(error.value)
    assert "\n" not in text and "expected" in text and "; " in text
    return text


def scaled(photo: Pixels, by: float) -> Pixels:
    way = cv2.INTER_AREA if by < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(photo, None, fx=by, fy=by, interpolation=way), np.uint8)


def turned(photo: Pixels, degrees: float) -> Pixels:
    height, width = photo.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 0.9)
    return np.asarray(cv2.warpAffine(photo, matrix, (width, height), borderValue=(255, 255, 255)), np.uint8)


def exposed(photo: Pixels, gamma: float) -> Pixels:
    return np.asarray(255 * (photo / 255) ** gamma, np.uint8)


@pytest.mark.parametrize("name", ["rocket", "coffee"])
def test_pictures_without_anybody_are_refused(name: str) -> None:
    assert "no face was found" in refusal(getattr(skimage.data, name)())


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 4000, 3), (7, 7, 3), (300, 400, 3)])
def test_noise_of_any_size_is_refused(shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert "no face was found" in refusal(noise)


def cats() -> list[Pixels]:
    """A cat: as it is, enlarged, cropped, tilted, grey, dark and bright; among them the ones that the mesh network takes
    for a person."""
    cat = np.asarray(skimage.data.chelsea(), np.uint8)
    head = np.ascontiguousarray(cat[10:290, 80:400])
    grey = np.repeat(cv2.cvtColor(head, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    bright, dark = exposed(head, 0.6), exposed(head, 1.5)
    return [cat, scaled(cat, 3), head, scaled(head, 2.5), np.ascontiguousarray(head[:, ::-1]), grey, bright, dark,
            *(turned(scaled(head, s), d) for s in (0.7, 1.6) for d in (-25, -12, 12, 25))]  # fmt: skip


def test_a_cat_is_refused_however_it_is_shown() -> None:
    for cat in cats():
        assert "a photo of a person's face was expected" in refusal(cat)


def test_of_several_faces_the_largest_is_used(astronaut: Pixels, portrait: Portrait) -> None:
    both = np.full((520, 1000, 3), 200, np.uint8)
    both[:512, 480:992] = astronaut
    both[100:484, 50:434] = scaled(astronaut, 0.75)
    largest = prepare(both)
    assert largest.warnings == ("2 faces were found; the largest is used",)
    assert largest.scale == pytest.approx(portrait.scale, rel=0.02)


def test_a_cat_beside_a_person_is_not_counted(astronaut: Pixels) -> None:
    both = np.full((520, 1000, 3), 200, np.uint8)
    both[:512, :512] = astronaut
    cat = np.asarray(skimage.data.chelsea(), np.uint8)
    both[100:400, 540:991] = cat
    assert prepare(both).warnings == ()


@pytest.mark.parametrize("by", [0.4, 0.6, 0.8])
def test_a_small_face_is_refused_and_told_its_size(astronaut: Pixels, by: float) -> None:
    full = face_height(detect_faces(astronaut)[0]) * 1.3
    text = refusal(scaled(astronaut, by))
    told = int(text.split("this one has ")[1].split(";")[0])
    assert told == pytest.approx(full * by, rel=0.06) and told < SMALLEST_FACE
    assert f"at least {SMALLEST_FACE} pixels" in text


def test_profiles_are_refused_and_half_profiles_are_not(model: HeadModel) -> None:
    person = model.person(np.zeros(model.identity_count))
    for yaw in (-90, 75, 90):
        assert "face" in refusal(picture_of(person, yaw=yaw)).split("; ")[1]
    assert 20 < turned_away(prepare(picture_of(person, yaw=35)).landmarks) < MOST_TURN


def test_a_turned_face_is_told_to_face_the_camera(astronaut: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    face = detect_faces(astronaut)[0]
    points = face.points.copy()
    across = points[:, 0] - points[:, 0].mean()
    angle = np.deg2rad(MOST_TURN + 3)
    points[:, 2] += np.tan(angle) * across
    monkeypatch.setattr("enrollment.portrait.upright.detect_faces", lambda _: [replace(face, points=points)])
    assert refusal(astronaut).endswith("face the camera")


@pytest.mark.parametrize("cut", ["left", "bottom"])
def test_a_face_cut_by_the_border_is_refused(astronaut: Pixels, cut: str) -> None:
    part = astronaut[:, 205:] if cut == "left" else astronaut[:148]
    text = refusal(np.ascontiguousarray(part))
    assert "cut off" in text or "whole face" in text


def test_a_person_lost_in_the_background_is_refused(portrait: Portrait) -> None:
    with pytest.raises(PhotoError, match="background"):
        matte(np.full_like(portrait.image, 255), portrait.landmarks)


def test_the_crop_is_where_its_numbers_say(astronaut: Pixels, portrait: Portrait) -> None:
    """Photo pixel -> picture pixel by `principal` and `scale`; the picture there shows the same colour."""
    middle = np.array([256.0, 256.0])
    rng = np.random.default_rng(1)
    at = rng.uniform(60, 450, (400, 2))
    there = (at - middle) * portrait.scale + portrait.principal
    keep = ((there > 2) & (there < SIZE - 2)).all(axis=1)
    smooth = cv2.GaussianBlur(astronaut, (0, 0), 1.5).astype(np.float32)
    larger = cv2.GaussianBlur(portrait.image, (0, 0), 1.5 * portrait.scale).astype(np.float32)
    a = cv2.remap(smooth, (at[keep] - 0.5).astype(np.float32)[:, None], None, cv2.INTER_LINEAR)[:, 0]
    b = cv2.remap(larger, (there[keep] - 0.5).astype(np.float32)[:, None], None, cv2.INTER_LINEAR)[:, 0]
    assert keep.sum() > 100 and np.abs(a - b).mean() < 1.5


def test_landmarks_move_with_the_crop(portrait: Portrait) -> None:
    again = detect_faces(portrait.image)[0]
    apart = np.linalg.norm(again.points[:468, :2] - portrait.landmarks.points[:468, :2], axis=1)
    assert np.median(apart) < 0.01 * face_height(portrait.landmarks)
    assert missing(portrait.image, portrait.landmarks) == 0


def test_beyond_the_photo_is_white_and_nobody(portrait: Portrait) -> None:
    assert not portrait.inside.all() and portrait.inside.mean() > 0.8
    assert (portrait.image[~portrait.inside] == 255).all() and (portrait.matte[~portrait.inside] == 0).all()


def test_the_matte_is_the_person(portrait: Portrait) -> None:
    alpha = portrait.matte
    assert alpha.dtype == np.float32 and alpha.min() >= 0 and alpha.max() <= 1
    x, y = np.round(portrait.landmarks.points[:468, :2]).astype(int).T
    assert np.mean(alpha[y, x] > 0.95) > 0.98
    assert alpha[SIZE // 2, 8] < 0.05, "a flag, no person"
    assert 0.2 < alpha.mean() < 0.6


def test_beside_the_hollow_of_a_turned_cheek_is_nobody(model: HeadModel) -> None:
    head, camera = SyntheticHead.random(model, 11, hair_style="bald", glasses="none"), target_camera(45.0, 0.0, size=SIZE)
    sample = head.render(camera, np.zeros(52, np.float32), background=(0.85, 0.87, 0.9))
    picture = np.asarray(np.round(255 * sample.color.clip(0, 1)), np.uint8)
    face = detect_faces(picture, max_faces=1)[0]
    hull = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(np.round(face.points[:468, :2]).astype(np.int32)), 1)
    beside = (hull > 0) & (cv2.dilate(sample.matte, np.ones((7, 7))) < 0.02)
    assert beside.sum() > 100
    found = matte(picture, face)
    assert (found[beside] > 0.5).mean() < 0.3
    assert found[cv2.erode(sample.matte, np.ones((15, 15))) > 0.98].mean() > 0.97
