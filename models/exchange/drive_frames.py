"""Drive frames as bytes, for the data channel `drive` (docs/protocol.md). `client_web/src/drive/wire.ts` does the same; it has
the numbers below from `python -m server.call.generate_protocol`.

Little-endian. A message is version (u8), kind (u8), count (u8, 1 to `MOST`), then that many records of `SHORTEST` to `LONGEST`
bytes:

    participant i32 | sequence u16 | time u32, milliseconds | known u8, bits 0 to 4 as in `KnownParts`, bits 6 and 7 `largest`
    | confidence u8, steps of 1/255 | rotation 3 x i16: of the unit quaternion wxyz, whose number `largest` is made positive
    and left out, the others in 1/46340 | translation 3 x i16, tenths of a millimetre | gaze 2 x 24 bits, left and right: yaw
    in the lower 12 and pitch in the upper, signed, 1/1300 radian | filled 52 bits and 4 of 0: which coefficients are not 0 |
    those, u8 each, steps of 1/255

A face moves some 25 of its 52 coefficients, so a record has 62 bytes. Time and sequence wrap. The nearest step is taken, halves
upwards, so that both languages write the same bytes.
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

VERSION, KIND = 2, 1
HEADER = struct.Struct("<BBB")
_FIELDS = {
    "participant": "i", "sequence": "H", "time": "I", "known": "B", "confidence": "B", "rotation": "3h", "translation": "3h",
    "gaze": "6s", "filled": "7s",
}  # fmt: skip
_FIXED = struct.Struct("<" + "".join(_FIELDS.values()))
OFFSETS = {name: struct.calcsize("<" + "".join(list(_FIELDS.values())[:i])) for i, name in enumerate(_FIELDS)}
"""Where in a record each of its parts begins, bytes."""
SHORTEST, LONGEST = _FIXED.size, _FIXED.size + arkit.COUNT
"""Bytes of a record: 37 at rest, 89 where no coefficient is 0."""
MOST = 16
"""Records of a message at the most."""
PACKET = 1200
"""Bytes of a message that fit into one packet of a data channel: of a longer one all is lost where half of it is."""
ROTATION_STEPS, TRANSLATION_STEPS, GAZE_STEPS, BYTE_STEPS = 46340, 10_000, 1300, 255
LARGEST_AT = 6
"""Bit of `known` from which on it says which number of the quaternion is the largest."""
MAX_TRANSLATION = 3.2767
"""Metres, along each axis."""
MAX_GAZE = math.pi / 2
"""Radians."""
MAX_REST = 0.76
"""Of the squares of a unit quaternion's three smaller numbers, the sum: 3/4 and what rounding adds."""
MAX_PARTICIPANT = (1 << 31) - 1
MAX_SECONDS = 1e11
"""Of a time stamp: some 3,000 years."""
TIME_WRAPS, SEQUENCE_WRAPS = 1 << 32, 1 << 16
_ADDRESS = struct.Struct("<iH")


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
    """One record. What lies beyond a range is cut to it. Raises `ProtocolError` for what is not a number."""
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
    largest, smaller = _smallest_three(rotation.tolist())
    confidence = min(max(drive.confidence, 0.0), 1.0)
    steps = np.floor(coefficients.clip(0.0, 1.0) * BYTE_STEPS + 0.5).astype(np.uint8)
    filled = steps > 0
    fixed = _FIXED.pack(
        sent.participant,
        sent.sequence % SEQUENCE_WRAPS,
        math.floor(drive.timestamp * 1000 + 0.5) % TIME_WRAPS,
        sent.known & _BITS | largest << LARGEST_AT,
        max(math.floor(confidence * BYTE_STEPS + 0.5), 1 if confidence > 0 else 0),
        *smaller,
        *_steps(translation, MAX_TRANSLATION, TRANSLATION_STEPS),
        _eyes_packed(_steps(gaze, MAX_GAZE, GAZE_STEPS)),
        np.packbits(filled, bitorder="little").tobytes(),
    )
    return fixed + steps[filled].tobytes()


def _smallest_three(rotation: list[float]) -> tuple[int, list[int]]:
    """Which number of a quaternion is the largest, and the steps of the others."""
    w, x, y, z = rotation
    length = math.sqrt(w * w + x * x + y * y + z * z)
    if not 0 < length < math.inf:
        raise ProtocolError("a drive frame with a unit quaternion was expected, this one has no length; leave it out")
    sizes = [abs(v) for v in rotation]
    largest = sizes.index(max(sizes))
    signed = -length if rotation[largest] < 0 else length
    return largest, [math.floor(v / signed * ROTATION_STEPS + 0.5) for i, v in enumerate(rotation) if i != largest]


