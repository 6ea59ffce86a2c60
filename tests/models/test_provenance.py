"""Marks of synthetic media: seen by people in a corner, found by programs in PNG and MP4."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from PIL import Image

from models import png, provenance
from models.video.writer import is_our_clip, mp4

IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(("height", "width"), [(512, 512), (64, 96), (16, 16), (2, 2)])
def test_the_label_is_in_the_corner_and_nowhere_else(height: int, width: int, channels: int) -> None:
    picture = np.zeros((height, width, channels), np.uint8)
    made = provenance.label(picture)
    assert made.shape == picture.shape and not picture.any()
    if height == 512:
        corner = made[height * 3 // 4 :, : width * 7 // 8]
        assert corner[..., :3].max() > 240, "white letters"
        rest = made.copy()
        rest[height * 3 // 4 :, : width * 7 // 8] = 0
        assert not rest.any()
    if channels == 4 and height == 512:
        assert made[..., 3].max() == 255, "the letters are opaque, also where the picture is empty"


def test_a_png_says_it_in_xmp() -> None:
    data = png.encode(np.zeros((4, 4, 3), np.uint8))
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert provenance.SOURCE_TYPE in image.info["xmp"].decode()
        (description,) = ElementTree.fromstring(image.info["xmp"].decode())[0]
        assert description.attrib[f"{{{IPTC}}}DigitalSourceType"] == provenance.SOURCE_TYPE


def test_a_clip_says_it_in_its_metadata(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with mp4(path, 64, 64, 30.0) as writer:
        writer.write(np.zeros((64, 64, 4), np.uint8), 0.0)
    with av.open(path) as clip:
        assert clip.metadata["DigitalSourceType"] == provenance.SOURCE_TYPE
    assert is_our_clip(path)
