"""Photos of what is no person who looks into a camera: each is refused in one sentence, or becomes a whole portrait."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from enrollment.high.conditions import target_camera
from enrollment.portrait.person_check import check_person
from enrollment.portrait.portrait import prepare
from models.errors import PhotoError
from models.heads.base import HeadModel
from models.synthetic.head import SyntheticHead
from models.tracking.face_geometry import well_within
from tests.enrollment.heads import picture_of

Pixels = NDArray[np.uint8]
Picture = Callable[[HeadModel], Pixels]


def astronaut() -> Pixels:
    return np.asarray(skimage.data.astronaut(), np.uint8)


def from_behind(model: HeadModel) -> Pixels:
    head = SyntheticHead.random(model, 1, hair_style="bob", hat="none")
    color = head.render(target_camera(180.0, 0.0, size=400), np.zeros(52, np.float32), background=0.8).color
    return np.asarray(np.round(255 * color.clip(0, 1)), np.uint8)


def pencil(model: HeadModel) -> Pixels:
    """A drawing: the photo in parts of its blur."""
    grey = cv2.cvtColor(astronaut(), cv2.COLOR_RGB2GRAY).astype(np.float32)
    lines = np.clip(255 * grey / (cv2.GaussianBlur(grey, (0, 0), 9) + 1), 0, 255)
    return np.repeat(lines.astype(np.uint8)[..., None], 3, axis=2)


def statue(model: HeadModel) -> Pixels:
    person = model.person(np.random.default_rng(3).normal(scale=0.7, size=model.identity_count))
    grey = cv2.cvtColor(picture_of(person, side=640), cv2.COLOR_RGB2GRAY)
    return np.repeat(np.where(grey < 250, np.clip(grey * 1.2 + 40, 0, 235), 60).astype(np.uint8)[..., None], 3, axis=2)


def mirrored_text(model: HeadModel) -> Pixels:
    picture, label = astronaut(), np.zeros((60, 260), np.uint8)
    cv2.putText(label, "HELLO", (40, 45), cv2.FONT_HERSHEY_SIMPLEX, 1.5, 255, 4)
    picture[400:460, 90:350][label[:, ::-1] > 0] = 250
    return picture


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (from_behind, "no face was found"),
        (lambda model: astronaut()[:, 222:], "cut off"),
        (lambda model: astronaut()[:, :226], "cut off"),
        (lambda model: astronaut()[105:], "cut off"),
        (lambda model: astronaut()[:148], "cut off"),
    ],
    ids=["from behind", "left half", "right half", "lower half", "upper half"],
)
def test_it_is_refused_in_one_sentence(model: HeadModel, make: Picture, word: str) -> None:
    with pytest.raises(PhotoError) as error:
        prepare(np.ascontiguousarray(make(model)))
    text = str(error.value)
    assert word in text and "expected" in text and text.count("; ") == 1 and "\n" not in text and not text.endswith(".")


@pytest.mark.parametrize("make", [pencil, statue, mirrored_text])
def test_it_becomes_a_whole_portrait(model: HeadModel, make: Picture) -> None:
    portrait = check_person(prepare(make(model)))
    solid = portrait.matte > 0.5
    assert solid[well_within(portrait.landmarks, solid.shape) > 0].all()
    count, _, stats, _ = cv2.connectedComponentsWithStats(np.uint8(solid & portrait.inside))
    largest = stats[1:, cv2.CC_STAT_AREA].max()
    assert count >= 2 and largest > 0.97 * solid.sum() and 0.1 < solid.mean() < 0.8, "one person, not pieces"