def _steps(values: np.ndarray, limit: float, steps: int) -> list[int]:
    return [math.floor(min(max(v, -limit), limit) * steps + 0.5) for v in values.tolist()]


def _eyes_packed(steps: list[int]) -> bytes:
    return b"".join((yaw & 0xFFF | (pitch & 0xFFF) << 12).to_bytes(3, "little") for yaw, pitch in (steps[:2], steps[2:]))


def _eyes(packed: bytes) -> list[int]:
    bits = int.from_bytes(packed, "little")
    return [((bits >> 12 * i & 0xFFF) ^ 0x800) - 0x800 for i in range(4)]


def unpack_record(data: bytes) -> SentFrame:
    """A record. Raises `ProtocolError` for one of another length than it says, and for what is out of range."""
    sent, end = _read_record(data, 0)
    if end != len(data):
        raise ProtocolError(f"a drive frame of {end} bytes was expected, {len(data)} came; leave it out")
    return sent


def _read_record(data: bytes, at: int) -> tuple[SentFrame, int]:
    """The record at `at`, and where it ends."""
    if len(data) < at + SHORTEST:
        raise ProtocolError(f"a drive frame of at least {SHORTEST} bytes was expected, {len(data) - at} came; send whole ones")
    participant, sequence, time, known, confidence, *steps, eyes, filled = _FIXED.unpack_from(data, at)
    filled = np.unpackbits(np.frombuffer(filled, np.uint8), bitorder="little").astype(bool)
    end = at + SHORTEST + int(filled.sum())
    if len(data) < end or filled[arkit.COUNT :].any():
        raise ProtocolError(f"{arkit.COUNT} coefficients were expected in a drive frame, it names others; send whole ones")
    smaller = [v / ROTATION_STEPS for v in steps[:3]]
    rest = sum(v * v for v in smaller)
    gaze = np.array(_eyes(eyes), np.float64) / GAZE_STEPS
    if participant < -1:
        raise ProtocolError("a participant's number was expected in a drive frame, a negative one came; leave it out")
    if rest > MAX_REST:
        raise ProtocolError(f"a drive frame with a unit quaternion was expected, {rest:.2f} of it is small; leave it out")
    if np.abs(gaze).max() > MAX_GAZE + 0.5 / GAZE_STEPS:
        raise ProtocolError("a gaze of at most a quarter turn was expected in a drive frame; leave it out")
    smaller.insert(known >> LARGEST_AT, math.sqrt(1.0 - rest))
    coefficients = np.zeros(arkit.COUNT, np.float32)
    coefficients[filled[: arkit.COUNT]] = np.frombuffer(data, np.uint8, end - at - SHORTEST, at + SHORTEST) / BYTE_STEPS
    drive = DriveFrame(
        time / 1000,
        confidence / BYTE_STEPS,
        np.array(smaller, np.float64),
        np.array(steps[3:6], np.float64) / TRANSLATION_STEPS,
        coefficients,
        gaze.astype(np.float32).reshape(2, 2),
    )
    return SentFrame(drive, participant, sequence, KnownParts(known & _BITS)), end


def messages_of(records: Sequence[bytes]) -> list[bytes]:
    """Packed records in as few messages as fit into a packet each, in order."""
    messages: list[bytes] = []
    start, size = 0, HEADER.size
    for i, record in enumerate(records):
        if size + len(record) > PACKET or i - start == MOST:
            messages.append(_message(records[start:i]))
            start, size = i, HEADER.size
        size += len(record)
    return [*messages, _message(records[start:])] if records else []


def _message(records: Sequence[bytes]) -> bytes:
    return HEADER.pack(VERSION, KIND, len(records)) + b"".join(records)


def encode(frames: Sequence[SentFrame]) -> bytes:
    """A message of 1 to `MOST` drive frames. Raises `ProtocolError` for what is not a number."""
    return _message([pack_record(frame) for frame in frames])


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
    frames, end = list[SentFrame](), HEADER.size
    for _ in range(count):
        sent, end = _read_record(data, end)
        frames.append(sent)
    if end != len(data):
        raise ProtocolError(f"{count} drive frames in {end} bytes were expected, {len(data)} bytes came; send whole ones")
    return frames


def addressed(record: bytes, participant: int, sequence: int) -> bytes:
    """A packed record with another participant and sequence number."""
    return _ADDRESS.pack(participant, sequence % SEQUENCE_WRAPS) + record[_ADDRESS.size :]


def is_newer(sequence: int, than: int) -> bool:
    """Whether a sequence number comes after another one, both modulo 2^16 (RFC 1982)."""
    return 0 < (sequence - than) % SEQUENCE_WRAPS < SEQUENCE_WRAPS // 2
