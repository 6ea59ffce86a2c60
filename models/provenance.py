"""Marks of synthetic media (EU AI Act, Article 50): a visible label, and what programs read.

Programs find IPTC's digital source type (https://cv.iptc.org/newscodes/digitalsourcetype/) in XMP (ISO 16684-1) of pictures and
in the metadata of clips. docs/provenance.md says what is marked where.
"""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

LABEL = "AI-generated"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    f'Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
)
"""The packet for pictures."""
SHARE, LEAST = 32, 10
"""Height of the label's letters: this part of the picture's, pixels at the least."""


def png_chunk() -> bytes:
    """The XMP packet as an iTXt chunk (PNG specification 11.3.3.4; XMP specification part 3)."""
    body = b"iTXt" + b"XML:com.adobe.xmp\0\0\0\0\0" + XMP.encode()
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


@lru_cache(4)
def _label(height: int) -> NDArray[np.uint8]:
    """(h, w, 4) uint8: white letters on a dark plate that lets some of the picture through."""
    size = max(LEAST, height // SHARE)
    font = ImageFont.load_default(size)
    _, top, right, bottom = font.getbbox(LABEL)
    pad = max(3, size // 3)
    plate = Image.new("RGBA", (int(right) + 2 * pad, int(bottom - top) + 2 * pad), (0, 0, 0, 150))
    ImageDraw.Draw(plate).text((pad, pad - top), LABEL, (255, 255, 255, 255), font)
    return np.asarray(plate, np.uint8)


def label(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A copy of the picture, (H, W, 3) or (H, W, 4) uint8 with straight alpha, with `LABEL` in its lower left corner."""
    made = picture.copy()
    height, width = picture.shape[:2]
    plate = _label(height)[:height, :width]
    space = max(1, height // 64) if height > 2 * plate.shape[0] else 0
    bottom = height - space
    place = made[bottom - plate.shape[0] : bottom, space : space + plate.shape[1]]
    plate = plate[:, : place.shape[1]]
    over = plate[..., 3:].astype(np.float32) / 255
    under = place[..., 3:].astype(np.float32) / 255 if made.shape[2] == 4 else np.ones_like(over)
    alpha = over + under * (1 - over)
    color = (plate[..., :3] * over + place[..., :3] * under * (1 - over)) / np.maximum(alpha, 1e-6)
    place[..., :3] = np.round(color)
    if made.shape[2] == 4:
        place[..., 3:] = np.round(alpha * 255)
    return made
