"""Avatars of one and of several photos are compared in the poses of the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from enrollment.instant.pipeline import Enrollment
from models.avatar import Avatar
from models.errors import PhotoError
from models.tracking import offline
from server.evaluation.photos import compare


@pytest.fixture
def photo(astronaut: NDArray[np.uint8], tmp_path: Path) -> Path:
    path = tmp_path / "astronaut.png"
    cv2.imwrite(str(path), astronaut[..., ::-1])
    return path


def test_avatars_of_photos_are_compared_in_the_poses_of_the_others(
    photo: Path, enrolled: Enrollment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offline, "refine_focal", lambda _, first, *__: first)  # as found by landmarks
    taken: list[int] = []

    def enroll(photos: Sequence[Path]) -> Avatar:
        taken.append(len(photos))
        return enrolled.avatar

    result = compare([photo, photo], enroll=enroll, out_sheet=tmp_path / "sheet.png")
    assert taken == [1, 2] and result.compared == 1
    assert result.scores["one photo"].psnr == result.scores["all photos"].psnr > 20
    assert (tmp_path / "sheet.png").exists() and "jod" not in result.rows()[0]


def test_two_photos_are_needed(photo: Path, enrolled: Enrollment) -> None:
    with pytest.raises(PhotoError, match="at least two photos"):
        compare([photo], enroll=lambda photos: enrolled.avatar)
