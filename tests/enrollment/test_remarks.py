"""What an avatar's report says of photos that are good, and of photos that are weak in one way."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import skimage.data

from enrollment.likeness import Likeness
from enrollment.portrait.accessories import GLASSES, HAT
from enrollment.portrait.portrait import Portrait, prepare
from enrollment.remarks import WORN, Remark, remarks
from models.tracking.face_geometry import well_within
from models.tracking.parsing import CLASSES, Parsing
from tests.enrollment.portrait.test_accessories import CROWN, EYES, wearing

Topics = dict[str, bool]


@pytest.fixture(scope="module")
def good() -> Portrait:
    """A photo twice as large as it was."""
    return prepare(cv2.resize(skimage.data.astronaut()[:360], None, fx=2.4, fy=2.4, interpolation=cv2.INTER_LANCZOS4))


def topics(portrait: Portrait, warnings: tuple[str, ...] = (), *, filmed: bool = False, photos: int = 1) -> Topics:
    """What is said of what."""
    found = remarks(portrait, warnings, filmed=filmed, photos=photos)
    assert [remark.good for remark in found] == sorted(remark.good for remark in found), "what is weak comes first"
    assert all(remark.sentence and (remark.good or remark.advice) for remark in found)
    return {remark.topic: remark.good for remark in found}


def test_a_good_photo_has_one_weakness_which_a_clip_mends(good: Portrait) -> None:
    expected = {"covered": True, "sharpness": True, "light": True, "direction": True}
    assert topics(good) == {**expected, "sides": False}
    assert topics(good, filmed=True) == topics(good, photos=3) == {**expected, "sides": True}


def shaded(image: np.ndarray) -> np.ndarray:
    return (image * np.clip((np.arange(image.shape[1]) / image.shape[1] - 0.46) * 8, 0.15, 1)[None, :, None]).astype(np.uint8)


@pytest.mark.parametrize(
    ("spoil", "topic"),
    [
        (lambda image: cv2.GaussianBlur(image, (0, 0), 7), "sharpness"),
        (lambda image: (0.1 * image).astype(np.uint8), "light"),
        (lambda image: np.clip(1.7 * image.astype(float), 0, 255).astype(np.uint8), "light"),
        (shaded, "light"),
    ],
    ids=["blurred", "dark", "too bright", "one side in the shadow"],
)
def test_what_is_weak_about_a_picture_is_told(good: Portrait, spoil, topic: str) -> None:  # type: ignore[no-untyped-def]
    told = topics(replace(good, image=spoil(good.image)))
    assert told[topic] is False and {name for name, is_good in told.items() if not is_good} == {topic, "sides"}


def test_what_is_weak_about_how_it_was_taken_is_told(good: Portrait) -> None:
    assert topics(replace(good, scale=3 * good.scale))["size"] is False
    row = int(good.landmarks.points[10, 1]) - 20
    cut = np.zeros_like(good.inside)
    cut[row:] = good.inside[row:]
    assert topics(replace(good, inside=cut))["hair"] is False
    turned = good.landmarks.points.copy()
    turned[:, 2] += turned[:, 0]  # one cheek further away
    assert topics(replace(good, landmarks=replace(good.landmarks, points=turned)))["direction"] is False
    mouth = good.landmarks.points.copy()
    mouth[14, 1] += 0.3 * abs(mouth[61, 0] - mouth[291, 0])
    opened = replace(good, landmarks=replace(good.landmarks, points=mouth))
    assert topics(opened)["mouth"] is False and "mouth" not in topics(opened, filmed=True)


def test_the_enrollments_own_sentences_come_with_their_advice(good: Portrait) -> None:
    warnings = (
        "something dark covers the eyes (sunglasses?); take it off for a better avatar",
        "2 faces were found; the largest is used",
    )
    found = remarks(good, (*warnings, warnings[0]), filmed=True)
    assert Remark("covered", False, "something dark covers the eyes (sunglasses?)", "take it off for a better avatar") in found
    assert Remark("other", False, "2 faces were found", "the largest is used") in found
    assert sum(remark.topic == "covered" for remark in found) == 1


@pytest.mark.parametrize(
    ("like", "told"),
    [
        (Likeness(0.3, 0.8, 0.03), {"likeness": True, "detail": True}),
        (Likeness(2.0, 0.5, 0.03), {"likeness": False}),
        (Likeness(0.3, 0.5, 0.12), {"likeness": False}),
        (Likeness(1.0, 0.2, 0.03), {"detail": False}),
    ],
    ids=["alike", "another outline", "other colours", "soft"],
)
def test_how_like_the_avatar_is_is_told(good: Portrait, like: Likeness, told: Topics) -> None:
    found = remarks(good, (), filmed=True, like=like)
    assert {r.topic: r.good for r in found if r.topic in ("likeness", "detail")} == told
    assert all(r.good or r.advice for r in found)
    assert "likeness" not in topics(good), "not told where it was not measured"


def test_what_is_worn_is_told_once(good: Portrait) -> None:
    found = [r for r in remarks(wearing(good, *EYES, CROWN), (), filmed=True) if r.topic == "worn"]
    assert {(r.sentence, r.advice) for r in found} == {WORN[GLASSES], WORN[HAT]} and not any(r.good for r in found)
    dark = ("something dark covers the eyes (sunglasses?); take it off for a better avatar",)
    assert "worn" not in topics(wearing(good, *EYES), dark, filmed=True), "sunglasses are told already"


def test_hair_before_the_face_is_told_and_a_fringe_is_not(good: Portrait) -> None:
    assert good.parsing is not None
    face = good.landmarks.points
    for column, row, told in ((face[1, 0], 0, True), (0, int(face[105, 1]), False)):
        shares = good.parsing.shares.copy()
        covered = well_within(good.landmarks, good.matte.shape) > 0
        covered[:, : int(column)] = False
        covered[row or len(covered) :] = False
        shares[covered] = np.eye(len(CLASSES))[CLASSES.index("hair")]
        found = remarks(replace(good, parsing=Parsing(shares)), (), filmed=True)
        assert any("hair hides" in r.sentence for r in found) == told
