"""What is worn is named by where it lies."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from enrollment.instant.surface_labels import PixelLabels
from enrollment.portrait.accessories import (
    AT_EAR,
    AT_NECK,
    BEFORE_FACE,
    GLASSES,
    HAT,
    ON_HEAD,
    SMALLEST,
    hatted,
    worn,
)
from enrollment.portrait.portrait import Portrait
from models.heads.base import HeadModel
from models.tracking.face_geometry import face_height
from models.tracking.landmarks import detect_faces
from models.tracking.matting import parse_person
from models.tracking.parsing import CLASSES, Parsing
from tests.enrollment.portrait.test_occlusion import drawn


def wearing(portrait: Portrait, *boxes: tuple[float, float, float, float], name: str = "others", sure: float = 0.95) -> Portrait:
    """The portrait with boxes of a class: right, down, and half the width and height, from the forehead in face heights."""
    assert portrait.parsing is not None
    shares = portrait.parsing.shares.copy()
    top, height = portrait.landmarks.points[10, :2], face_height(portrait.landmarks)
    mask = np.zeros(shares.shape[:2], np.uint8)
    for right, down, wide, tall in boxes:
        low, high = (top + height * np.array([right + s * wide, down + s * tall]) for s in (-1, 1))
        cv2.rectangle(mask, np.round(low).astype(int).tolist(), np.round(high).astype(int).tolist(), 1, -1)
    shares[mask > 0] = (1 - sure) / (len(CLASSES) - 1)
    shares[mask > 0, CLASSES.index(name)] = sure
    return replace(portrait, parsing=Parsing(shares), matte=np.maximum(portrait.matte, mask.astype(np.float32)))


EYES = ((-0.2, 0.37, 0.12, 0.08), (0.2, 0.37, 0.12, 0.08))
CROWN = (0.0, -0.25, 0.5, 0.24)


@pytest.mark.parametrize(
    ("boxes", "name"),
    [
        (EYES, GLASSES),
        ((CROWN,), HAT),
        (((0.0, -0.45, 0.5, 0.03),), ON_HEAD),
        (((0.45, 0.7, 0.04, 0.08),), AT_EAR),
        (((0.0, 1.3, 0.3, 0.05),), AT_NECK),
        (((0.0, 0.75, 0.1, 0.08),), BEFORE_FACE),
    ],
)
def test_a_thing_is_named_by_its_place(portrait: Portrait, boxes: tuple[tuple[float, ...], ...], name: str) -> None:
    assert worn(wearing(portrait, *boxes)) == (name,)


def test_what_is_too_small_or_unsure_is_not_named(portrait: Portrait) -> None:
    speck = 0.4 * SMALLEST**0.5
    assert worn(portrait) == worn(wearing(portrait, (0.45, 0.7, speck, speck))) == ()
    assert worn(wearing(portrait, (0.45, 0.7, 0.06, 0.06), sure=0.6)) == (), "a hard shadow"
    assert worn(replace(portrait, parsing=None)) == () and not hatted(replace(portrait, parsing=None))


def test_parts_of_a_thing_are_not_named_besides(portrait: Portrait) -> None:
    assert worn(wearing(portrait, *EYES, (0.0, 0.36, 0.03, 0.02), (0.45, 0.36, 0.04, 0.03))) == (GLASSES,)
    assert worn(wearing(portrait, CROWN, (0.45, 0.3, 0.04, 0.08))) == (HAT,)


def test_a_scarf_of_cloth_is_a_hat_and_hair_is_none(portrait: Portrait) -> None:
    assert hatted(wearing(portrait, CROWN, name="clothes")) and not hatted(portrait)


def test_what_is_no_hat_is_no_hair_either(portrait: Portrait) -> None:
    """Hair is made of pixels of hair, under a hat of pixels of the hat; never of a headphone's or an earring's."""
    plain = PixelLabels.of(portrait).hair
    for boxes in (((0.0, -0.3, 0.5, 0.04),), ((0.45, 0.7, 0.04, 0.08),)):
        labels = PixelLabels.of(wearing(portrait, *boxes)).hair
        assert labels.any() and not (labels & ~plain).any()
    hat = wearing(portrait, CROWN)
    assert hat.parsing is not None and (PixelLabels.of(hat).hair & hat.parsing.most("others")).any()


def test_drawn_people_wear_what_they_wear(model: HeadModel) -> None:
    picture = drawn(model, 103, glasses="thick", hat="beanie")
    face = detect_faces(picture)[0]
    person = np.ones(picture.shape[:2], np.float32)
    made = Portrait(picture, person > 0, person, face, (256.0, 256.0), 1.0, 512.0, parsing=parse_person(picture, face))
    assert set(worn(made)) == {GLASSES, HAT}
