"""Landmarks as bytes: what is written is read again, anything else is refused in one sentence."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from models.errors import ProtocolError
from models.exchange import landmark_frames
from models.exchange.landmark_frames import BYTES, HEADER, LandmarkFrame, decode, encode
from models.heads.base import LANDMARKS
from models.tracking.landmarks import Landmarks


def some_face(seed: int, width: int = 640, height: int = 480) -> Landmarks:
    """Landmarks that can be written exactly."""
    parts = np.random.default_rng(seed).integers(-20000, 30000, (LANDMARKS, 3)) / landmark_frames.STEPS
    return Landmarks((parts * [width, height, width]).astype(np.float32), 1.0, width, height)


GOOD = encode(LandmarkFrame(some_face(0), 7, 1234))
EMPTY = encode(LandmarkFrame(None, 8, 5))


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (960, 540), (32, 8192)])
def test_what_was_sent_is_read_again(size: tuple[int, int]) -> None:
    face = some_face(1, *size)
    data = encode(LandmarkFrame(face, 65536 + 3, (1 << 32) + 9))
    read = decode(data)
    assert len(data) == BYTES and (read.sequence, read.time) == (3, 9)
    assert read.landmarks is not None and read.landmarks.points.dtype == np.float32
    assert (read.landmarks.width, read.landmarks.height, read.landmarks.confidence) == (*size, 1.0)
    np.testing.assert_allclose(read.landmarks.points, face.points, atol=1e-3)


def test_nobody_is_a_short_message() -> None:
    read = decode(EMPTY)
    assert read.landmarks is None and read.sequence == 8 and len(EMPTY) == HEADER.size


def test_steps_are_finer_than_a_tenth_of_a_pixel_and_what_lies_far_out_is_cut() -> None:
    face = some_face(2)
    moved = replace(face, points=face.points + np.float32(0.017), confidence=1e-9)
    read = decode(encode(LandmarkFrame(moved))).landmarks
    assert read is not None and np.abs(read.points - moved.points).max() < 0.03 and read.confidence > 0
    far = decode(encode(LandmarkFrame(replace(face, points=face.points * 1e6)))).landmarks
    assert far is not None and np.abs(far.points).max() <= 2 * 640


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_not_written(value: float) -> None:
    points = some_face(0).points.copy()
    points[17, 1] = value
    with pytest.raises(ProtocolError, match="finite"):
        encode(LandmarkFrame(replace(some_face(0), points=points)))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "0 bytes"),
        (b"\x01" + GOOD[1:], "version 1; reload the page"),
        (b"\x02\x01" + GOOD[2:], "kind 1"),
        (GOOD[:-1], "2881 bytes"),
        (GOOD + b"\0", "2881 bytes"),
        (GOOD[: HEADER.size], "2881 bytes"),
        (EMPTY + bytes(6 * LANDMARKS), "13 bytes"),
        (GOOD[:8] + b"\0\0" + GOOD[10:], "0x480"),
        (GOOD[:10] + b"\xff\xff" + GOOD[12:], "640x65535"),
    ],
)
def test_lies_are_refused_in_one_sentence(data: bytes, says: str) -> None:
    with pytest.raises(ProtocolError, match=re.escape(says)) as caught:
        decode(data)
    assert "\n" not in str(caught.value)


def test_any_bytes_are_landmarks_of_finite_numbers_or_refused() -> None:
    rng = np.random.default_rng(3)
    refused = 0
    for i in range(1500):
        data = bytearray((GOOD, EMPTY)[i % 3 == 0])
        for at in rng.integers(min(len(data), 40), size=rng.integers(1, 5)):
            data[at] = rng.integers(256)
        cut = rng.integers(len(data) + 1) if i % 4 == 0 else len(data)
        try:
            read = decode(bytes(data[:cut])).landmarks
        except ProtocolError:
            refused += 1
            continue
        assert read is None or (np.isfinite(read.points).all() and 0 < read.confidence <= 1)
    assert 200 < refused < 1400
