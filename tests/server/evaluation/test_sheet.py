"""The contact sheet."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from models import png
from server.evaluation import sheet


def test_contact_sheet(tmp_path: Path) -> None:
    rows = {name: [np.full((64, 64, 3), 20 * i, np.uint8) for i in range(10)] for name in ("a", "b")}
    picture = sheet.contact_sheet(rows, 4)
    assert picture.shape == (2 * sheet.SIDE, 4 * sheet.SIDE, 3)
    middles = picture[sheet.SIDE // 2, sheet.SIDE // 2 :: sheet.SIDE, 0]
    np.testing.assert_array_equal(middles, [0, 60, 120, 180])
    png.write(tmp_path / "sheet.png", picture)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1], picture)
