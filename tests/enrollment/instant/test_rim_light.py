"""Light on the rim of cheek and jaw is no colour of skin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from enrollment.instant.assemble import SourcePhoto, _source_photo
from enrollment.instant.pipeline import Enrollment
from enrollment.instant.rim_light import COARSE, bright_lines
from enrollment.portrait.portrait import Portrait
from models.heads.base import HeadModel
from models.tracking.face_geometry import face_height
from models.tracking.parsing import CLASSES, Parsing

WHITE = np.array([235, 240, 255], np.uint8)


def photo_of(enrolled: Enrollment, model: HeadModel, portrait: Portrait) -> SourcePhoto:
    person = enrolled.avatar.person(model)
    return _source_photo(person, enrolled.fit, enrolled.avatar.offset, 0, portrait)


def band(portrait: Portrait, column: float, wide: int) -> NDArray[np.bool_]:
    """(S, S) skin of the lower half of the face in a band before the edge of the skin, or in the middle of the face."""
    assert portrait.parsing is not None
    skin = portrait.parsing.most("face_skin") & (portrait.matte > 0.95)
    marks = portrait.landmarks.points
    rows, columns = np.indices(skin.shape)
    low = (rows > marks[2, 1]) & (rows < marks[17, 1])
    if column:
        return np.asarray(skin & low & (np.abs(columns - marks[4, 0] - column) < wide / 2))
    edge = ndimage.distance_transform_edt(skin) <= wide
    return np.asarray(skin & edge & low & (columns > marks[4, 0]))


def test_a_bright_line_along_a_cheek_takes_the_skins_colour(enrolled: Enrollment, model: HeadModel) -> None:
    portrait = enrolled.portraits[0]
    before = photo_of(enrolled, model, portrait).colors
    assert np.abs(before - portrait.colors).mean() < 5e-4, "nothing is taken from skin in even light"
    rim = band(portrait, 0, 5)
    image = portrait.image.copy()
    image[rim] = WHITE
    lit = replace(portrait, image=image)
    mended = photo_of(enrolled, model, lit).colors
    assert (lit.colors[rim] - before[rim]).mean() > 0.3
    assert np.abs(mended[rim] - before[rim]).mean() < 0.15


def test_a_shine_on_what_faces_the_camera_stays(enrolled: Enrollment, model: HeadModel) -> None:
    portrait = enrolled.portraits[0]
    shine = band(portrait, 4, 6)
    image = portrait.image.copy()
    image[shine] = WHITE
    lit = replace(portrait, image=image)
    assert np.allclose(photo_of(enrolled, model, lit).colors[shine], lit.colors[shine], atol=0.02)


def test_a_line_is_narrow_and_brighter_than_both_sides() -> None:
    part, everywhere = np.zeros((120, 120), bool), np.ones((120, 120), np.float32)
    part[20:100, 20:100] = True
    colors = np.tile(np.array([0.5, 0.4, 0.3], np.float32), (120, 120, 1))
    colors[:, 92:100] = 0.9
    found = bright_lines(colors, part, everywhere, 120.0)
    assert found[30:90, 93:99].min() == 1 and found[:, :85].max() == 0
    colors[:, 60:100] = 0.9
    assert bright_lines(colors, part, everywhere, 120.0)[30:90].max() == 0, "half of a face in the light"
    colors[:, 60:100], colors[:, 92:100] = (0.5, 0.4, 0.3), (0.95, 0.76, 0.57)
    assert bright_lines(colors, part, everywhere, 120.0).max() == 0, "brighter skin"


def test_a_blue_line_need_not_be_bright_and_a_grey_one_is_stubble(enrolled: Enrollment, model: HeadModel) -> None:
    portrait = enrolled.portraits[0]
    before = photo_of(enrolled, model, portrait).colors
    rim = band(portrait, 0, 8)
    for tint, left in ((np.array([-30, 0, 30]), 0.8), (np.array([4, 0, -4]), 0.9)):
        image = portrait.image.copy()
        image[rim] = np.clip(1.25 * portrait.image[rim].mean(axis=1, keepdims=True) + tint, 0, 170)
        lit = replace(portrait, image=image)
        mended = photo_of(enrolled, model, lit).colors
        share = np.abs(mended[rim] - before[rim]).mean() / np.abs(lit.colors[rim] - before[rim]).mean()
        assert share < left if tint[0] < 0 else share > left, (tint, share)


def test_the_lines_outermost_pixels_go_too(enrolled: Enrollment, model: HeadModel) -> None:
    """The parsing's border lies a little within the line's."""
    portrait = enrolled.portraits[0]
    assert portrait.parsing is not None
    line, strip = band(portrait, 0, 8), band(portrait, 0, round(0.7 * COARSE * face_height(portrait.landmarks)))
    shares, image = portrait.parsing.shares.copy(), portrait.image.copy()
    shares[strip] = np.eye(len(CLASSES), dtype=np.float32)[CLASSES.index("clothes")]
    image[line] = WHITE
    mended = photo_of(enrolled, model, replace(portrait, image=image, parsing=Parsing(shares))).colors
    assert mended[strip].mean() < 0.75
