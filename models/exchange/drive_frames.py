"""Drive frames as bytes, for the data channel `drive` (docs/protocol.md). `client_web/src/drive/wire.ts` does the same.

Little-endian. A message is version (u8), kind (u8), count (u8, 1 to `MOST`), then as many records of `RECORD_BYTES` bytes:

    participant i32 | sequence u16 | time u32, milliseconds | known u8, bits as in `KnownParts` | confidence u8, steps of 1/255
    rotation 4 x i16, wxyz in 1/32767 | translation 3 x i16, tenths of a millimetre
    gaze 4 x i16, 1/8192 radian: left yaw, left pitch, right yaw, right pitch | coefficients 52 x u8, steps of 1/255

Time and sequence wrap. The nearest step is taken, halves upwards, so that both languages write the same bytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag

import numpy as np

from models import arkit
from models.errors import ProtocolError
from models.types import DriveFrame

VERSION, KIND = 1, 1
HEADER = struct.Struct("<BBB")
RECORD = struct.Struct(f"<iHIBB4h3h4h{arkit.COUNT}s")
RECORD_BYTES = RECORD.size
"""86."""
MOST = 16
"""Records of a message at the most."""
FITTING = 13
"""Records that fit into one packet of a data channel (1200 bytes): more in a message would be lost together if half of it is."""
ROTATION_STEPS, TRANSLATION_STEPS, GAZE_STEPS, BYTE_STEPS = 32767, 10_000, 8192, 255
MAX_TRANSLATION = 3.2767
"""Metres, along each axis."""
MAX_GAZE = math.pi / 2
"""Radians."""
UNIT_WITHIN = 0.01
"""By how much the length of a rotation's quaternion may differ from 1."""
MAX_PARTICIPANT = (1 << 31) - 1
MAX_SECONDS = 1e11
"""Of a time stamp: some 3,000 years."""
TIME_WRAPS, SEQUENCE_WRAPS = 1 << 32, 1 << 16
_NAME_AND_SEQUENCE = struct.Struct("<iH")


class KnownParts(IntFlag):
    """What a frame says something about; the rest of it is at rest, or comes from somewhere else.

    HEAD: rotation and translation. FACE: all coefficients. MOUTH: those of jaw, mouth and tongue (from sound). GAZE: gaze.
    IN_ROOM: head and gaze are turned to somebody in the room already, as with a headset; without it they are those of somebody
    before a screen, and the server turns them to whom they meet there.
    """

    HEAD = 1
    FACE = 2
    MOUTH = 4
    GAZE = 8
    IN_ROOM = 16
    ALL = HEAD | FACE | GAZE


_BITS = int(KnownParts.HEAD | KnownParts.FACE | KnownParts.MOUTH | KnownParts.GAZE | KnownParts.IN_ROOM)


@dataclass(frozen=True)
class SentFrame:
    """A drive frame on its way. participant: whose, -1 in a recording. sequence: counts from one to the next, and wraps at 2^16.
    The frame's timestamp is in whole milliseconds and wraps at 2^32 of them."""

    drive: DriveFrame
    participant: int = -1
    sequence: int = 0
    known: KnownParts = KnownParts.ALL


def pack_record(sent: SentFrame) -> bytes:
    """One record, `RECORD_BYTES` long. What lies beyond a range is cut to it. Raises `ProtocolError` for what is not a number."""
    drive = sent.drive
    rotation, translation = np.asarray(drive.rotation, np.float64), np.asarray(drive.translation, np.float64)
    gaze, coefficients = np.asarray(drive.gaze, np.float64).ravel(), np.asarray(drive.coefficients, np.float64)
    shapes = (rotation.shape, translation.shape, gaze.shape, coefficients.shape)
    total = sum(v for part in (rotation, translation, gaze, coefficients) for v in part.ravel().tolist())
    if shapes != ((4,), (3,), (4,), (arkit.COUNT,)) or not (
        math.isfinite(total) and math.isfinite(drive.confidence) and abs(drive.timestamp) < MAX_SECONDS
    ):
        raise ProtocolError("a drive frame of finite numbers was expected, this one has others; leave it out")
    if not -1 <= sent.participant <= MAX_PARTICIPANT:
        raise ProtocolError("a participant's number was expected with a drive frame, another one came; leave it out")
    w, x, y, z = rotation.tolist()
    length = math.sqrt(w * w + x * x + y * y + z * z)
    if not length > 0:
        raise ProtocolError("a drive frame with a unit quaternion was expected, this one is zero; leave it out")
    confidence = min(max(drive.confidence, 0.0), 1.0)
    return RECORD.pack(
        sent.participant,
        sent.sequence % SEQUENCE_WRAPS,
        math.floor(drive.timestamp * 1000 + 0.5) % TIME_WRAPS,
        sent.known & _BITS,
        max(math.floor(confidence * BYTE_STEPS + 0.5), 1 if confidence > 0 else 0),
        *(math.floor(v / length * ROTATION_STEPS + 0.5) for v in (w, x, y, z)),
        *_steps(translation, MAX_TRANSLATION, TRANSLATION_STEPS),
        *_steps(gaze, MAX_GAZE, GAZE_STEPS),
        np.floor(coefficients.clip(0.0, 1.0) * BYTE_STEPS + 0.5).astype(np.uint8).tobytes(),
    )


