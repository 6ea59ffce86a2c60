from __future__ import annotations

from pathlib import Path

import pytest

from server.benchmarks.rooms import bench_rooms
from server.call.config import ServerConfig
from tests.fakes import fake_avatar

pytestmark = pytest.mark.timeout(240)


def test_a_measurement_with_the_fake_pipeline(tmp_path: Path) -> None:
    (tmp_path / "me.avatar").write_bytes(fake_avatar())
    config = ServerConfig(width=128, height=128, factory="tests.fakes:FakePipeline")
    result = bench_rooms(tmp_path / "me.avatar", rooms=2, people=2, config=config)
    assert 0 < result["join_p50_ms"] <= result["join_p95_ms"] <= result["first_picture_p95_ms"]
    assert 10 < result["room_mb"] < 1000 and abs(result["person_mb"]) < 100 and result["server_mb"] > 10
    assert 0 < result["shared_mb"] < 100
    assert (result["rooms"], result["people"]) == (2, 2)
