"""Recorded drive frames: JSON Lines (`.jsonl`), one frame a line, for other programs and for `visavis drive --drive-frames`.

A line has the names of `models.types.DriveFrame`; all but `timestamp` may be left out, and are at rest then:

    {"version": 1, "timestamp": 0.033, "confidence": 1.0, "rotation": [1, 0, 0, 0], "translation": [0, 0, 0],
     "coefficients": {"jawOpen": 0.4}, "gaze": [[0, 0], [0, 0]]}

`coefficients` is a list of all 52 in Apple's order, or an object of those that are not 0. Names that nobody knows are ignored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from models import arkit
from models.atomic import atomic_write
from models.errors import ClipError
from models.exchange.drive_frames import MAX_GAZE, MAX_SECONDS, MAX_TRANSLATION
from models.tensor_file import MalformedError, open_regular
from models.types import DriveFrame

VERSION = 1
"""Of a line; that of drive frames as bytes counts for itself."""
UNIT_WITHIN = 0.01
"""By how much the length of a rotation's quaternion may differ from 1."""
ENDING = ".jsonl"
MAX_LINE, MAX_FRAMES = 16 << 10, 200_000
"""Bytes, and lines: more than an hour at 50 a second."""

Part = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Metres = Annotated[float, msgspec.Meta(ge=-MAX_TRANSLATION, le=MAX_TRANSLATION)]
Angle = Annotated[float, msgspec.Meta(ge=-MAX_GAZE, le=MAX_GAZE)]
Turn = Annotated[float, msgspec.Meta(ge=-1.01, le=1.01)]
Seconds = Annotated[float, msgspec.Meta(ge=-MAX_SECONDS, le=MAX_SECONDS)]


@dataclass(frozen=True)
class DriveRecording:
    """drives: in the order of their times, which begin at 0. dropped: how many came too late in the file, and are left out."""

    drives: tuple[DriveFrame, ...]
    dropped: int = 0

    @property
    def fps(self) -> float:
        """Frames a second, the mean; 30 for a single one."""
        span = self.drives[-1].timestamp
        return min(240.0, max(1.0, (len(self.drives) - 1) / span)) if span > 0 else 30.0


class _Line(msgspec.Struct, frozen=True):
    timestamp: Seconds
    version: int = VERSION
    confidence: Part = 1.0
    rotation: tuple[Turn, Turn, Turn, Turn] = (1.0, 0.0, 0.0, 0.0)
    translation: tuple[Metres, Metres, Metres] = (0.0, 0.0, 0.0)
    coefficients: list[Part] | dict[str, Part] = {}
    gaze: tuple[tuple[Angle, Angle], tuple[Angle, Angle]] = ((0.0, 0.0), (0.0, 0.0))


_decoder, _encoder = msgspec.json.Decoder(_Line), msgspec.json.Encoder()


def to_json(drive: DriveFrame) -> bytes:
    """One line, without its end. Numbers have five decimals, which is finer than what goes over the wire."""
    named = zip(arkit.NAMES, drive.coefficients.tolist(), strict=True)
    gaze = np.asarray(drive.gaze, np.float64).round(5).tolist()
    return _encoder.encode({
        "version": VERSION, "timestamp": round(drive.timestamp, 5), "confidence": round(drive.confidence, 5),
        "rotation": np.round(drive.rotation, 6).tolist(), "translation": np.round(drive.translation, 5).tolist(),
        "coefficients": {name: round(value, 5) for name, value in named if round(value, 5)}, "gaze": gaze,
    })  # fmt: skip


def from_json(line: bytes) -> DriveFrame:
    """A line as a frame. Raises `MalformedError` that says what is wrong."""
    if len(line) > MAX_LINE:
        raise MalformedError(f"it has more than the {MAX_LINE} bytes of a frame")
    try:
        read = _decoder.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise MalformedError("".join(c for c in str(error)[:120] if c.isprintable())) from None
    if read.version != VERSION:
        raise MalformedError(f"it has version {read.version}, not {VERSION}")
    length = math.sqrt(sum(v * v for v in read.rotation))
    if abs(length - 1.0) > UNIT_WITHIN:
        raise MalformedError(f"its rotation is no unit quaternion, its length is {length:.2f}")
    return DriveFrame(
        read.timestamp, read.confidence, np.array(read.rotation) / length, np.array(read.translation, np.float64),
        _coefficients(read.coefficients), np.array(read.gaze, np.float32),
    )  # fmt: skip


def _coefficients(given: list[float] | dict[str, float]) -> np.ndarray:
    if isinstance(given, dict):
        unknown = next((name for name in given if name not in arkit.INDEX), None)
        if unknown is not None:
            raise MalformedError("it names a coefficient that ARKit does not have")
        return np.asarray(arkit.vector(**given), np.float32)
    if len(given) != arkit.COUNT:
        raise MalformedError(f"it has {len(given)} coefficients, not {arkit.COUNT}")
    return np.asarray(given, np.float32)


def write(path: Path, drives: Iterable[DriveFrame]) -> None:
    """Write a recording, whole or not at all. Raises `StorageError`."""
    with atomic_write(path) as stream:
        for drive in drives:
            stream.write(to_json(drive) + b"\n")


def read(path: Path) -> DriveRecording:
    """A recording. Raises `ClipError`: no such file, too long, empty, or a line that is no frame."""
    return in_order(path, (explained(path, number, from_json, line) for number, line in numbered_lines(path)))


def is_one(path: Path) -> bool:
    """Whether the first line of the file is a frame."""
    try:
        return next((bool(from_json(line)) for _, line in numbered_lines(path)), False)
    except (ClipError, MalformedError):
        return False


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are not empty, with their numbers from 1. Raises `ClipError`, also for a line that has no end."""
    try:
        with open_regular(path) as stream:
            for number in range(1, MAX_FRAMES + 2):
                line = stream.readline(MAX_LINE + 1)
                if not line:
                    return
                if len(line) > MAX_LINE:
                    raise ClipError(f"lines of at most {MAX_LINE} bytes were expected in {path.name}, line {number} has more")
                if line.strip():
                    yield number, line.strip()
    except (OSError, MalformedError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise ClipError(
            f"a recording of drive frames was expected at {path}, it cannot be read ({reason}); check the path"
        ) from None
    raise ClipError(f"at most {MAX_FRAMES} drive frames were expected in {path.name}, it has more; cut it into several")


def explained(path: Path, number: int, parse: Callable[[bytes], DriveFrame], line: bytes) -> DriveFrame:
    """A line, parsed; what is wrong with it becomes a `ClipError` that names it."""
    try:
        return parse(line)
    except MalformedError as error:
        raise ClipError(f"a drive frame was expected in line {number} of {path.name}, but {error}; mend or remove it") from None


def in_order(path: Path, frames: Iterable[DriveFrame]) -> DriveRecording:
    """Frames whose times rise, from 0; late ones are dropped. Raises `ClipError` when there are none."""
    kept: list[DriveFrame] = []
    dropped = 0
    for frame in frames:
        if kept and frame.timestamp <= kept[-1].timestamp:
            dropped += 1
        else:
            kept.append(frame)
    if not kept:
        raise ClipError(f"drive frames were expected in {path.name}, it holds none; record it again")
    start = kept[0].timestamp
    return DriveRecording(tuple(replace(frame, timestamp=frame.timestamp - start) for frame in kept), dropped)