def _steps(values: np.ndarray, limit: float, steps: int) -> list[int]:
    return [math.floor(min(max(v, -limit), limit) * steps + 0.5) for v in values.tolist()]


def unpack_record(data: bytes | memoryview, offset: int = 0) -> SentFrame:
    """The record at `offset`. Raises `ProtocolError` for what is out of range."""
    participant, sequence, time, known, confidence, *steps, coefficients = RECORD.unpack_from(data, offset)
    rotation = np.array(steps[:4], np.float64) / ROTATION_STEPS
    gaze = np.array(steps[7:11], np.float64) / GAZE_STEPS
    length = float(np.sqrt(rotation @ rotation))
    if participant < -1:
        raise ProtocolError("a participant's number was expected in a drive frame, a negative one came; leave it out")
    if abs(length - 1.0) > UNIT_WITHIN:
        raise ProtocolError(f"a drive frame with a unit quaternion was expected, its length is {length:.2f}; leave it out")
    if np.abs(gaze).max() > MAX_GAZE + 0.5 / GAZE_STEPS:
        raise ProtocolError("a gaze of at most a quarter turn was expected in a drive frame; leave it out")
    drive = DriveFrame(
        time / 1000,
        confidence / BYTE_STEPS,
        rotation / length,
        np.array(steps[4:7], np.float64) / TRANSLATION_STEPS,
        (np.frombuffer(coefficients, np.uint8) / BYTE_STEPS).astype(np.float32),
        gaze.astype(np.float32).reshape(2, 2),
    )
    return SentFrame(drive, participant, sequence, KnownParts(known & _BITS))


def message_of(records: Sequence[bytes]) -> bytes:
    """A message of 1 to `MOST` packed records."""
    return HEADER.pack(VERSION, KIND, len(records)) + b"".join(records)


def encode(frames: Sequence[SentFrame]) -> bytes:
    """A message of 1 to `MOST` drive frames. Raises `ProtocolError` for what is not a number."""
    return message_of([pack_record(frame) for frame in frames])


def decode(data: bytes) -> list[SentFrame]:
    """The frames of a message. Raises `ProtocolError`: another version or kind, another length than it says, out of range."""
    if len(data) < HEADER.size:
        raise ProtocolError(f"a message of drive frames was expected, {len(data)} bytes came; send whole messages")
    version, kind, count = HEADER.unpack_from(data)
    if version != VERSION:
        raise ProtocolError(f"drive frames of version {VERSION} were expected, these have version {version}; reload the page")
    if kind != KIND:
        raise ProtocolError(f"drive frames (kind {KIND}) were expected, kind {kind} came; send drive frames")
    if not 1 <= count <= MOST:
        raise ProtocolError(f"1 to {MOST} drive frames were expected in a message, it says {count}; send them in several")
    if len(data) != HEADER.size + count * RECORD_BYTES:
        expected = HEADER.size + count * RECORD_BYTES
        raise ProtocolError(f"{count} drive frames in {expected} bytes were expected, {len(data)} bytes came; send whole ones")
    return [unpack_record(data, HEADER.size + i * RECORD_BYTES) for i in range(count)]


def addressed(record: bytes, participant: int, sequence: int) -> bytes:
    """A packed record with another participant and sequence number."""
    return _NAME_AND_SEQUENCE.pack(participant, sequence % SEQUENCE_WRAPS) + record[_NAME_AND_SEQUENCE.size :]


def is_newer(sequence: int, than: int) -> bool:
    """Whether a sequence number comes after another one, both modulo 2^16 (RFC 1982)."""
    return 0 < (sequence - than) % SEQUENCE_WRAPS < SEQUENCE_WRAPS // 2
