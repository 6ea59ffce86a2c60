"""Drive frames as bytes: what is written is read again, anything else is refused in one sentence."""

from __future__ import annotations

import math
import re
import struct
from dataclasses import replace

import numpy as np
import pytest

from models import arkit
from models.errors import ProtocolError
from models.exchange import drive_frames
from models.exchange.drive_frames import HEADER, RECORD_BYTES, KnownParts, SentFrame
from models.types import DriveFrame


def some_frame(seed: int) -> SentFrame:
    """Anything that can be sent. Its time is whole milliseconds."""
    rng = np.random.default_rng(seed)
    rotation = rng.normal(size=4)
    drive = DriveFrame(
        timestamp=int(rng.integers(1 << 32)) / 1000,
        confidence=float(rng.uniform()),
        rotation=rotation / np.linalg.norm(rotation),
        translation=rng.uniform(-3, 3, 3),
        coefficients=rng.uniform(size=arkit.COUNT).astype(np.float32),
        gaze=rng.uniform(-1.5, 1.5, (2, 2)).astype(np.float32),
    )
    return SentFrame(drive, int(rng.integers(1 << 31)), int(rng.integers(1 << 16)), KnownParts(int(rng.integers(32))))


@pytest.mark.parametrize("seed", range(5))
def test_what_was_sent_is_read_again(seed: int) -> None:
    sent = [some_frame(100 * seed + i) for i in range(1 + 3 * seed)]
    data = drive_frames.encode(sent)
    assert len(data) == HEADER.size + len(sent) * RECORD_BYTES
    for ours, theirs in zip(sent, drive_frames.decode(data), strict=True):
        assert (theirs.participant, theirs.sequence, theirs.known) == (ours.participant, ours.sequence, ours.known)
        assert theirs.drive.timestamp == ours.drive.timestamp
        assert theirs.drive.confidence == pytest.approx(ours.drive.confidence, abs=0.5 / 255)
        between = abs(float(theirs.drive.rotation @ ours.drive.rotation))
        assert math.degrees(2 * math.acos(min(between, 1.0))) < 0.01
        assert np.abs(theirs.drive.translation - ours.drive.translation).max() <= 0.5e-4 + 1e-9
        assert np.abs(theirs.drive.gaze - ours.drive.gaze).max() <= 0.5 / 8192 + 1e-6
        assert np.abs(theirs.drive.coefficients - ours.drive.coefficients).max() <= 0.5 / 255 + 1e-6
        assert theirs.drive.coefficients.dtype == theirs.drive.gaze.dtype == np.float32


def test_a_second_of_a_person_is_small() -> None:
    assert 30 * 8 * len(drive_frames.encode([some_frame(0)])) < 40_000
    packet = drive_frames.encode([some_frame(0)] * drive_frames.FITTING)
    assert len(packet) <= 1200 < len(packet) + RECORD_BYTES


def test_what_lies_beyond_a_range_is_cut_to_it() -> None:
    drive = DriveFrame(
        confidence=7.0,
        translation=np.array([9.0, -9.0, 0.0]),
        coefficients=np.full(arkit.COUNT, 1.4, np.float32),
        gaze=np.full((2, 2), -4.0, np.float32),
    )
    read = drive_frames.decode(drive_frames.encode([SentFrame(drive)]))[0].drive
    assert read.confidence == 1.0
    assert read.translation.tolist() == pytest.approx([3.2767, -3.2767, 0.0])
    assert (read.coefficients == 1.0).all()
    assert read.gaze == pytest.approx(-math.pi / 2, abs=1e-4)


def test_a_face_that_is_hardly_seen_is_seen() -> None:
    seen = SentFrame(DriveFrame(confidence=1e-4))
    assert drive_frames.decode(drive_frames.encode([seen]))[0].drive.confidence > 0


