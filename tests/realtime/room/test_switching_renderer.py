"""A room that begins on the processor and goes over to a GPU that is played, and back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from models.avatar import Avatar
from models.heads.anny import AnnyHead
from models.heads.base import HeadModel
from models.splat.cpu import CpuRasterizer
from realtime.room.cpu_renderer import CpuRoomRenderer
from realtime.room.cuda_renderer import AT_ONCE, CudaRoomRenderer
from realtime.room.renderer import Pixels, RoomPicture, RoomRenderer, Timings
from realtime.room.switching_renderer import SwitchingRenderer, luma, trial
from tests.gpu import fake_gsplat
from tests.gpu.scenes import PosedHead

MODEL: HeadModel = AnnyHead()
PERSON: Avatar = PosedHead(400).avatar()


class Gpu(CudaRoomRenderer):
    """Fails, or draws something else, when it is told to."""

    def __init__(self) -> None:
        super().__init__("cpu")
        self.fails, self.adds = False, 0

    def draw(self, pictures: Sequence[RoomPicture], timings: Timings) -> list[Pixels]:
        if self.fails:
            raise RuntimeError("CUDA error: an illegal memory access was encountered\nmore lines")
        return [
            (picture // 2 + self.adds).astype(np.uint8) if self.adds else picture for picture in super().draw(pictures, timings)
        ]


def on_processor() -> RoomRenderer:
    return CpuRoomRenderer(CpuRasterizer(threads=1))


@pytest.fixture(autouse=True)
def _gsplat(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gsplat.install(monkeypatch)


def test_the_gpu_takes_over_without_a_jump_and_when_it_fails_the_processor_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    is_there, gpu = threading.Event(), Gpu()
    room = SwitchingRenderer(on_processor, lambda: gpu if is_there.is_set() else None, every=0.01)
    first = room.avatar(PERSON, MODEL)
    before = room.draw([trial(first)], {})[0].copy()
    assert before.ndim == 3 and room.at_once == 1, "nothing waits for a GPU"
    is_there.set()
    with caplog.at_level(logging.INFO, "realtime"):
        room.wait(60)
        later = room.avatar(PERSON, MODEL)
        calls = len(fake_gsplat.calls)
        after, other = (picture.copy() for picture in room.draw([trial(first), trial(later)], {}))
        assert room.at_once == AT_ONCE and fake_gsplat.calls[calls:] == [(2, 1, 400)]
        assert after.ndim == 2 and np.abs(luma(after) - luma(before)).mean() < 1 and np.array_equal(after, other)
        gpu.fails = True
        again = room.draw([trial(first), trial(later)], {})
        assert room.at_once == 1 and np.array_equal(again[0], before) and np.array_equal(again[1], before)
        assert np.array_equal(room.draw([trial(room.avatar(PERSON, MODEL))], {})[0], before)
    assert "the GPU takes over a room's pictures, 16 at once" in caplog.text
    assert "failed (CUDA error: an illegal memory access was encountered), so the processor draws" in caplog.text


@pytest.mark.parametrize("wrong", ["fails", "adds"])
def test_a_gpu_that_fails_or_draws_something_else_is_not_taken(wrong: str, caplog: pytest.LogCaptureFixture) -> None:
    gpu = Gpu()
    setattr(gpu, wrong, 60)
    room = SwitchingRenderer(on_processor, lambda: gpu, every=0.01)
    somebody = room.avatar(PERSON, MODEL)
    room.wait(60)
    assert room.draw([trial(somebody)], {})[0].ndim == 3 and room.at_once == 1
    assert "the processor goes on drawing this room" in caplog.text


def test_an_empty_room_takes_nothing_of_the_gpu() -> None:
    asked: list[int] = []
    room = SwitchingRenderer(on_processor, lambda: asked.append(1) or Gpu(), every=0.01)  # type: ignore[func-returns-value]
    room.wait(0.1)
    assert not asked
    somebody = room.avatar(PERSON, MODEL)
    room.wait(60)
    assert asked and room.draw([trial(somebody)], {})[0].ndim == 2
