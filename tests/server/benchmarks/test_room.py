from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.errors import VisavisError
from realtime.room.process import RoomSetup
from server.benchmarks.room import bench_room

FRAMES = [np.full((48, 64, 3), 200, np.uint8)] * 3


def test_a_measurement_with_the_fake_pipeline(tmp_path: Path) -> None:
    avatar = tmp_path / "red"
    avatar.write_bytes(b"\xff\0\0")
    setup = RoomSetup("tests.realtime.room.fake:FakeRoomPipeline", width=64, height=48)
    result = bench_room(avatar, FRAMES, 1.0, people=2, viewers=2, setup=setup)
    assert result["pictures_per_s"] >= result["least_per_s"] > 0 and 0 < result["latency_p50_ms"] <= result["latency_p95_ms"]
    assert 0 < result["restart_s"] < 60
    assert (result["people"], result["viewers"], result["track_ms"]) == (2, 2, 1.0)


def test_an_avatar_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    avatar = tmp_path / "none"
    avatar.write_bytes(b"\xff\0\0refuse")
    setup = RoomSetup("tests.realtime.room.fake:FakeRoomPipeline", width=64, height=48)
    with pytest.raises(VisavisError, match="this is none"):
        bench_room(avatar, FRAMES, 1.0, people=1, setup=setup)