def test_time_and_sequence_wrap() -> None:
    read = drive_frames.decode(drive_frames.encode([SentFrame(DriveFrame(timestamp=(1 << 32) / 1000 + 1.5), 1, 65537)]))[0]
    assert (read.drive.timestamp, read.sequence) == (1.5, 1)
    assert drive_frames.is_newer(3, 65530)
    assert not drive_frames.is_newer(65530, 3)
    assert not drive_frames.is_newer(7, 7)


def test_a_record_is_addressed_without_being_read() -> None:
    frame = some_frame(3)
    record = drive_frames.addressed(drive_frames.pack_record(frame), 12, 65540)
    assert record == drive_frames.pack_record(replace(frame, participant=12, sequence=4))


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp": math.nan},
        {"timestamp": 1e300},
        {"confidence": math.inf},
        {"rotation": np.array([math.nan, 0, 0, 1])},
        {"rotation": np.zeros(4)},
        {"rotation": np.zeros(3)},
        {"translation": np.array([0, -math.inf, math.inf])},
        {"coefficients": np.full(arkit.COUNT, np.nan, np.float32)},
        {"coefficients": np.zeros(51, np.float32)},
        {"gaze": np.full((2, 2), np.inf, np.float32)},
    ],
    ids=str,
)
def test_what_is_no_number_is_not_sent(change: dict[str, object]) -> None:
    with pytest.raises(ProtocolError, match="expected"):
        drive_frames.encode([SentFrame(replace(some_frame(0).drive, **change))])  # type: ignore[arg-type]


@pytest.mark.parametrize("participant", [-2, 1 << 31])
def test_a_participant_without_a_number_is_not_sent(participant: int) -> None:
    with pytest.raises(ProtocolError, match="participant"):
        drive_frames.encode([replace(some_frame(0), participant=participant)])


GOOD = drive_frames.encode([some_frame(0), some_frame(1)])


def with_bytes(at: int, data: bytes) -> bytes:
    return GOOD[:at] + data + GOOD[at + len(data) :]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "0 bytes"),
        (GOOD[:2], "2 bytes"),
        (with_bytes(0, b"\x02"), "version"),
        (with_bytes(1, b"\x09"), "kind"),
        (with_bytes(2, b"\x00"), "it says 0"),
        (with_bytes(2, b"\xff"), "it says 255"),
        (with_bytes(2, b"\x01"), "89 bytes"),
        (GOOD[:-1], "174 bytes"),
        (GOOD + b"\0", "176 bytes"),
        (with_bytes(3, struct.pack("<i", -5)), "negative"),
        (with_bytes(15, bytes(8)), "quaternion"),
        (with_bytes(15, struct.pack("<4h", 32767, 32767, 0, 0)), "quaternion"),
        (with_bytes(29, struct.pack("<h", -32768)), "gaze"),
    ],
)
def test_what_is_no_message_is_refused_in_one_sentence(data: bytes, says: str) -> None:
    with pytest.raises(ProtocolError, match=re.escape(says)) as caught:
        drive_frames.decode(data)
    assert "\n" not in str(caught.value)
    assert ". " not in str(caught.value).rstrip(".")


def test_any_bytes_are_read_or_refused() -> None:
    rng = np.random.default_rng(0)
    read = 0
    for _ in range(2000):
        data = bytearray(GOOD)
        for at in rng.integers(len(data), size=rng.integers(1, 6)):
            data[at] = rng.integers(256)
        try:
            frames = drive_frames.decode(bytes(data[: int(rng.choice([len(data), rng.integers(len(data))], p=[0.8, 0.2]))]))
        except ProtocolError:
            continue
        read += 1
        for frame in frames:
            drive = frame.drive
            assert np.isfinite(drive.rotation).all()
            assert abs(np.linalg.norm(drive.rotation) - 1) < 1e-9
            assert np.abs(drive.translation).max() < 3.3
            assert np.abs(drive.gaze).max() < 1.6
            assert ((drive.coefficients >= 0) & (drive.coefficients <= 1)).all()
    assert 100 < read < 1900
