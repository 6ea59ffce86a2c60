"""What lies over a face is told, and what belongs to one is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from enrollment.high.conditions import target_camera
from enrollment.portrait.occlusion import occlusion_warnings
from enrollment.portrait.portrait import Portrait
from models.heads.base import HeadModel
from models.synthetic.head import SyntheticHead
from models.tracking.face_geometry import face_height
from models.tracking.landmarks import detect_faces

Pixels = NDArray[np.uint8]
MASK = (93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 330, 4, 101)
"""Landmarks around a mask."""


def told(picture: Pixels) -> str:
    face = detect_faces(picture)[0]
    return " ".join(occlusion_warnings(picture, face))


def drawn(model: HeadModel, seed: int, **traits: str) -> Pixels:
    """A synthetic person from the front, (512, 512, 3) uint8."""
    head = SyntheticHead.random(model, seed, **traits)
    color = head.render(target_camera(0.0, 0.0, size=512), np.zeros(52, np.float32), background=(0.8, 0.8, 0.85)).color
    return np.asarray(np.round(255 * color.clip(0, 1)), np.uint8)


def test_a_bare_face_has_nothing_over_it(portrait: Portrait) -> None:
    assert not occlusion_warnings(portrait.image, portrait.landmarks)
    dark = np.asarray(portrait.image * 0.35, np.uint8)
    grey = np.repeat(cv2.cvtColor(portrait.image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    assert not occlusion_warnings(dark, portrait.landmarks) and not occlusion_warnings(grey, portrait.landmarks)


def test_dark_glasses_are_told_and_clear_ones_are_not(model: HeadModel) -> None:
    assert "sunglasses" in told(drawn(model, 101, glasses="sun"))
    assert not told(drawn(model, 101, glasses="thick"))


@pytest.mark.parametrize("color", [(150, 190, 215), (240, 240, 238), (25, 25, 28)])
def test_a_mask_is_told(portrait: Portrait, color: tuple[int, int, int]) -> None:
    image = portrait.image.copy()
    cv2.fillPoly(image, [np.round(portrait.landmarks.points[list(MASK), :2]).astype(np.int32)], color)
    assert "mask" in " ".join(occlusion_warnings(image, portrait.landmarks))


def test_a_beard_is_no_mask(model: HeadModel) -> None:
    assert not told(drawn(model, 104, beard="full", glasses="none"))


def test_skin_over_half_of_the_mouth_is_told(portrait: Portrait) -> None:
    image, points, height = portrait.image.copy(), portrait.landmarks.points, face_height(portrait.landmarks)
    x, y = points[13, :2] + (0.05 * height, 0)
    column, row = points[50, :2].astype(int)
    tone = np.median(image[row - 4 : row + 4, column - 4 : column + 4], axis=(0, 1))
    back = np.array([(x - 0.05 * height, y - 0.14 * height), (x + 0.5 * height, y - 0.16 * height),
                     (x + 0.5 * height, y + 0.4 * height), (x - 0.05 * height, y + 0.4 * height)])  # fmt: skip
    cv2.fillPoly(image, [back.astype(np.int32)], tone.tolist())
    assert "mouth" in " ".join(occlusion_warnings(image, portrait.landmarks))


def test_an_eye_that_cannot_be_seen_is_named(portrait: Portrait) -> None:
    image = portrait.image.copy()
    x, y = np.round(portrait.landmarks.points[[33, 133], :2].mean(axis=0)).astype(int)
    cv2.circle(image, (int(x), int(y)), round(0.13 * face_height(portrait.landmarks)), (150, 110, 90), -1)
    said = " ".join(occlusion_warnings(image, portrait.landmarks))
    assert "the right eye cannot be seen" in said and "left" not in said
