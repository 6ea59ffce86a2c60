"""Drive frames as bytes: what is written is read again, anything else is refused in one sentence."""

from __future__ import annotations

import math
import re
import struct
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from models import arkit
from models.errors import ProtocolError
from models.exchange import drive_frames
from models.exchange.drive_frames import HEADER, LONGEST, OFFSETS, PACKET, SHORTEST, KnownParts, SentFrame
from models.types import DriveFrame
from server.benchmarks.relay import PACKET_OVERHEAD


def some_frame(seed: int, moved: int | None = None) -> SentFrame:
    """Anything that can be sent. Its time is whole milliseconds. moved: how many coefficients are not 0."""
    rng = np.random.default_rng(seed)
    rotation = rng.normal(size=4)
    coefficients = np.zeros(arkit.COUNT, np.float32)
    places = rng.permutation(arkit.COUNT)[: int(rng.integers(arkit.COUNT + 1)) if moved is None else moved]
    coefficients[places] = rng.uniform(0.01, 1.0, len(places))
    drive = DriveFrame(
        timestamp=int(rng.integers(1 << 32)) / 1000,
        confidence=float(rng.uniform()),
        rotation=rotation / np.linalg.norm(rotation),
        translation=rng.uniform(-3, 3, 3),
        coefficients=coefficients,
        gaze=rng.uniform(-1.5, 1.5, (2, 2)).astype(np.float32),
    )
    return SentFrame(drive, int(rng.integers(1 << 31)), int(rng.integers(1 << 16)), KnownParts(int(rng.integers(32))))


@pytest.mark.parametrize("seed", range(5))
def test_what_was_sent_is_read_again(seed: int) -> None:
    sent = [some_frame(100 * seed + i) for i in range(1 + 3 * seed)]
    data = drive_frames.encode(sent)
    filled = sum(int(np.count_nonzero(frame.drive.coefficients)) for frame in sent)
    assert len(data) == HEADER.size + len(sent) * SHORTEST + filled
    for ours, theirs in zip(sent, drive_frames.decode(data), strict=True):
        assert (theirs.participant, theirs.sequence, theirs.known) == (ours.participant, ours.sequence, ours.known)
        assert theirs.drive.timestamp == ours.drive.timestamp
        assert theirs.drive.confidence == pytest.approx(ours.drive.confidence, abs=0.5 / 255)
        between = abs(float(theirs.drive.rotation @ ours.drive.rotation))
        assert math.degrees(2 * math.acos(min(between, 1.0))) < 0.01
        assert np.abs(theirs.drive.translation - ours.drive.translation).max() <= 0.5e-4 + 1e-9
        assert np.abs(theirs.drive.gaze - ours.drive.gaze).max() <= 0.5 / 1300 + 1e-6
        assert np.abs(theirs.drive.coefficients - ours.drive.coefficients).max() <= 0.5 / 255 + 1e-6
        assert theirs.drive.coefficients.dtype == theirs.drive.gaze.dtype == np.float32


def test_a_second_of_a_person_is_small() -> None:
    """With all headers; a face moves 30 coefficients at the most (docs/protocol.md)."""
    size = len(drive_frames.encode([some_frame(0, moved=30)]))
    assert 30 * 8 * (size + -size % 4 + PACKET_OVERHEAD) < 40_000
    assert len(drive_frames.encode([some_frame(0, moved=52)])) == HEADER.size + LONGEST


@pytest.mark.parametrize("seed", range(3))
def test_records_are_put_into_as_few_packets_as_they_fit_into(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sent = [some_frame(i, moved=int(rng.integers(arkit.COUNT + 1))) for i in range(50)]
    messages = drive_frames.messages_of([drive_frames.pack_record(frame) for frame in sent])
    assert drive_frames.messages_of([]) == []
    assert [f.sequence for data in messages for f in drive_frames.decode(data)] == [frame.sequence for frame in sent]
    assert max(map(len, messages)) <= PACKET
    for data, following in pairwise(messages):
        assert data[2] == drive_frames.MOST or len(data) + _first_record(following) > PACKET


def _first_record(message: bytes) -> int:
    return len(drive_frames.encode(drive_frames.decode(message)[:1])) - HEADER.size


@pytest.mark.parametrize("largest", range(4))
@pytest.mark.parametrize("sign", [1, -1])
def test_a_turn_is_the_same_with_any_of_its_numbers_left_out(largest: int, sign: int) -> None:
    rotation = np.full(4, 0.3)
    rotation[largest] = 0.85 * sign
    rotation /= np.linalg.norm(rotation)
    [read] = drive_frames.decode(drive_frames.encode([SentFrame(DriveFrame(rotation=rotation))]))
    assert read.drive.rotation == pytest.approx(sign * rotation, abs=2e-5)


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


GOOD = drive_frames.encode([some_frame(0, moved=20), some_frame(1, moved=9)])
GAZE_AT, ROTATION_AT, FILLED_AT = (HEADER.size + OFFSETS[name] for name in ("gaze", "rotation", "filled"))


def with_bytes(at: int, data: bytes) -> bytes:
    return GOOD[:at] + data + GOOD[at + len(data) :]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "0 bytes"),
        (GOOD[:2], "2 bytes"),
        (with_bytes(0, b"\x01"), "these have version 1; reload the page"),
        (with_bytes(0, b"\x03"), "version"),
        (with_bytes(1, b"\x09"), "kind"),
        (with_bytes(2, b"\x00"), "it says 0"),
        (with_bytes(2, b"\xff"), "it says 255"),
        (with_bytes(2, b"\x01"), "60 bytes"),
        (GOOD[:-1], "names others"),
        (GOOD[:-40], "at least 37 bytes"),
        (GOOD + b"\0", "107 bytes came"),
        (with_bytes(3, struct.pack("<i", -5)), "negative"),
        (with_bytes(ROTATION_AT, struct.pack("<3h", 32767, 32767, 0)), "quaternion"),
        (with_bytes(GAZE_AT, b"\x00\x08\x00"), "gaze"),
        (with_bytes(FILLED_AT + 6, b"\x10"), "names others"),
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
    lone = drive_frames.pack_record(some_frame(0, moved=20))
    for length in range(len(lone)):
        with pytest.raises(ProtocolError):
            drive_frames.unpack_record(lone[:length])
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
