"""The square crop around a face: where it lies, and white where the clip shows nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from models.errors import ClipError
from models.tracking.closed_form import foreground_colors
from models.tracking.landmarks import Landmarks, detect_faces
from models.tracking.matting import matte_frame
from server.evaluation import crop
from server.evaluation.crop import FaceCrop, over_white


def seen(monkeypatch: pytest.MonkeyPatch, *boxes: tuple[float, float, float, float]) -> None:
    """From now on the detector sees faces in these boxes (left, top, right, bottom)."""

    def detect(rgb: NDArray[np.uint8], max_faces: int = 4) -> list[Landmarks]:
        faces = []
        for left, top, right, bottom in boxes:
            points = np.random.default_rng(0).uniform((left, top, 0), (right, bottom, 0), (478, 3)).astype(np.float32)
            points[0], points[1] = (left, top, 0), (right, bottom, 0)
            faces.append(Landmarks(points, 1.0, rgb.shape[1], rgb.shape[0]))
        return faces[:max_faces]

    monkeypatch.setattr(crop, "detect_faces", detect)


def test_crop_is_a_square_around_the_face(monkeypatch: pytest.MonkeyPatch) -> None:
    seen(monkeypatch, (100, 100, 130, 140))
    square = FaceCrop.around_face(np.zeros((300, 400, 3), np.uint8))
    assert square.side == pytest.approx(50 * crop.DIAGONALS, abs=1)
    assert square.left + square.side / 2 == pytest.approx(115, abs=1)
    assert square.top + square.side / 2 == pytest.approx(120, abs=1)
    picture = np.full((300, 400, 3), 60, np.uint8)
    picture[100:140, 100:130] = 200
    cut = square.cut(picture)
    assert cut.shape == (crop.SIDE, crop.SIDE, 3)
    ys, xs = np.nonzero(cut[..., 0] > 130)
    assert np.ptp(xs) / np.ptp(ys) == pytest.approx(30 / 40, abs=0.02)
    assert (xs.min() + xs.max() + 1) / 2 == pytest.approx(256, abs=6)


def test_crop_is_white_beyond_the_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    seen(monkeypatch, (10, 10, 50, 60))
    square = FaceCrop.around_face(np.zeros((70, 60, 3), np.uint8))
    assert square.left < 0 and square.top < 0
    cut = square.cut(np.zeros((70, 60, 3), np.uint8))
    assert (cut[0] == 255).all() and (cut[256, 256] == 0).all()
    clipped = square.clipped(np.full_like(cut, 40))
    np.testing.assert_array_equal(clipped[0], 255)
    np.testing.assert_array_equal(clipped[256, 256], 40)


def test_white_beyond_the_clip_does_not_mislead_the_matte() -> None:
    picture = np.ascontiguousarray(data.astronaut()[:300, 100:360])
    square = FaceCrop(-150, -150, 600, picture.shape[1], picture.shape[0])
    matted = square.matted(picture)
    alpha = matte_frame(picture, detect_faces(picture)[0])
    alone = over_white(255 * foreground_colors(picture.astype(np.float32) / 255, alpha), alpha)
    expected = square.clipped(square.cut(alone))
    away = np.abs(matted.astype(int) - expected).max(axis=2) > 60
    assert away.mean() < 0.0005  # matted with its padding: .0016
    np.testing.assert_array_equal(matted[square.clipped(np.zeros_like(matted)).min(axis=2) == 255], 255)


def test_crop_needs_a_face(monkeypatch: pytest.MonkeyPatch) -> None:
    seen(monkeypatch)
    with pytest.raises(ClipError, match="begins with a face"):
        FaceCrop.around_face(np.zeros((70, 60, 3), np.uint8))


def test_over_white() -> None:
    alpha = np.array([[0.0, 0.5, 1.0]])
    np.testing.assert_array_equal(over_white(np.full((1, 3, 3), 55, np.uint8), alpha)[0, :, 0], [255, 155, 55])
