"""Live Link Face, Epic's app for phones whose ARKit tracks a face: its recordings (CSV) and its packets (UDP, port 11111).

Written from public descriptions; neither format is documented by its maker.

- CSV: a line of names, `Timecode,BlendShapeCount,EyeBlinkLeft,...`, then one line a frame. Columns are found by their names, in
  any order, capitals or not. The time code is `HH:MM:SS:FF.fff`, FF counting frames from 0 to the rate less one.
- UDP, big-endian: version u8 (6), device and subject (each i32 length and UTF-8), frame number i32, part of a frame f32,
  frames a second as a fraction of two i32, count u8 (61), and that many f32: the coefficients in Apple's order, then yaw, pitch
  and roll of head, left eye and right eye. A packet that ends before the count says that no face is seen.

Head angles are radians as Unreal has them: yaw positive to the person's right, pitch positive up, roll positive to the person's
right shoulder. The gaze is taken from the `eyeLook` coefficients, whose sense is certain.
"""

from __future__ import annotations

import csv
import math
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from models import arkit
from models.errors import ClipError, ProtocolError
from models.exchange.drive_recording import DriveRecording, explained, in_order, numbered_lines
from models.heads.base import quaternion, rotation_vector
from models.tensor_file import MalformedError
from models.types import Array, Array64, DriveFrame

ENDING = ".csv"
PORT = 11111
VERSION = 6
VALUES = arkit.COUNT + 9
"""Coefficients, and three angles of head, left eye and right eye."""
MAX_TEXT = 256
"""Bytes of a device's or a subject's name."""
MAX_PACKET = 1500
LOOK = (math.radians(30.0), math.radians(25.0))
"""Yaw and pitch of an eye whose `eyeLook` coefficient is 1."""
OPTIONAL = ("tongueOut",)
"""Coefficients that not every version of the app writes."""
HEAD = ("headyaw", "headpitch", "headroll")
RATES = (24, 25, 30, 50, 60, 120)
"""Frames a second that the app or its time code may have; the lowest that all frame numbers fit into is taken."""
_TIMECODE = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})[:;](\d{1,3}(?:\.\d{1,6})?)")
_NAMES = tuple(name.lower() for name in arkit.NAMES)
_TIMING = struct.Struct(">ifiiB")


def read_csv(path: Path) -> DriveRecording:
    """A recording of the app. Raises `ClipError`: no such file, no such columns, or a line that does not fit them."""
    lines = numbered_lines(path)
    columns = _columns(path, next(lines, (1, b""))[1])
    rows = list(lines)
    rate = _rate(path, rows)

    def frame(line: bytes) -> DriveFrame:
        cells = _cells(line)
        if len(cells) < 2 or cells[1].strip() == "0":  # no face was seen
            return DriveFrame(_seconds(cells[0] if cells else "", rate), 0.0)
        if len(cells) <= max(columns.values()):
            raise MalformedError(f"it has {len(cells)} columns and not those that the first line names")
        coefficients = [_number(cells[columns[name]], 0.0, 1.0) if name in columns else 0.0 for name in _NAMES]
        head = [_number(cells[columns[name]], -math.pi, math.pi) if name in columns else 0.0 for name in HEAD]
        return _frame(_seconds(cells[0], rate), coefficients, head)

    return in_order(path, _held(explained(path, number, frame, line) for number, line in rows))


def read_packet(data: bytes) -> DriveFrame | None:
    """A packet of the app, with its frame number as time; `None` when it says that no face is seen. Raises `ProtocolError`."""
    if not data or len(data) > MAX_PACKET or data[0] != VERSION:
        raise ProtocolError(f"a packet of Live Link Face, version {VERSION}, was expected, something else came; check the app")
    try:
        at = _after_text(data, _after_text(data, 1))
        if len(data) < at + _TIMING.size:
            return None
        number, part, frames, seconds, count = _TIMING.unpack_from(data, at)
        values = struct.unpack_from(f">{VALUES}f", data, at + _TIMING.size)
    except (struct.error, MalformedError):
        raise ProtocolError("a whole packet of Live Link Face was expected, it is cut short; check the network") from None
    good = count == VALUES and frames > 0 and seconds > 0 and all(map(math.isfinite, (part, *values)))
    angles = values[arkit.COUNT :]
    if not good or not all(-0.01 <= v <= 1.01 for v in values[: arkit.COUNT]) or max(map(abs, angles)) > math.pi:
        raise ProtocolError(f"{VALUES} coefficients and angles were expected in a packet, others came; check the app's version")
    return _frame((number + min(max(part, 0.0), 1.0)) * seconds / frames, values[: arkit.COUNT], angles[:3])


