"""The preview sheet and the previews."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from enrollment import report
from enrollment.instant.pipeline import Enrollment
from enrollment.report import preview_sheet, previews
from models import avatar_file
from models.heads.base import HeadModel

SIZE = 128


@pytest.fixture(scope="module")
def sheet(enrolled: Enrollment, model: HeadModel) -> np.ndarray:
    return preview_sheet(enrolled.avatar, model, size=SIZE)


def tiles(sheet: np.ndarray) -> list[np.ndarray]:
    return [sheet[y : y + SIZE, x : x + SIZE] for y in range(0, 4 * SIZE, SIZE) for x in range(0, 4 * SIZE, SIZE)]


def test_a_sheet_has_a_head_in_every_tile(sheet: np.ndarray) -> None:
    assert sheet.shape == (4 * SIZE, 4 * SIZE, 3) and sheet.dtype == np.uint8
    for tile in tiles(sheet):
        person = (tile < 240).any(axis=2)
        assert 0.2 < person.mean() < 0.9
        assert person[SIZE // 2, SIZE // 2]
        assert (tile[2:6, -6:-2] == 255).all(), "a white corner: the head is not cut off there"


def test_the_tiles_differ(sheet: np.ndarray) -> None:
    """Eight directions, and every expression against the neutral face."""
    drawn = [t.astype(float) for t in tiles(sheet)]
    for i in range(1, 8):
        assert np.abs(drawn[i] - drawn[0]).mean() > 5
    for i in range(9, 16):
        changed = np.abs(drawn[i] - drawn[8])[SIZE // 8 :]
        assert changed.max() > 25, report.EXPRESSIONS[i - 8].label


def test_the_looks_are_the_ones_that_are_asked_for() -> None:
    assert [look.yaw for look in report.AROUND] == [0, 45, 90, 135, 180, 225, 270, 315]
    assert [look.label for look in report.EXPRESSIONS][:6] == ["neutral", "smile", "jaw open", "pucker", "blink", "brows up"]


def test_previews_are_small_pictures_that_fit_into_the_file(enrolled: Enrollment, model: HeadModel, tmp_path: Path) -> None:
    made = previews(enrolled.avatar, model)
    assert set(made) == {"front", "three_quarter"}
    for png in made.values():
        with Image.open(io.BytesIO(png)) as picture:
            assert picture.size == (report.PREVIEW, report.PREVIEW) and picture.format == "PNG"
    path = tmp_path / "a.avatar"
    avatar_file.save(replace(enrolled.avatar, previews=made), path)
    assert avatar_file.load(path, model).previews == made


def test_the_sheet_says_that_it_is_synthetic(sheet: np.ndarray) -> None:
    height, space = len(sheet), len(sheet) // 64
    assert sheet[height - space - 2, space + 1].max() < 130, "the plate under the letters"
