"""The two ways to draw a room, and how one of them is chosen."""

from __future__ import annotations

import logging
from functools import partial

import numpy as np
import pytest

from models.errors import MissingPartError
from models.heads.anny import AnnyHead
from models.renderer import view_camera
from models.splat import cuda, ready
from models.types import DriveFrame
from realtime.room import choose_renderer
from realtime.room.cpu_renderer import CpuRoomRenderer
from realtime.room.renderer import Appearance, RoomPicture
from tests.gpu import fake_gsplat
from tests.gpu.scenes import PosedHead

CAMERA = view_camera(width=64, height=48)


def test_without_a_gpu_the_processor_draws_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with caplog.at_level(logging.INFO, "realtime"):
        made = choose_renderer.choose("auto", 64, 48)
    assert isinstance(made, CpuRoomRenderer) and made.at_once == 1
    assert [r.getMessage() for r in caplog.records] == ["a room's pictures are drawn by the rasterizer cpu, 1 at once"]
    caplog.clear()
    monkeypatch.setattr(ready, "is_installed", lambda: True)
    with caplog.at_level(logging.INFO, "realtime"):
        assert choose_renderer.choose("auto", 64, 48).at_once == 1, "at once, whatever gsplat still needs"
    assert caplog.messages[-1].endswith("cpu, 1 at once; the GPU takes over when it is ready")
    with pytest.raises(MissingPartError, match="needs gsplat and an NVIDIA GPU"):
        choose_renderer.choose("cuda")


def test_with_a_gpu_all_views_are_drawn_together(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from realtime.room import cuda_renderer

    fake_gsplat.install(monkeypatch)
    monkeypatch.setattr(cuda_renderer, "CudaRoomRenderer", partial(cuda_renderer.CudaRoomRenderer, "cpu"))
    monkeypatch.setattr(cuda.CudaRasterizer, "__init__", lambda self: None)
    with caplog.at_level(logging.INFO, "realtime"):
        made = choose_renderer.choose("cuda", 64, 48)
    assert made.at_once == cuda_renderer.AT_ONCE > 8 and fake_gsplat.calls == [(1, 1, 1)], "warm"
    assert "rasterizer cuda" in caplog.text


def test_one_after_the_other_on_the_processor_and_none_writes_over_another() -> None:
    drawing, timings = choose_renderer.choose("cpu", 64, 48), dict[str, float]()
    somebody = drawing.avatar(PosedHead(800).avatar(), AnnyHead())
    shown = [Appearance(somebody, DriveFrame(), np.eye(4), 120.0)]
    blue = (10, 20, 200)
    orders = [
        RoomPicture(shown, CAMERA),
        RoomPicture((), CAMERA, background=blue),
        RoomPicture(shown, CAMERA, 0.5, blue, mask=True),
    ]
    whole, nobody, masked = (picture.copy() for picture in drawing.draw(orders, timings))
    assert whole.shape == (48, 64, 3) and whole.std() > 5 and set(timings) == {"pose", "splat"}
    assert (nobody == blue).all()
    assert masked.shape == (72, 64, 3) and masked[48:].max() > 250 and masked[48:].min() == 0
    assert (masked[0, 0] == blue).all() and np.array_equal(drawing.draw(orders[:1], timings)[0], whole)
