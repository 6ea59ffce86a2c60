from __future__ import annotations

from pathlib import Path

from server.benchmarks.api import bench_api
from server.call.config import ServerConfig
from tests.fakes import fake_avatar


def test_requests_are_answered_and_counted(tmp_path: Path) -> None:
    (tmp_path / "me.avatar").write_bytes(fake_avatar())
    config = ServerConfig(width=128, height=128, factory="tests.fakes:FakePipeline")
    result = bench_api(tmp_path / "me.avatar", 0.5, connections=2, config=config)
    assert result["requests_per_second"] > 0 and result["refused"] == 0 and 0 < result["p50_ms"] <= result["p99_ms"]
    slow = bench_api(tmp_path / "me.avatar", 0.5, connections=2, rate=4.0, config=config)
    assert slow["requests_per_second"] <= 8.0 and slow["asked_per_second"] == 4.0
