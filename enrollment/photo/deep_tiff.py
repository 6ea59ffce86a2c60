"""TIFF files that Pillow misreads or does not read: colours of more than 8 bits in separate planes, of 32 bits, in floating
point.

tifffile parses the layout and reads most files; OpenCV decodes the compressions that tifffile leaves to other packages.
"""

from __future__ import annotations

import io
import logging
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from enrollment.photo.pixels import eight_bits, rgb_of

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First bytes of TIFF and BigTIFF, in both byte orders."""
MOST_SAMPLES = 8
"""Largest number of channels."""
MOST_SEGMENTS = 1 << 20
"""Largest number of strips or tiles."""
GREY, RGB = (0, 1), 2
"""Values of the photometric interpretation (tag 262)."""
WHITE_IS_ZERO = 0
PLAIN, DEFLATE = 1, (8, 32946)
"""Values of the compression (tag 259)."""
SEPARATE = 2
"""Value of the planar configuration (tag 284): each channel is a plane of its own."""
TURNED: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1], 5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1), 7: lambda a: a[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90,
}  # fmt: skip
"""Orientation -> what makes the stored picture upright (TIFF 6.0, tag 274)."""

logging.getLogger("tifffile").setLevel(logging.CRITICAL)


class UnreadableTiff(Exception):  # noqa: N818 - it ends a sentence: "NAME <this>"
    """A TIFF of a kind that is not read."""


def needs_help(data: bytes, most_pixels: int) -> bool:
    """Whether the bytes are a TIFF that `read_deep` is for, and of a size that it may read."""
    if not data.startswith(MAGIC):
        return False
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages.first
            bits, floating = page.bitspersample, page.sampleformat == 3
            deep = bits > 8 and (page.planarconfig == SEPARATE or floating or bits != 16) and page.samplesperpixel >= 3
            return deep and 0 < page.imagewidth * page.imagelength <= most_pixels
    except Exception:  # whatever is wrong with it, Pillow will say
        return False


def read_deep(data: bytes) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 sRGB, upright, of the first picture of such a file. Raises `UnreadableTiff`."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        if page.samplesperpixel > MOST_SAMPLES or page.photometric not in (*GREY, RGB) or page.imagedepth != 1:
            raise UnreadableTiff("has channels of another kind than red, green and blue")
        values = _values(file, page, data)
        alpha = page.extrasamples[:1] in ((1,), (2,)) and values.shape[2] > 3
        orientation, profile = page.tags.get(274), page.tags.get(34675)
    channels = eight_bits(values[..., :3])
    if alpha:
        share = eight_bits(values[..., 3:4]).astype(np.float32) / 255
        channels = np.asarray(np.round(channels * share + 255 * (1 - share)), np.uint8)
    out = rgb_of(np.ascontiguousarray(channels), bytes(profile.value) if profile is not None else None)
    turn = TURNED.get(int(orientation.value)) if orientation is not None else None
    return out if turn is None else np.ascontiguousarray(turn(out))


def _values(file: tifffile.TiffFile, page: tifffile.TiffPage, data: bytes) -> NDArray[np.generic]:
    """(H, W, samples) as stored."""
    if page.compression == PLAIN or page.compression in DEFLATE:
        _check_segments(file, page)
        stored = page.asarray()
        return stored.transpose(1, 2, 0) if page.planarconfig == SEPARATE else stored
    if page.planarconfig != SEPARATE:
        drawn = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if drawn is not None and drawn.ndim == 3:
            return np.asarray(drawn[..., [2, 1, 0, *range(3, drawn.shape[2])]])
    raise UnreadableTiff(f"is packed with {page.compression.name}, which is not read for colours of {page.bitspersample} bits")


def _check_segments(file: tifffile.TiffFile, page: tifffile.TiffPage) -> None:
    """Raise `UnreadableTiff` when a strip or tile unpacks to more than its part of the picture; nothing is kept in memory."""
    if len(page.dataoffsets) > MOST_SEGMENTS or len(page.dataoffsets) != len(page.databytecounts):
        raise UnreadableTiff("says of itself what cannot be")
    most = int(np.prod(page.chunks, dtype=object)) * page.bitspersample // 8 + 64
    if page.compression == PLAIN:
        return
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.filehandle.seek(offset)
        if len(zlib.decompressobj().decompress(file.filehandle.read(count), most + 1)) > most:
            raise UnreadableTiff("unpacks to more than it says")
