from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.errors import ClipError, VisavisError
from server.benchmarks import live
from server.benchmarks.live import bench_live
from server.benchmarks.pages import Pages
from server.benchmarks.webcam_clip import load_clip
from server.call.config import ServerConfig
from tests.fakes import fake_avatar

pytestmark = pytest.mark.timeout(240)
FRAMES = [np.full((90, 160, 3), 10 * i, np.uint8) for i in range(20)]


def test_a_measurement_with_the_fake_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SHARING", 1.0)
    (tmp_path / "me.avatar").write_bytes(fake_avatar())
    config = ServerConfig(width=128, height=128, factory="tests.fakes:FakePipeline")
    pages = Pages(people=2, viewers=2, same_view=True, size=(64, 48))
    result = bench_live(tmp_path / "me.avatar", FRAMES, 0.5, pages, config=config, enrolling=True)
    assert 0 < result["latency_p50_ms"] <= result["latency_p95_ms"]
    assert result["rendered_fps"] > 0 and len(result["received_fps"]) == len(result["viewer_fps"]) == 2
    assert 0 < result["join_p95_ms"] < result["first_picture_p95_ms"]
    assert {"decode_ms", "track_ms", "splat_ms"} <= set(result)
    assert min(result[f"{process}_cores"] for process in ("server", "render", "pages", "enrolling")) > 0
    assert 0 < result["enrolling_p50_ms"] <= result["enrolling_p95_ms"] and result["times_slower"] > 0


def test_pages_that_decode(tmp_path: Path) -> None:
    (tmp_path / "me.avatar").write_bytes(fake_avatar())
    config = ServerConfig(width=128, height=128, factory="tests.fakes:FakePipeline")
    result = bench_live(tmp_path / "me.avatar", FRAMES, 0.5, Pages(decode=True, size=(64, 48)), config=config)
    assert result["received_fps"] > 0


def test_a_pipeline_that_cannot_work_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "me.avatar").write_bytes(fake_avatar())
    config = ServerConfig(factory="tests.fakes:FakePipeline", factory_options={"fail": "no rasterizer there"})
    with pytest.raises(VisavisError, match="no rasterizer there"):
        bench_live(tmp_path / "me.avatar", FRAMES, 0.5, config=config)


def test_clips_fill_the_size_and_bad_ones_are_a_sentence(tmp_path: Path) -> None:
    frames = load_clip(FRAMES, (64, 48))
    assert len(frames) == 20 and {(f.width, f.height, f.format.name) for f in frames} == {(64, 48, "yuv420p")}
    (tmp_path / "clip.mp4").write_bytes(b"not a video")
    for path in (tmp_path / "clip.mp4", tmp_path / "none.mp4", tmp_path):
        with pytest.raises(ClipError):
            load_clip(path, (64, 48))
