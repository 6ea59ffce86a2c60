"""Voices: each goes to all others, once encoded, on a line of its own; who spoke last is heard where lines are few."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from realtime.room.sound import BEGINS, BUFFERED, ENCODE, HOLDS, MAX_DELAY, Evener, PictureDelay, RoomSound, SoundLine

SAMPLES = 960


class Clock:
    now = 10.0

    def __call__(self) -> float:
        return self.now


class Microphone(MediaStreamTrack):
    """Frames that a test gives it; `None` ends it."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.frames: asyncio.Queue[av.AudioFrame | None] = asyncio.Queue()

    async def recv(self) -> av.AudioFrame:
        frame = await self.frames.get()
        if frame is None:
            raise MediaStreamError
        return frame

    def say(self, loudness: float, count: int = 1) -> None:
        for _ in range(count):
            wave = (loudness * 32767 * np.sin(np.arange(SAMPLES) * 0.06)).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
            self.frames.put_nowait(frame)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0.005)


async def heard(microphone: Microphone) -> None:
    """Wait until all that was said was listened to."""
    await until(microphone.frames.empty)
    await settle()


async def until(true: Callable[[], object]) -> None:
    """Wait for what a thread does when it gets to it: encoding."""
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.005)


def test_sound_waits_for_what_the_picture_takes_longer_than_a_browsers_buffer() -> None:
    delay = PictureDelay()
    assert delay.seconds == 0
    delay.add(0.025)
    assert delay.seconds == 0
    for _ in range(50):
        delay.add(0.11)
    assert delay.seconds == pytest.approx(0.11 + ENCODE - BUFFERED, abs=1e-3)
    for _ in range(50):
        delay.add(3.0)
    assert delay.seconds == MAX_DELAY


def test_packets_that_come_unevenly_leave_evenly_within_their_wait() -> None:
    evener, lags = Evener(), [0.0, 0.03, 0.01, 0.0, 0.05, 0.2, 0.0]
    leave = [evener.due(0.02 * i, 100 + 0.02 * i + lag, 0.05) - 0.02 * i - 100 for i, lag in enumerate(lags)]
    assert leave == pytest.approx([0.05, 0.05, 0.05, 0.05, 0.05, 0.2, 0.05], abs=2e-3)
    assert evener.due(7.0, 300.0, 0.05) == pytest.approx(300.05)  # another clock
    for second in range(60):  # the line has become longer
        last = evener.due(8.0 + second, 301.1 + second, 0.05)
    assert last == pytest.approx(301.1 + 59 + 0.05, abs=1e-3)


async def test_each_hears_all_others_and_nobody_the_own_voice() -> None:
    clock = Clock()
    sound = RoomSound(clock)
    lines = {listener: sound.open(listener, 3) for listener in (1, 2, 9)}
    microphones = {1: Microphone(), 2: Microphone()}
    feeding = [asyncio.create_task(sound.feed(p, m)) for p, m in microphones.items()]
    await settle()
    assert sound.voices_of(1) == [2, None, None] and sound.voices_of(2) == [1, None, None]
    assert sorted(v for v in sound.voices_of(9) if v is not None) == [1, 2]
    others_line = lines[9][sound.voices_of(9).index(1)]
    microphones[1].say(0.3, 4)
    await until(lambda: len(others_line._packets) >= 3)
    clock.now += 0.1
    packet = await asyncio.wait_for(lines[2][0].recv(), 30)
    codec = av.CodecContext.create("libopus", "r")
    assert bytes(packet) and codec.decode(packet)[0].samples > 0
    assert lines[1][0]._packets == lines[1][0]._packets.__class__(), "not the own voice"
    microphones[1].frames.put_nowait(None)
    await until(lambda: sound.voices_of(2) == [None, None, None])
    for task in feeding:
        task.cancel()


async def test_a_muted_voice_is_kept_back() -> None:
    sound = RoomSound(Clock())
    (line,) = sound.open(2, 1)
    microphone = Microphone()
    feeding = asyncio.create_task(sound.feed(1, microphone, muted=True))
    await settle()
    microphone.say(0.3, 5)
    await heard(microphone)
    assert not line._packets and not sound.speaking()
    sound.mute(1, False)
    microphone.say(0.3, 5)
    await until(lambda: line._packets)
    feeding.cancel()


async def test_who_speaks_is_told_and_who_spoke_last_is_heard() -> None:
    clock = Clock()
    sound = RoomSound(clock)
    sound.open(9, 1)
    microphones = {p: Microphone() for p in (1, 2, 3)}
    feeding = [asyncio.create_task(sound.feed(p, m)) for p, m in microphones.items()]
    await settle()
    for speaker in (3, 1, 2):
        microphones[speaker].say(0.001)
        await heard(microphones[speaker])
        assert speaker not in sound.speaking()
        microphones[speaker].say(0.3)
        await heard(microphones[speaker])
        clock.now += BEGINS + 0.01
        microphones[speaker].say(0.3)
        await heard(microphones[speaker])
        assert sound.speaking() == {speaker} and sound.voices_of(9) == [speaker]
        clock.now += HOLDS + 0.01
        assert sound.speaking() == frozenset()
    for task in feeding:
        task.cancel()


async def test_a_line_holds_back_what_is_early_and_its_stamps_go_on_by_the_clock() -> None:
    clock = Clock()
    line = SoundLine(clock)
    line.deliver(clock.now, b"a")
    line.deliver(clock.now, b"b")
    first, second = await line.recv(), await line.recv()
    assert first.pts == 0 and second.pts == SAMPLES and first.time_base == Fraction(1, 48_000)
    clock.now += 5.0
    line.deliver(clock.now + 0.5, b"c")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(line.recv(), 0.1)
    clock.now += 0.5
    assert (await line.recv()).pts == pytest.approx(5.5 * 48_000, abs=2 * SAMPLES)
    line.deliver(clock.now, b"old")
    line.carry(7)
    assert not line._packets
    line.stop()
    with pytest.raises(MediaStreamError):
        await line.recv()


async def test_a_page_that_does_not_read_holds_a_bounded_amount() -> None:
    line = SoundLine(Clock())
    for _ in range(1000):
        line.deliver(0.0, b"x")
    assert len(line._packets) <= 10
