"""Drive frames in and out of the render process: pages drive avatars, and pages that draw are told how all are shown."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

from models import arkit
from models.exchange.drive_frames import KnownParts, SentFrame, pack_record, unpack_record
from models.types import DriveFrame
from realtime.room.layout import ViewRequest
from realtime.room.messages import Moved
from tests.realtime.room.running import Running, running

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def loop() -> Iterator[Running]:
    with running() as here:
        yield here


def send(loop: Running, brightness: int, known: KnownParts = KnownParts.ALL, turned: bool = False) -> None:
    """The page of number 1 sends a frame whose first coefficient is so bright."""
    coefficients = np.zeros(arkit.COUNT, np.float32)
    coefficients[0] = brightness / 255
    rotation = np.array([0.8, 0.0, 0.6, 0.0]) if turned else np.array([1.0, 0.0, 0.0, 0.0])
    frame = SentFrame(DriveFrame(coefficients=coefficients, rotation=rotation), 1, 1, known)
    loop.memory.sent.write(0, pack_record(frame), time.monotonic())
    loop.line.wake()


def shown(loop: Running) -> SentFrame | None:
    record = loop.memory.shown.read(0)
    return None if record is None else unpack_record(record.data)


def moved(loop: Running) -> int:
    return sum(isinstance(message, Moved) for message in loop.heard)


def test_a_page_drives_its_avatar_and_that_rests_when_it_stops(loop: Running) -> None:
    while 200 not in loop.shades:
        send(loop, 200)
        loop.listen(0.03)
    loop.until(lambda: loop.driven == [1])
    eased = loop.shades[loop.shades.index(0) :]
    assert eased == sorted(eased) and len(set(eased)) > 2
    loop.until(lambda: loop.shades[-1] == 0)
    loop.until(lambda: loop.driven == [])


def test_from_the_webcam_to_the_page_there_is_no_jump(loop: Running) -> None:
    while 40 not in loop.shades:
        loop.webcam(40)
        loop.listen(0.03)
    while 240 not in loop.shades:
        loop.webcam(40)
        send(loop, 240)
        loop.listen(0.03)
    eased = loop.shades[loop.shades.index(40) :]
    assert eased == sorted(eased) and len(set(eased)) > 2
    while loop.shades[-1] != 40:
        loop.webcam(40)
        loop.listen(0.03)


def test_what_is_shown_is_told_also_of_somebody_who_rests(loop: Running) -> None:
    loop.until(lambda: shown(loop) is not None)
    rest = shown(loop)
    assert rest is not None and rest.participant == 1 and rest.drive.confidence == 0
    while (frame := shown(loop)) is None or frame.drive.coefficients[0] != pytest.approx(200 / 255):
        loop.webcam(200)
        loop.listen(0.03)
    assert abs(frame.drive.timestamp - time.monotonic() % ((1 << 32) / 1000)) < 5


def test_nothing_is_drawn_for_a_page_that_draws_and_it_is_woken(loop: Running) -> None:
    loop.until(lambda: loop.rendered >= 1)
    while 200 not in loop.shades:
        loop.webcam(200)
        loop.listen(0.03)
    assert moved(loop) == 0, "nobody waits for drive frames"
    loop.memory.requests.set(0, 1, ViewRequest(1), drawn=False)
    loop.until(lambda: moved(loop) > 0)
    loop.rests()
    before = loop.rendered
    told = moved(loop)
    while moved(loop) <= told + 3:
        loop.webcam(100)
        loop.listen(0.03)
    assert loop.rendered == before
    loop.memory.requests.set(0, 1, ViewRequest(1))
    loop.until(lambda: loop.rendered > before)
    loop.until(lambda: loop.driven == [])
    loop.rests()
    count, before = moved(loop), loop.rendered
    while loop.rendered < before + 3:
        loop.webcam(200)
        loop.listen(0.03)
    assert moved(loop) == count


def test_the_look_of_somebody_before_a_screen_is_turned_to_whom_it_meets_and_a_headset_s_is_not(loop: Running) -> None:
    loop.seat(2, 1)

    def is_off(known: KnownParts) -> float:
        """Degrees between how the head was turned by the page and how it is shown."""
        send(loop, 100, known, turned=True)
        loop.listen(0.02)
        frame = shown(loop)
        if frame is None:
            return np.inf
        return abs(float(np.rad2deg(2 * (np.arctan2(frame.drive.rotation[2], frame.drive.rotation[0]) - np.arctan2(0.6, 0.8)))))

    loop.memory.requests.set(0, 1, ViewRequest(1), drawn=False)
    while is_off(KnownParts.HEAD | KnownParts.IN_ROOM) > 0.1:
        pass
    while is_off(KnownParts.HEAD | KnownParts.GAZE) < 2:
        pass
