"""Photos that lie on their side, stand on their head or are tilted come out upright, and it is said."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from enrollment.portrait import portrait as portraits
from enrollment.portrait.portrait import SIZE, Portrait, prepare
from models.errors import PhotoError
from models.tracking.face_geometry import roll
from models.tracking.landmarks import detect_faces
from models.tracking.matting import Matte


@pytest.fixture(autouse=True)
def matted(portrait: Portrait, monkeypatch: pytest.MonkeyPatch) -> None:
    """The astronaut's matte, whatever the photo: these tests look at how it is turned."""
    monkeypatch.setattr(portraits, "_matte_shown", lambda *_: Matte(portrait.matte, portrait.parsing))


@pytest.mark.parametrize(("quarters", "said"), [(1, "on its side"), (2, "upside down"), (3, "on its side")])
def test_a_photo_is_turned_upright(astronaut: NDArray[np.uint8], portrait: Portrait, quarters: int, said: str) -> None:
    turned = prepare(np.ascontiguousarray(np.rot90(astronaut, quarters)))
    assert len(turned.warnings) == 1 and said in turned.warnings[0] and "turned upright" in turned.warnings[0]
    assert abs(roll(turned.landmarks)) < 6
    apart = np.abs(turned.landmarks.points - portrait.landmarks.points)[:468, :2]
    assert np.median(apart) < 0.01 * SIZE
    assert np.abs(turned.image.astype(float) - portrait.image).mean() < 8
    assert turned.principal == pytest.approx(portrait.principal, abs=0.02 * SIZE)


@pytest.mark.parametrize("degrees", [40, -55, 130])
def test_a_tilted_photo_is_levelled(astronaut: NDArray[np.uint8], portrait: Portrait, degrees: int) -> None:
    matrix = cv2.getRotationMatrix2D((256, 256), degrees, 1.0)
    matrix[:, 2] += 110
    tilted = np.asarray(cv2.warpAffine(astronaut, matrix, (732, 732), borderValue=(255, 255, 255)), np.uint8)
    found = prepare(tilted)
    assert len(found.warnings) == 1 and "turned" in found.warnings[0]
    again = detect_faces(found.image)[0]
    assert abs(roll(again)) < 6
    assert np.median(np.abs(again.points - found.landmarks.points)[:468, :2]) < 0.015 * SIZE
    assert found.scale == pytest.approx(portrait.scale, rel=0.05)


def test_a_head_held_aslant_is_left_so(astronaut: NDArray[np.uint8]) -> None:
    matrix = cv2.getRotationMatrix2D((220, 130), 15, 1.0)
    found = prepare(np.asarray(cv2.warpAffine(astronaut, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE), np.uint8))
    assert found.warnings == () and roll(found.landmarks) < -8


def test_a_photo_too_dark_for_any_face_says_so(astronaut: NDArray[np.uint8]) -> None:
    with pytest.raises(PhotoError, match="too dark"):
        prepare(np.asarray(astronaut * 0.03, np.uint8))
