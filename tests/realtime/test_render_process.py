"""The render process's loop in this process, over a real line and real shared memory."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from realtime.messages import Heartbeat, Message, Ready, Rendered, ServerEnd, decode
from realtime.render_process import _RenderLoop
from realtime.shared import Layout, SharedBlock, ViewRow
from realtime.view import ViewRequest
from tests.fakes import FakePipeline

pytestmark = pytest.mark.timeout(30)


@dataclass
class Running:
    """A loop that runs in a thread."""

    pipeline: FakePipeline
    block: SharedBlock
    line: ServerEnd
    thread: threading.Thread
    heard: list[Message] = field(default_factory=list)
    greens: list[int] = field(default_factory=list)
    """Of the pictures of view 0, in order."""
    seen: int = 0

    def webcam(self, brightness: int) -> None:
        """A frame comes in."""
        self.block.webcam.write(4, 4, time.monotonic(), lambda out: out.fill(brightness))
        self.line.wake()

    def listen(self, seconds: float = 0.01) -> None:
        """Hear what is said for so long, and look at the pictures."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.heard += self.line.receive(left)
            picture = self.block.pictures[0].copy(self.seen)
            if picture is not None:
                self.seen = picture.sequence
                self.greens.append(int(picture.pixels[0, 0, 1]))

    @property
    def face(self) -> bool:
        """As said last."""
        return next(m.face for m in reversed(self.heard) if isinstance(m, Heartbeat | Rendered))


@pytest.fixture
def loop() -> Iterator[Running]:
    block = SharedBlock(Layout(2, 8, 8, 64))
    block.views.set(ViewRow(0, 1, 0.0, ViewRequest()))
    ours, theirs = socket.socketpair()
    pipeline = FakePipeline(8, 8, face_from=0.1)
    other_end = SharedBlock(block.layout, os.dup(block.fileno()))
    thread = threading.Thread(target=_RenderLoop(pipeline, other_end, theirs, 5.0).run)
    running = Running(pipeline, block, ServerEnd(ours, decode), thread)
    thread.start()
    yield running
    block.flags.stop()
    running.line.wake()
    thread.join(5)
    assert not thread.is_alive()
    running.line.close()
    theirs.close()


def test_the_avatar_rests_when_no_face_is_seen_and_is_not_drawn_for_nothing(loop: Running) -> None:
    end = time.monotonic() + 20
    while 200 not in loop.greens:
        loop.webcam(200)
        loop.listen(0.03)
        assert time.monotonic() < end
    assert loop.face and loop.heard[0] == Ready()
    first = len(loop.greens)
    while loop.greens[-1] != 0:
        loop.webcam(10)
        loop.listen(0.03)
        assert time.monotonic() < end
    easing = loop.greens[first:]
    assert easing == sorted(easing, reverse=True) and len(set(easing)) > 4
    loop.listen(0.6)
    assert not loop.face
    before = sum(isinstance(m, Rendered) for m in loop.heard)
    for _ in range(10):
        loop.webcam(10)
        loop.listen(0.05)
    assert sum(isinstance(m, Rendered) for m in loop.heard) == before
    loop.block.views.set(ViewRow(0, 1, 0.0, ViewRequest(yaw=1.0)))
    loop.listen(0.3)
    assert sum(isinstance(m, Rendered) for m in loop.heard) == before + 1 and loop.greens[-1] == 0


def test_every_view_ends_at_rest_also_those_there_was_no_time_for(loop: Running) -> None:
    loop.pipeline._render_seconds = 0.05
    loop.block.views.set(ViewRow(1, 2, 1.0, ViewRequest(yaw=1.0)))
    for _ in range(12):
        loop.webcam(250)
        loop.listen(0.03)
    end = time.monotonic() + 10
    while any(slot.copy().pixels[0, 0, 1] for slot in loop.block.pictures):
        loop.listen(0.1)
        assert time.monotonic() < end


def test_recalibration_is_taken_once_and_not_while_one_runs(loop: Running) -> None:
    for _ in range(1000):
        loop.block.flags.recalibrate()
    for _ in range(5):
        loop.webcam(100)
        loop.listen(0.05)
        loop.block.flags.recalibrate()
    assert loop.pipeline.calibrations == 1


def test_a_picture_carries_the_very_brightness_once_eased(loop: Running) -> None:
    """What is drawn is what came, untouched: a pipeline may carry anything in a drive frame."""
    for _ in range(30):
        loop.webcam(77)
        loop.listen(0.02)
    assert np.ptp(loop.greens[-3:]) == 0 and loop.greens[-1] == 77