def _after_text(data: bytes, at: int) -> int:
    (length,) = struct.unpack_from(">i", data, at)
    if not 0 <= length <= MAX_TEXT or at + 4 + length > len(data):
        raise MalformedError("a text is cut short")
    return int(at + 4 + length)


def _columns(path: Path, line: bytes) -> dict[str, int]:
    names = {name.strip().lower(): i for i, name in enumerate(_cells(line))}
    missing = [name for name, low in zip(arkit.NAMES, _NAMES, strict=True) if low not in names and name not in OPTIONAL]
    if "timecode" not in names or missing:
        what = f"the column {missing[0]}" if missing else "the column Timecode"
        raise ClipError(f"a recording of Live Link Face was expected in {path.name}, {what} is missing; export it again")
    return names


def _cells(line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8-sig")]), [])
    except (UnicodeError, csv.Error):
        raise MalformedError("it is no line of CSV") from None


def _number(text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low - 0.01 <= value <= high + 0.01:
        raise MalformedError(f"a number between {low:.2f} and {high:.2f} stands elsewhere")
    return value


def _rate(path: Path, rows: Sequence[tuple[int, bytes]]) -> int:
    """Frames a second of the time code: the frame numbers stay below it."""
    largest = 0.0
    for _, line in rows:
        match = _TIMECODE.match(line[:32].decode("ascii", "replace").strip())
        largest = max(largest, float(match[4]) if match else 0.0)
    rate = next((rate for rate in RATES if largest < rate), None)
    if rate is None:
        raise ClipError(f"time codes of at most {RATES[-1]} frames a second were expected in {path.name}; export it again")
    return rate


def _seconds(timecode: str, rate: int) -> float:
    match = _TIMECODE.fullmatch(timecode.strip())
    if match is None:
        raise MalformedError("its time code is not HH:MM:SS:FF")
    hours, minutes, seconds = (int(match[i]) for i in (1, 2, 3))
    return 3600 * hours + 60 * minutes + seconds + float(match[4]) / rate


def _frame(seconds: float, coefficients: Sequence[float], head: Sequence[float]) -> DriveFrame:
    values = np.asarray(coefficients, np.float32).clip(0.0, 1.0)
    return DriveFrame(seconds, 1.0, _rotation(*head), np.zeros(3), values, _gaze(values))


def _rotation(yaw: float, pitch: float, roll: float) -> Array64:
    """(4,) quaternion in avatar space: roll about +z, then pitch, then yaw."""
    turns = (np.array([0.0, -yaw, 0.0]), np.array([-pitch, 0.0, 0.0]), np.array([0.0, 0.0, roll]))
    a, b, c = (rotation_vector(turn) for turn in turns)
    return np.asarray(quaternion(a @ b @ c))


def _gaze(values: Array) -> Array:
    """(2, 2) radians, as in `DriveFrame`."""
    left = {name: values[arkit.INDEX[f"eyeLook{name}Left"]] for name in ("In", "Out", "Up", "Down")}
    right = {name: values[arkit.INDEX[f"eyeLook{name}Right"]] for name in ("In", "Out", "Up", "Down")}
    yaw, pitch = LOOK
    return np.array(
        [
            [yaw * (left["Out"] - left["In"]), pitch * (left["Up"] - left["Down"])],
            [yaw * (right["In"] - right["Out"]), pitch * (right["Up"] - right["Down"])],
        ],
        np.float32,
    )


def _held(frames: Iterator[DriveFrame]) -> Iterator[DriveFrame]:
    """Frames without a face repeat the last pose."""
    last = DriveFrame()
    for frame in frames:
        last = frame if frame.confidence > 0 else replace(last, timestamp=frame.timestamp, confidence=0.0)
        yield last
