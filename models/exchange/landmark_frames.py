"""A face's landmarks as bytes, from a page that tracks its camera by itself (docs/protocol.md).

`client_web/src/drive/landmark_wire.ts` writes the same bytes. Little-endian:

    version u8, as of drive frames | kind u8, `KIND` | sequence u16 | time u32, milliseconds of the page's clock
    width u16, height u16 of the camera's picture, pixels | confidence u8, steps of 1/255; 0: no face is seen, and nothing follows
    478 x 3 x i16: x and z in 1/16384 of the width, y in 1/16384 of the height; axes as in `models.tracking.landmarks.Landmarks`

Time and sequence wrap. The nearest step is taken, halves upwards, so that both languages write the same bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from models.errors import ProtocolError
from models.exchange.drive_frames import BYTE_STEPS, SEQUENCE_WRAPS, TIME_WRAPS, VERSION
from models.heads.base import LANDMARKS
from models.tracking.landmarks import Landmarks
from models.types import Array

KIND = 2
HEADER = struct.Struct("<BBHIHHB")
BYTES = HEADER.size + LANDMARKS * 3 * 2
"""2881: the longest message."""
STEPS = 16384
"""Of a picture's side. So landmarks reach as far as one picture beyond each edge."""
LEAST_SIDE, MOST_SIDE = 32, 8192
"""Pixels of the camera's picture."""


@dataclass(frozen=True)
class LandmarkFrame:
    """What a page saw in one picture of its camera. landmarks: `None` when it saw no face. sequence: counts from one picture to
    the next, and wraps at 2^16. time: milliseconds of the page's clock, wraps at 2^32."""

    landmarks: Landmarks | None
    sequence: int = 0
    time: int = 0


def encode(frame: LandmarkFrame) -> bytes:
    """A message. What lies beyond a range is cut to it. Raises `ProtocolError` for what is not a number."""
    face, sequence, time = frame.landmarks, frame.sequence % SEQUENCE_WRAPS, frame.time % TIME_WRAPS
    if face is None:
        return HEADER.pack(VERSION, KIND, sequence, time, LEAST_SIDE, LEAST_SIDE, 0)
    if face.points.shape != (LANDMARKS, 3) or not (np.isfinite(face.points).all() and np.isfinite(face.confidence)):
        raise ProtocolError(f"{LANDMARKS} landmarks of finite numbers were expected, these are others; leave them out")
    scaled = face.points.astype(np.float64) / _sides(face.width, face.height) * STEPS
    steps = np.clip(np.floor(scaled + 0.5), -(1 << 15), (1 << 15) - 1).astype("<i2")
    confidence = max(int(np.floor(np.clip(face.confidence, 0.0, 1.0) * BYTE_STEPS + 0.5)), 1)
    return HEADER.pack(VERSION, KIND, sequence, time, face.width, face.height, confidence) + steps.tobytes()


def decode(data: bytes) -> LandmarkFrame:
    """The landmarks of a message. Raises `ProtocolError`: another version, kind or length, a picture of impossible size."""
    if len(data) < HEADER.size:
        raise ProtocolError(f"a message of landmarks was expected, {len(data)} bytes came; send whole messages")
    version, kind, sequence, time, width, height, confidence = HEADER.unpack_from(data)
    if version != VERSION:
        raise ProtocolError(f"landmarks of version {VERSION} were expected, these have version {version}; reload the page")
    if kind != KIND:
        raise ProtocolError(f"landmarks (kind {KIND}) were expected, kind {kind} came; send landmarks")
    expected = BYTES if confidence else HEADER.size
    if len(data) != expected:
        raise ProtocolError(f"landmarks in {expected} bytes were expected, {len(data)} bytes came; send whole messages")
    if min(width, height) < LEAST_SIDE or max(width, height) > MOST_SIDE:
        raise ProtocolError(
            f"landmarks of a picture of {LEAST_SIDE} to {MOST_SIDE} pixels a side were expected, it has {width}x{height}; "
            "send those of the camera"
        )
    if not confidence:
        return LandmarkFrame(None, sequence, time)
    steps = np.frombuffer(data, "<i2", LANDMARKS * 3, HEADER.size).reshape(LANDMARKS, 3)
    points = (steps * (_sides(width, height) / STEPS)).astype(np.float32)
    return LandmarkFrame(Landmarks(points, confidence / BYTE_STEPS, width, height), sequence, time)


def sequence_of(data: bytes) -> int:
    """The sequence number of a message that `decode` takes."""
    return int.from_bytes(data[2:4], "little")


def _sides(width: int, height: int) -> Array:
    """What each axis is measured in, pixels."""
    return np.array([width, height, width], np.float32)
