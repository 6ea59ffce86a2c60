"""Recorded drive frames move an avatar."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from models import avatar_file
from models.errors import ClipError, VisavisError
from models.exchange import drive_recording
from models.types import DriveFrame
from models.video.reader import open_clip
from realtime import recorded
from realtime.recorded import drive_with_frames
from tests.models.exchange.test_live_link_face import file, row
from tests.server.call.actors import Actor


@pytest.fixture(scope="module")
def avatar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / "own.avatar"
    avatar_file.save(Actor(seed=3, spread=0.5).avatar(), path)
    return path


def test_frames_of_either_kind_are_drawn_one_picture_each(avatar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "SIDE", 96)
    drives = [DriveFrame(i / 25, coefficients=DriveFrame.expression(jawOpen=i / 3).coefficients) for i in range(4)]
    drive_recording.write(tmp_path / "talk.jsonl", [*drives, drives[0]])
    summary = drive_with_frames(avatar, tmp_path / "talk.jsonl", tmp_path / "pictures", label=False)
    files = sorted((tmp_path / "pictures").iterdir())
    pictures = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(int) for path in files]
    assert summary.frames == len(pictures) == 4 and "1 frames came later" in summary.notes[0]
    assert pictures[0].shape == (96, 96, 4)
    assert np.abs(pictures[3] - pictures[0]).max() > 30, "the mouth opens"

    rows = [row(f"00:00:00:{f:02d}.0", JawOpen=f / 3) for f in range(4)]
    drive_with_frames(avatar, file(tmp_path / "talk.csv", *rows), tmp_path / "talk.mp4", "orbit")
    clip = open_clip(tmp_path / "talk.mp4")
    assert (clip.width, clip.height, sum(1 for _ in clip.frames())) == (96, 96, 4)


def test_what_cannot_be_driven_is_refused_and_nothing_is_left(avatar: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"timestamp": 0}\nno\n')
    (tmp_path / "bad.txt").touch()
    out = tmp_path / "out.mp4"
    for name, says in (("bad.jsonl", "line 2"), ("bad.txt", r"\.jsonl or \.csv"), ("none.csv", "No such file")):
        with pytest.raises(ClipError, match=says):
            drive_with_frames(avatar, tmp_path / name, out)
    with pytest.raises(VisavisError, match="front or orbit"):
        drive_with_frames(avatar, tmp_path / "bad.jsonl", out, "tracked")
    assert not out.exists()
