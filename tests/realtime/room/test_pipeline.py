"""The real pipeline of a room: what is made for whom, and when."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from enrollment.instant.pipeline import Enrollment
from models import avatar_file
from models.renderer import view_camera
from models.types import DriveFrame
from realtime.room.pipeline import LiveRoomPipeline, PictureOrder, Shown

NOBODY = np.zeros((120, 160, 3), np.uint8)


def test_a_tracker_comes_with_the_first_webcam_picture_stays_with_a_better_avatar_and_goes_with_its_owner(
    enrolled: Enrollment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    avatar_file.save(enrolled.avatar, tmp_path / "me.avatar")
    avatar = (tmp_path / "me.avatar").read_bytes()
    pipeline = LiveRoomPipeline(64, 64)
    for participant in (1, 2):
        pipeline.join(participant, avatar)
    (out,) = pipeline.draw([PictureOrder([Shown(1, DriveFrame(), np.eye(4), 167.0)], view_camera(width=64, height=64))])
    assert out.shape == (64, 64, 3) and out.std() > 5, "who has no webcam is drawn"
    assert pipeline.step(1, NOBODY, 0.0).confidence == 0
    one, two = pipeline._people[1], pipeline._people[2]
    tracker = one.tracker
    assert tracker is not None and two.tracker is None
    pipeline.replace(1, avatar)
    pipeline.step(1, NOBODY, 0.1)
    assert pipeline._people[1].tracker is tracker
    closed: list[bool] = []
    monkeypatch.setattr(tracker, "close", lambda: closed.append(True))
    for participant in (1, 2, 3):
        pipeline.leave(participant)
    assert closed == [True]
