"""All eight display matrices, and pixels that are not square."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from models.video.reader import open_clip
from models.video.rotation import square
from tests.models.video import clips
from tests.models.video.clips import BLUE, GREEN, GREY, RED

ONE = 1 << 16
A, B, C, D = RED, GREEN, BLUE, GREY
"""Top left, top right, bottom left, bottom right, as stored."""
MATRICES = {
    "as stored": ((1, 0, 0, 1), (A, B, C, D)),
    "mirrored": ((-1, 0, 0, 1), (B, A, D, C)),
    "turned by half": ((-1, 0, 0, -1), (D, C, B, A)),
    "upside down and mirrored": ((1, 0, 0, -1), (C, D, A, B)),
    "turned clockwise": ((0, 1, -1, 0), (C, A, D, B)),
    "turned counterclockwise": ((0, -1, 1, 0), (B, D, A, C)),
    "rows are columns": ((0, 1, 1, 0), (A, C, B, D)),
    "rows are columns, both mirrored": ((0, -1, -1, 0), (D, B, C, A)),
}
"""a, b, c, d of x' = a x + c y, y' = b x + d y (ISO 14496-12, 8.3.2; y down), and the quarters as shown."""


def corners(picture: np.ndarray) -> list[tuple[int, ...]]:
    h, w = picture.shape[:2]
    return [tuple(int(v) for v in picture[y, x]) for y in (h // 4, 3 * h // 4) for x in (w // 4, 3 * w // 4)]


def marked(path: Path, matrix: tuple[float, ...]) -> Path:
    """The same MP4 with this matrix."""
    a, b, c, d = (round(v * ONE) for v in matrix)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", MATRICES)
def test_matrix(tmp_path: Path, name: str) -> None:
    matrix, expected = MATRICES[name]
    path = marked(clips.write(tmp_path / "a.mp4", [clips.quarters(96, 64, A, B, C, D)] * 2), matrix)
    clip = open_clip(path)
    assert (clip.width, clip.height) == ((64, 96) if matrix[0] == 0 else (96, 64))
    for rgb, _ in clip.frames():
        assert rgb.shape == (clip.height, clip.width, 3) and rgb.flags.c_contiguous
        np.testing.assert_allclose(corners(rgb), expected, atol=6)


@pytest.mark.parametrize(("degrees", "expected"), [(80, (C, A, D, B)), (10, (A, B, C, D)), (-100, (B, D, A, C))])
def test_an_angle_in_between_is_rounded(tmp_path: Path, degrees: float, expected: tuple[object, ...]) -> None:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    path = marked(clips.write(tmp_path / "a.mp4", [clips.quarters(96, 64, A, B, C, D)] * 2), (cos, sin, -sin, cos))
    np.testing.assert_allclose(corners(next(open_clip(path).frames())[0]), expected, atol=6)


@pytest.mark.parametrize(
    ("aspect", "turned", "size"),
    [
        ((2, 1), False, (128, 64)),
        ((1, 2), False, (64, 128)),
        ((4, 3), True, (64, 85)),
        ((1, 1), False, (64, 64)),
        ((0, 1), False, (64, 64)),
    ],
)
def test_pixels_get_square(tmp_path: Path, aspect: tuple[int, int], turned: bool, size: tuple[int, int]) -> None:
    path = clips.write(tmp_path / "a.mp4", [clips.quarters(64, 64, A, B, C, D)] * 2, aspect=Fraction(*aspect))
    if turned:
        clips.turn_clockwise(path)
    clip = open_clip(path)
    assert (clip.width, clip.height) == size
    rgb, _ = next(clip.frames())
    assert rgb.shape == (size[1], size[0], 3)
    np.testing.assert_allclose(corners(rgb), (C, A, D, B) if turned else (A, B, C, D), atol=6)


def test_an_aspect_that_cannot_be_is_none() -> None:
    assert square(64, 48, Fraction(1, 1000)) == square(64, 48, None) == (64, 48)
