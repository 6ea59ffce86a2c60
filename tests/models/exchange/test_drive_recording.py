"""Recorded drive frames as JSON Lines."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import ClipError
from models.exchange import drive_recording
from models.exchange.drive_recording import from_json, to_json
from models.tensor_file import MalformedError
from tests.models.exchange.test_drive_frames import some_frame


def line(**change: Any) -> bytes:
    return json.dumps({"timestamp": 1.0} | change).encode()


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    drives = [replace(some_frame(i).drive, timestamp=5 + i / 30) for i in range(20)]
    drive_recording.write(tmp_path / "walk.jsonl", drives)
    recording = drive_recording.read(tmp_path / "walk.jsonl")
    assert recording.dropped == 0 and recording.fps == pytest.approx(30, abs=0.01)
    assert drive_recording.is_one(tmp_path / "walk.jsonl")
    for i, (ours, theirs) in enumerate(zip(drives, recording.drives, strict=True)):
        assert theirs.timestamp == pytest.approx(i / 30, abs=1e-4)
        for name in ("confidence", "rotation", "translation", "coefficients", "gaze"):
            assert getattr(theirs, name) == pytest.approx(getattr(ours, name), abs=2e-5), name


def test_what_is_left_out_rests_and_either_form_of_coefficients_is_read() -> None:
    rest = from_json(line())
    assert rest.confidence == 1.0 and rest.rotation.tolist() == [1, 0, 0, 0] and not rest.coefficients.any()
    some = from_json(line(coefficients={"jawOpen": 0.4}, later="anything", known=["head"]))
    assert some.coefficients[17] == np.float32(0.4) and some.coefficients.sum() == np.float32(0.4)
    assert from_json(line(coefficients=[0.5] * 52)).coefficients.tolist() == [0.5] * 52
    assert len(to_json(some_frame(0).drive)) < 2000


@pytest.mark.parametrize(
    "text",
    [
        b"", b"nothing", b"[1]", b"{}", b'{"timestamp": NaN}', b'{"timestamp": 1e999}', b"\xff\xfe", b"[" * 5000,
        line(version=2), line(timestamp="1"), line(confidence=1.5), line(rotation=[1, 0, 0]), line(rotation=[0, 0, 0, 0]),
        line(rotation=[1, 1, 0, 0]), line(translation=[9, 0, 0]), line(coefficients=[0.0] * 51), line(coefficients=[2.0] * 52),
        line(coefficients={"jawOpen": -1}), line(coefficients={"nose": 0.5}), line(gaze=[[2, 0], [0, 0]]), line(gaze=[0, 0]),
        line(coefficients={"jawOpen": math.pi}),
    ],
)  # fmt: skip
def test_a_line_that_is_no_frame_is_refused_in_one_sentence(text: bytes, tmp_path: Path) -> None:
    with pytest.raises(MalformedError):
        from_json(text)
    if not text.strip():
        return
    (tmp_path / "bad.jsonl").write_bytes(line() + b"\n" + text + b"\n")
    with pytest.raises(ClipError, match=r"line 2 of bad\.jsonl") as caught:
        drive_recording.read(tmp_path / "bad.jsonl")
    assert "\n" not in str(caught.value)


def test_late_frames_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "late.jsonl").write_bytes(b"\n".join(line(timestamp=t) for t in (3, 4, 3.5, 4, 5)) + b"\n\n")
    recording = drive_recording.read(tmp_path / "late.jsonl")
    assert [drive.timestamp for drive in recording.drives] == [0, 1, 2] and recording.dropped == 2


def test_files_that_are_none_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "long.jsonl").write_bytes(b"{" + b" " * (1 << 20))
    (tmp_path / "many.jsonl").write_bytes(b"\n".join(line(timestamp=t) for t in range(20)))
    monkeypatch.setattr(drive_recording, "MAX_FRAMES", 10)
    for name, says in [
        ("empty", "holds none"),
        ("long", "16384 bytes"),
        ("many", "at most 10"),
        ("missing", "No such file"),
        (".", "plain file"),
    ]:
        path = tmp_path / (name if name == "." else f"{name}.jsonl")
        with pytest.raises(ClipError, match=says):
            drive_recording.read(path)
        assert name == "many" or not drive_recording.is_one(path)


def test_any_bytes_are_a_frame_or_refused() -> None:
    rng = np.random.default_rng(0)
    good, read = to_json(some_frame(1).drive), 0
    for _ in range(1000):
        data = bytearray(good)
        for at in rng.integers(len(data), size=rng.integers(1, 4)):
            data[at] = rng.choice(np.frombuffer(b'0123456789.-e"{}[],: x', np.uint8))
        try:
            drive = from_json(bytes(data))
        except MalformedError:
            continue
        read += 1
        assert abs(np.linalg.norm(drive.rotation) - 1) < 1e-9 and ((drive.coefficients >= 0) & (drive.coefficients <= 1)).all()
    assert 50 < read < 950
