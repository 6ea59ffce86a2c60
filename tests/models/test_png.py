from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from models import png
from models.errors import StorageError


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3), (20, 30, 4)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_picture_is_read_back_and_known_as_ours(tmp_path: Path, shape: tuple[int, ...], kind: type) -> None:
    picture = np.random.default_rng(0).integers(0, np.iinfo(kind).max, shape, kind)
    png.write(tmp_path / "a.png", picture)
    back = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    if picture.ndim == 3:
        back = back[..., [2, 1, 0, 3][: shape[2]]]
    np.testing.assert_array_equal(back, picture)
    assert png.is_ours(tmp_path / "a.png")


def test_other_readers_see_who_wrote_it(tmp_path: Path) -> None:
    png.write(tmp_path / "a.png", np.zeros((2, 3, 3), np.uint8))
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (3, 2) and picture.info["Software"] == "Visavis"
        picture.copy().save(tmp_path / "edited.png")
    assert not png.is_ours(tmp_path / "edited.png") and not png.is_ours(tmp_path) and not png.is_ours(tmp_path / "none.png")


def test_a_picture_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        png.write(tmp_path / "nowhere" / "a.png", np.zeros((2, 3, 3), np.uint8))
    for wrong in (np.zeros((2, 3, 2), np.uint8), np.zeros((2, 3, 3), np.float32), np.zeros(3, np.uint8)):
        with pytest.raises(ValueError, match="8 or 16 bit"):
            png.encode(wrong)
    assert list(tmp_path.iterdir()) == []
