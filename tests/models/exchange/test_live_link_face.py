"""Recordings and packets of Live Link Face, as this test makes them."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import pytest

from models import arkit
from models.errors import ClipError, ProtocolError
from models.exchange.live_link_face import LOOK, read_csv, read_packet
from models.heads.base import rotation_matrix

ANGLES = [f"{part}{angle}" for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll")]
NAMES = [name[0].upper() + name[1:] for name in arkit.NAMES] + ANGLES


def row(timecode: str, **values: float) -> str:
    return ",".join([timecode, "61", *(str(values.get(name, 0.0)) for name in NAMES)])


def file(path: Path, *rows: str, names: list[str] = NAMES) -> Path:
    path.write_text("\n".join(["Timecode,BlendShapeCount," + ",".join(names), *rows]) + "\n")
    return path


def packet(values: dict[str, float], number: int = 60, device: str = "D" * 36, subject: str = "phone", count: int = 61) -> bytes:
    text = b"".join(struct.pack(">i", len(t)) + t.encode() for t in (device, subject))
    numbers = [values.get(name, 0.0) for name in NAMES]
    return b"\x06" + text + struct.pack(">ifiiB", number, 0.5, 60, 1, count) + struct.pack(f">{len(numbers)}f", *numbers)


def facing(rotation: np.ndarray) -> list[float]:
    """Where the face's +z points."""
    return rotation_matrix(rotation)[:, 2].tolist()


def test_a_recording_is_read_whatever_the_order_of_its_columns(tmp_path: Path) -> None:
    mixed = [NAMES[i].lower() for i in np.random.default_rng(0).permutation(len(NAMES))]
    values = {"jawopen": 0.4, "eyelookoutleft": 0.5, "headyaw": 0.3}
    rows = [",".join([f"10:00:59:{f:02d}.250", "61", *(str(values.get(n, 0.0)) for n in mixed)]) for f in range(58, 60)]
    recording = read_csv(file(tmp_path / "take.csv", *rows, row("10:01:00:00.250", JawOpen=0.8), names=mixed))
    assert [d.timestamp for d in recording.drives] == pytest.approx([0, 1 / 60, 2 / 60])
    assert recording.fps == pytest.approx(60)
    first = recording.drives[0]
    assert first.coefficients[arkit.INDEX["jawOpen"]] == np.float32(0.4) and first.confidence == 1.0
    assert first.gaze == pytest.approx(np.array([[LOOK[0] / 2, 0], [0, 0]]))
    assert facing(first.rotation)[0] == pytest.approx(-math.sin(0.3)), "to the person's right"


def test_angles_have_the_sense_that_the_docstring_says() -> None:
    assert facing(read_packet(packet({"HeadPitch": 0.2})).rotation)[1] == pytest.approx(math.sin(0.2)), "up"  # type: ignore[union-attr]
    tilted = read_packet(packet({"HeadRoll": 0.2}))
    assert tilted is not None
    assert rotation_matrix(tilted.rotation)[0, 1] < -0.1, "the top of the head goes to the person's right"
    for names, sign in ((("EyeLookInRight", "EyeLookOutLeft"), 1), (("EyeLookInLeft", "EyeLookOutRight"), -1)):
        look = read_packet(packet(dict.fromkeys(names, 1.0)))
        assert look is not None and look.gaze[:, 0] == pytest.approx([sign * LOOK[0]] * 2)


def test_a_time_code_of_thirty_frames_is_not_taken_for_one_of_sixty(tmp_path: Path) -> None:
    rows = [row(f"00:00:0{f // 30}:{f % 30:02d}.000") for f in range(60)]
    drives = read_csv(file(tmp_path / "take.csv", *rows)).drives
    assert np.diff([d.timestamp for d in drives]) == pytest.approx(1 / 30)


def test_a_frame_without_a_face_holds_the_last_pose(tmp_path: Path) -> None:
    rows = [row("00:00:00:00.0", JawOpen=0.5), "00:00:00:01.0,0", row("00:00:00:02.0", JawOpen=0.7)]
    drives = read_csv(file(tmp_path / "take.csv", *rows)).drives
    assert [d.confidence for d in drives] == [1, 0, 1]
    assert drives[1].coefficients[arkit.INDEX["jawOpen"]] == np.float32(0.5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is missing"),
        ("Timecode,BlendShapeCount,JawOpen\n00:00:00:00,1,0.5\n", "eyeBlinkLeft is missing"),
        (",".join(["Time", "BlendShapeCount", *NAMES]) + "\n", "Timecode is missing"),
        (row("00:00:00"), "line 2"),
        (row("00:00:00:00.0", JawOpen=1.5), "line 2"),
        (row("00:00:00:00.0", JawOpen=math.nan), "line 2"),
        (row("00:00:00:00.0", HeadYaw=40.0), "line 2"),
        ("00:00:00:00.0,61,0.5", "line 2"),
        (row("00:00:00:500.0"), "120 frames a second"),
        ("\x00\xff", "line 2"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "take.csv"
    if says.startswith(("line", "120")):
        file(path, text)
    else:
        path.write_text(text)
    with pytest.raises(ClipError, match=says) as caught:
        read_csv(path)
    assert "\n" not in str(caught.value)


def test_a_packet_is_read() -> None:
    drive = read_packet(packet({"JawOpen": 0.25, "MouthLeft": 0.5, "TongueOut": 1.0}))
    assert drive is not None and drive.timestamp == pytest.approx(60.5 / 60)
    assert {n: v for n, v in zip(arkit.NAMES, drive.coefficients.tolist(), strict=True) if v} == {
        "jawOpen": 0.25, "mouthLeft": 0.5, "tongueOut": 1.0,
    }  # fmt: skip
    whole = packet({})
    assert read_packet(whole[: 1 + 4 + 36 + 4 + 5]) is None, "no face is seen"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x06", b"\x05" + packet({})[1:], packet({})[:-1], packet({}, count=60), bytes(1501),
        packet({"JawOpen": math.nan}), packet({"JawOpen": 7.0}), packet({"HeadYaw": math.inf}), packet({"HeadYaw": 9.0}),
        b"\x06" + struct.pack(">i", 1 << 30), b"\x06" + struct.pack(">i", -5) + bytes(300),
    ],
)  # fmt: skip
def test_a_packet_that_is_none_is_refused_in_one_sentence(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="expected") as caught:
        read_packet(data)
    assert "\n" not in str(caught.value)


def test_any_bytes_are_a_packet_or_refused() -> None:
    rng = np.random.default_rng(0)
    good, read = packet({"JawOpen": 0.5}), 0
    for _ in range(1000):
        data = bytearray(good)
        for at in rng.integers(len(data), size=rng.integers(1, 3)):
            data[at] = rng.integers(256)
        try:
            drive = read_packet(bytes(data))
        except ProtocolError:
            continue
        read += 1
        if drive is not None:
            assert abs(np.linalg.norm(drive.rotation) - 1) < 1e-9 and math.isfinite(drive.timestamp)
            assert ((drive.coefficients >= 0) & (drive.coefficients <= 1)).all()
    assert read > 50
