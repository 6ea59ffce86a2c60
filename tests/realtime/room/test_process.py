"""The render process's loop in this process, over a real line and real shared memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from realtime.room.layout import ViewRequest
from realtime.room.messages import Leave
from realtime.room.pipeline import PictureOrder, Pixels
from tests.realtime.room.running import Running, running

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def loop() -> Iterator[Running]:
    with running() as here:
        yield here


def test_an_avatar_rests_when_no_face_is_seen_and_is_not_drawn_for_nothing(loop: Running) -> None:
    while 200 not in loop.shades:
        loop.webcam(200)
        loop.listen(0.03)
    loop.until(lambda: loop.driven == [1])
    first = len(loop.shades)
    while loop.shades[-1] != 0:
        loop.webcam(10)
        loop.listen(0.03)
    easing = loop.shades[first:]
    assert easing == sorted(easing, reverse=True) and any(0 < shade < 200 for shade in easing)
    loop.until(lambda: loop.driven == [])
    loop.rests()
    before = loop.rendered
    for _ in range(10):
        loop.webcam(10)
        loop.listen(0.05)
    assert loop.rendered == before
    loop.memory.requests.set(0, 1, ViewRequest(orbit=True, yaw=1.0))
    loop.until(lambda: loop.rendered > before)
    loop.listen(0.3)
    assert loop.rendered == before + 1 and loop.shades[-1] == 0


def test_what_can_wait_is_done_for_each_person_once_nobody_comes(loop: Running) -> None:
    loop.seat(2, 1)
    assert loop.pipeline.refined.count(2) == 0
    loop.until(lambda: len(loop.pipeline.refined) == 4)
    assert sorted(loop.pipeline.refined) == [1, 1, 2, 2]
    loop.listen(0.5)
    assert len(loop.pipeline.refined) == 4


def test_a_page_that_comes_to_a_room_at_rest_has_its_picture_at_once(loop: Running) -> None:
    loop.until(lambda: bool(loop.shades))
    loop.memory.requests.set(1, 2, ViewRequest())
    loop.until(lambda: loop.memory.pictures[1].copy() is not None)


def test_every_view_ends_at_rest_also_those_there_was_no_time_for(loop: Running) -> None:
    loop.pipeline.draw_seconds = 0.05
    loop.memory.requests.set(1, 2, ViewRequest(orbit=True, yaw=1.0))
    for _ in range(12):
        loop.webcam(250)
        loop.listen(0.03)

    def shades() -> list[int]:
        pictures = [slot.copy() for slot in loop.memory.pictures]
        return [255 if picture is None else int(picture.pixels[0, 0, 1]) for picture in pictures]

    assert max(shades()) > 100
    loop.until(lambda: shades() == [0, 0])


def test_views_that_are_due_together_are_drawn_together_and_planes_arrive_as_planes(loop: Running) -> None:
    counts: list[int] = []
    draw = loop.pipeline.draw

    def planar(orders: list[PictureOrder]) -> list[Pixels]:
        counts.append(len(orders))
        return [np.full((12, 8), picture[0, 0, 0]) for picture in draw(orders)]

    loop.pipeline.draw = planar  # type: ignore[method-assign]
    loop.pipeline.at_once = 4
    loop.memory.requests.set(1, 2, ViewRequest(orbit=True, yaw=1.0))
    shapes: list[tuple[int, ...]] = [(0,)]
    while 2 not in counts or set(shapes) != {(12, 8)}:
        loop.webcam(200)
        loop.heard += loop.line.receive(0.03)
        pictures = [slot.copy() for slot in loop.memory.pictures]
        shapes = [picture.pixels.shape if picture else (0,) for picture in pictures]


def test_recalibration_is_taken_once_and_not_while_one_runs(loop: Running) -> None:
    for _ in range(1000):
        loop.memory.flags.recalibrate(0)
    for _ in range(5):
        loop.webcam(100)
        loop.listen(0.05)
        loop.memory.flags.recalibrate(0)
    loop.until(lambda: loop.pipeline.calibrations > 0)
    loop.listen(0.1)
    assert loop.pipeline.calibrations == 1


def test_a_picture_carries_the_very_brightness_once_eased(loop: Running) -> None:
    """What is drawn is what came, untouched: a pipeline may carry anything in a drive frame."""
    while loop.shades[-3:] != [77] * 3:
        loop.webcam(77)
        loop.listen(0.02)


def test_who_leaves_while_pictures_are_drawn_harms_nobody(loop: Running) -> None:
    """The last picture of somebody who has left may be half made."""
    loop.pipeline.draw_seconds = 0.02
    for participant in range(2, 12):
        loop.seat(participant, 1)
        for _ in range(3):
            loop.webcam(200)
            loop.webcam(50 + participant, 1)
            loop.listen(0.02)
        assert loop.line.send(Leave(participant))
    loop.listen(0.2)
    assert loop.thread.is_alive()


def test_no_webcam_picture_is_tracked_whose_drive_frame_nobody_would_see(loop: Running) -> None:
    """Drawing is slow here; each picture that is drawn takes one that is tracked, and none is out of date for long."""
    loop.pipeline.draw_seconds = 0.1
    loop.memory.requests.set(1, 2, ViewRequest(orbit=True, yaw=1.0))
    loop.until(lambda: loop.rendered >= 2)
    before = loop.rendered
    steps, step = [], loop.pipeline.step
    loop.pipeline.step = lambda *args: steps.append(0) or step(*args)  # type: ignore[method-assign, func-returns-value]
    count = 0
    while count < 60 or len(steps) < 3:
        count += 1
        loop.webcam(100 + count % 60)
        loop.listen(0.02)
    loop.webcam(200)
    assert len(steps) <= (loop.rendered - before) / 2 + 2
    loop.until(lambda: loop.shades[-1] >= 195)


def test_a_person_whom_nobody_sees_is_tracked_all_the_same(loop: Running) -> None:
    for slot in (0, 1):
        loop.memory.requests.free(slot)
    loop.until(lambda: loop.driven == [])
    while loop.driven != [1]:
        loop.webcam(200)
        loop.listen(0.03)


def test_a_hung_picture_does_not_hold_tracking_up(loop: Running) -> None:
    loop.pipeline.draw_seconds = 1.0
    loop.webcam(200)
    loop.listen(0.5)
    steps, step = [], loop.pipeline.step
    loop.pipeline.step = lambda *args: steps.append(0) or step(*args)  # type: ignore[method-assign, func-returns-value]
    for _ in range(20):
        loop.webcam(150)
        loop.listen(0.04)
    assert len(steps) >= 2
