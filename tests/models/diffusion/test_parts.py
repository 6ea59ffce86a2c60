from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.diffusion.parts import PARTS, STEADY, USUAL, face_parts
from models.types import Array64

SIZE = 300


def marks(turn: float = 0.0, scale: float = 100.0, at: tuple[float, float] = (150.0, 150.0)) -> Array64:
    """Landmarks of an average face, (478, 2): those that matter in their places, all others in the middle."""
    out = np.zeros((478, 2))
    out[list(STEADY)] = USUAL
    cos, sin = np.cos(turn), np.sin(turn)
    return out @ (scale * np.array([[cos, -sin], [sin, cos]])).T + at


def dotted(places: Array64) -> NDArray[np.uint8]:
    """A soft white dot at each place, on grey."""
    picture = np.full((SIZE, SIZE, 3), 60, np.uint8)
    for x, y in places:
        cv2.circle(picture, (round(16 * (x - 0.5)), round(16 * (y - 0.5))), 16 * 5, (255, 255, 255), -1, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(picture, (0, 0), 2)


def middle_of(part: NDArray[np.generic]) -> Array64:
    """Centre of what is bright, pixels from the part's middle."""
    light = np.asarray(part[..., 0], np.float64) - 60
    height, width = light.shape
    y, x = np.mgrid[:height, :width] + 0.5 - np.array([height, width])[:, None, None] / 2
    return np.array([(light * x).sum(), (light * y).sum()]) / light.sum()


def quarters(parts: NDArray[np.generic]) -> list[NDArray[np.generic]]:
    h = len(parts) // 2
    return [parts[:h, :h], parts[:h, h:], parts[h:, :h], parts[h:, h:]]


@pytest.mark.parametrize(("turn", "scale"), [(0.0, 100.0), (0.4, 100.0), (-0.3, 60.0), (0.0, 40.0)])
def test_each_part_has_its_place_however_the_face_lies(turn: float, scale: float) -> None:
    """A dot under each eye and at the mouth comes to lie in the middle of that part, for any size and roll of the head."""
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    m = marks(turn, scale)
    wanted = [m[list(around)].mean(axis=0) + scale * rotation @ (0.0, below) for around, below, _, _ in PARTS[:3]]
    parts = face_parts(dotted(np.array(wanted)), m, 128)
    assert parts.shape == (128, 128, 3) and parts.dtype == np.uint8
    for part in quarters(parts)[:3]:
        window = part[16:48, 16:48]  # the other eye's dot lies at an eye's edge
        assert np.abs(middle_of(window)).max() < 1.0


def test_the_left_eye_is_mirrored_and_the_face_is_not() -> None:
    m = marks()
    aside = np.array([12.0, 0.0])  # towards the picture's right
    right, left = (m[list(PARTS[k][0])].mean(axis=0) - np.array([0.0, 10.0]) for k in (0, 1))
    parts = quarters(face_parts(dotted(np.array([right + aside, left + aside])), m, 128))
    assert middle_of(parts[0][16:48, 8:56])[0] > 5 and middle_of(parts[1][16:48, 8:56])[0] < -5
    whole = quarters(face_parts(dotted(np.array([(210.0, 162.0)])), m, 128))[3]
    assert middle_of(whole)[0] > 10


def test_a_face_in_a_mirror_has_the_same_eyes_swapped() -> None:
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.integers(0, 255, (SIZE, SIZE, 3)).astype(np.uint8), (0, 0), 3)
    m = marks()
    there = face_parts(picture, m, 128)
    twin = {33: 263, 133: 362, 362: 133, 263: 33, 168: 168, 2: 2, 98: 327, 327: 98}
    turned = m.copy()
    for a, b in twin.items():
        turned[a] = (SIZE - m[b, 0], m[b, 1])
    mirror = face_parts(np.ascontiguousarray(picture[:, ::-1]), turned, 128)
    for a, b, flip in ((0, 1, False), (1, 0, False), (2, 2, True), (3, 3, True)):
        one, other = quarters(there)[a].astype(float), quarters(mirror)[b].astype(float)
        assert np.abs(one - (other[:, ::-1] if flip else other)).mean() < 1.5


def test_a_large_picture_is_shrunk_before_it_is_sampled() -> None:
    """Stripes finer than a part's pixels become even grey, not other stripes."""
    picture = np.zeros((1200, 1200, 3), np.float32)
    picture[:, ::2] = 1.0
    whole = quarters(face_parts(picture, marks(scale=400.0, at=(600.0, 600.0)), 128))[3]
    assert whole.dtype == np.float32 and whole[8:-8, 8:-8].std() < 0.05


def test_a_face_at_the_edge_still_gives_four_parts() -> None:
    picture = np.full((64, 64, 3), 99, np.uint8)
    assert (face_parts(picture, marks(scale=30.0, at=(2.0, 60.0)), 64) == 99).all()
