"""Webcam pictures as the tracker takes them."""

from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from realtime.room.webcam import MAX_SIDE, rgb_of


@pytest.mark.parametrize(("width", "height"), [(16, 16), (333, 217), (1920, 1080), (2000, 100)])
def test_a_picture_keeps_its_shape_and_colour_and_is_not_too_large(width: int, height: int) -> None:
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:, : width // 2], pixels[:, width // 2 :] = (200, 60, 20), (20, 60, 200)
    made = rgb_of(av.VideoFrame.from_ndarray(pixels, format="rgb24"), VideoReformatter())
    scale = min(1.0, MAX_SIDE / max(width, height))
    assert made.shape == (round(height * scale), round(width * scale), 3)
    assert np.abs(made[:, : made.shape[1] // 4].astype(int) - (200, 60, 20)).max() < 8
    assert np.abs(made[:, -made.shape[1] // 4 :].astype(int) - (20, 60, 200)).max() < 8
