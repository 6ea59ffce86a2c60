"""Interlaced recordings come as whole pictures, at their times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from models.video.reader import open_clip


def combed(i: int) -> np.ndarray:
    """A bright bar that moves by 4 pixels from the even rows to the odd ones."""
    picture = np.full((96, 128, 3), 30, np.uint8)
    for parity in (0, 1):
        at = 10 + 8 * i + 4 * parity
        picture[parity::2, at : at + 20] = 220
    return picture


def film(path: Path, interlaced: range, count: int = 10) -> Path:
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg2video", rate=25, options={"flags": "+ilme+ildct", "top": "1", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for i in range(count):
            flat = np.full((96, 128, 3), 60, np.uint8)
            frame = av.VideoFrame.from_ndarray(combed(i) if i in interlaced else flat, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_interlaced_pictures_are_not_combed(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", range(10))
    with av.open(path) as container:
        raw = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(np.diff(raw[20:60, :, 0].astype(int), axis=0)).max() > 100
    read = list(open_clip(path).frames())
    assert [t for _, t in read] == [i / 25 for i in range(10)]
    for rgb, _ in read:
        assert np.abs(np.diff(rgb[20:60, :, 0].astype(int), axis=0)).max() < 60
        assert rgb.max() > 200
