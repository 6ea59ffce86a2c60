"""Light on the rims of sleeves and hair is no colour of theirs."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from enrollment.instant.assemble import _source_photo
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.rim_light_outside import cloth_unlit
from models.heads.base import HeadModel
from models.types import Array

BLUE = np.array([0.3, 0.5, 0.85], np.float32)


def sleeve() -> tuple[Array, NDArray[np.bool_], Array]:
    """A dark sleeve, its pixels, and their distance from the outline, at a face height of 100 pixels."""
    colors = np.random.default_rng(4).normal(0.12, 0.02, (160, 160, 3)).astype(np.float32)
    cloth = np.zeros((160, 160), bool)
    cloth[20:, 30:130] = True
    return colors, cloth, ndimage.distance_transform_edt(np.pad(cloth, ((0, 1), (0, 0)), mode="edge"))[:-1].astype(np.float32)


def test_a_line_of_daylight_along_a_sleeve_takes_the_cloths_colour() -> None:
    colors, cloth, depth = sleeve()
    line = np.s_[60:, 126:130]
    colors[line] = BLUE
    found = cloth_unlit(colors, cloth, depth, 100.0)
    assert np.abs(found[70:150, 126:130] - 0.12).max() < 0.15
    assert np.array_equal(found[60:, 40:115], colors[60:, 40:115])


@pytest.mark.parametrize("side", [40, 128, 255, 256, 300, 513])
def test_a_picture_of_any_size_is_looked_through(side: int) -> None:
    colors, cloth, depth = (cv2.resize(a.astype(np.float32), (side, side)) for a in sleeve())
    found = cloth_unlit(colors, cloth > 0.5, depth * side / 160, 100.0 * side / 160)
    assert found.shape == (side, side, 3) and np.isfinite(found).all()


def test_what_is_the_cloths_own_stays() -> None:
    braid, striped, shoulder, inwards = (sleeve() for _ in range(4))
    braid[0][60:, 126:130] = BLUE[::-1]
    striped[0][:, 34:130:8] = BLUE
    shoulder[0][20:24, 40:120] = BLUE
    inwards[0][60:, 116:120] = BLUE
    for name, (colors, cloth, depth) in (("red", braid), ("stripes", striped), ("from above", shoulder), ("lapel", inwards)):
        assert np.array_equal(cloth_unlit(colors, cloth, depth, 100.0), colors), name


def test_blue_light_in_the_rim_of_hair_goes_and_shine_stays(enrolled: Enrollment, model: HeadModel) -> None:
    portrait = enrolled.portraits[0]
    assert portrait.parsing is not None
    hair = portrait.parsing.most("hair") & (portrait.matte > 0.97)
    rim = hair & (ndimage.distance_transform_edt(portrait.matte > 0.5) < 14) & (np.indices(hair.shape)[0] < 200)
    person, offset = enrolled.avatar.person(model), enrolled.avatar.offset
    own = portrait.image[rim].mean(axis=0) / 255
    for light, goes in ((np.array([0.75, 0.9, 1.0]), True), (1.3 * own, False)):
        image = portrait.image.copy()
        image[rim] = np.clip(255 * light, 0, 255)
        lit = replace(portrait, image=image)
        change = _source_photo(person, enrolled.fit, offset, 0, lit).colors[rim] - lit.colors[rim]
        assert (change[:, 2].mean() < -0.06) if goes else (np.abs(change).mean() < 0.03), (light, change.mean(axis=0))
