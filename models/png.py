"""PNG pictures that say who wrote them, and that they are synthetic, so that they can be told from photos."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models import credentials, provenance, tensor_file
from models.atomic import atomic_write

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER = 33
"""Bytes of the signature and the IHDR chunk."""
SOFTWARE = b"Software\0Visavis"
"""Contents of a tEXt chunk (PNG specification 11.3.3.2): keyword and text."""
CHUNK = struct.pack(">I4s", len(SOFTWARE), b"tEXt") + SOFTWARE + struct.pack(">I", zlib.crc32(b"tEXt" + SOFTWARE))
CREDENTIALS = b"caBX"
"""Kind of the chunk that signing puts before that (C2PA specification, A.3)."""
CHANNELS = {3: [2, 1, 0], 4: [2, 1, 0, 3]}


def encode(picture: NDArray[Any], compression: int = 6) -> bytes:
    """(H, W), (H, W, 3) RGB or (H, W, 4) RGBA, uint8 or uint16 -> a PNG. compression: 0 to 9, what zlib takes.

    Raises `ValueError` for another shape or type.
    """
    if picture.dtype not in (np.uint8, np.uint16) or not (
        picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] in CHANNELS)
    ):
        raise ValueError(f"a picture of 8 or 16 bit, grey, RGB or RGBA was expected, not {picture.shape} {picture.dtype}")
    turned = picture if picture.ndim == 2 else picture[..., CHANNELS[picture.shape[2]]]
    _, made = cv2.imencode(".png", np.ascontiguousarray(turned), [cv2.IMWRITE_PNG_COMPRESSION, compression])
    data = made.tobytes()
    return data[:HEADER] + CHUNK + provenance.png_chunk() + data[HEADER:]


def write(path: Path, picture: NDArray[Any], *, durable: bool = True, sign: bool = False) -> None:
    """Write a picture as `encode` takes it, whole or not at all. sign: with content credentials (`models/credentials.py`).
    Raises `StorageError` when the place cannot be written to."""
    data = credentials.sign(encode(picture), "image/png") if sign else encode(picture)
    with atomic_write(path, durable=durable) as stream:
        stream.write(data)


def is_ours(path: Path) -> bool:
    """Whether `path` is a PNG that `encode` made."""
    try:
        with tensor_file.open_regular(path) as stream:
            start, length, kind = stream.read(HEADER), *struct.unpack(">I4s", stream.read(8))
            stream.seek(length + 4 if kind == CREDENTIALS else -8, os.SEEK_CUR)
            mark = stream.read(len(CHUNK))
    except (OSError, struct.error):
        return False
    return start.startswith(SIGNATURE) and mark == CHUNK
