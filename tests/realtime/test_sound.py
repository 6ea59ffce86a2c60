from __future__ import annotations

import asyncio
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack
from aiortc.codecs.opus import OpusEncoder
from aiortc.mediastreams import MediaStreamError

from realtime.sound import ENCODE, MAX_DELAY, RATE, PictureDelay, SoundFan, SoundTrack


class Clock:
    now = 10.0

    def __call__(self) -> float:
        return self.now


def sound(value: int = 1000, samples: int = 960) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.full((1, samples * 2), value, np.int16), format="s16", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 123, Fraction(1, RATE)
    return frame


async def test_sound_waits_for_the_delay_and_comes_in_order() -> None:
    clock, delay = Clock(), 0.1
    track = SoundTrack(lambda: delay, clock)
    track.deliver(sound(1))
    first = asyncio.create_task(track.recv())
    clock.now += 0.05
    track.deliver(sound(2))
    await asyncio.sleep(0.05)
    assert not first.done()
    clock.now += 0.06
    assert (await first).to_ndarray().max() == 1
    clock.now += 0.05
    assert (await track.recv()).to_ndarray().max() == 2


async def test_the_line_holds_200_ms_and_drops_the_oldest() -> None:
    track = SoundTrack(lambda: 0.0)
    for value in range(1, 51):
        track.deliver(sound(value))
    held = []
    while track._line:
        held.append(int((await track.recv()).to_ndarray().max()))
    assert held == list(range(41, 51)) and len(held) * 0.02 <= MAX_DELAY


async def test_time_stamps_are_continuous_and_skip_a_gap() -> None:
    clock = Clock()
    track = SoundTrack(lambda: 0.0, clock)
    stamps = []
    for pause in (0.0, 0.021, 0.019, 2.0, 0.02):
        clock.now += pause
        track.deliver(sound())
        stamps.append((await track.recv()).pts)
    assert stamps == [0, 960, 1920, int(2.04 * RATE), int(2.04 * RATE) + 960]


async def test_the_encoder_takes_what_comes_out_even_across_a_gap() -> None:
    clock, encoder = Clock(), OpusEncoder()
    track = SoundTrack(lambda: 0.0, clock)
    stamps = []
    for pause in [0.02] * 5 + [1.0] + [0.02] * 5:
        clock.now += pause
        track.deliver(sound())
        payloads, stamp = encoder.encode(await track.recv())
        stamps += [stamp] if payloads else []
    assert stamps == sorted(set(stamps)) and stamps[-1] - stamps[0] > RATE // 2


async def test_viewers_get_frames_of_their_own() -> None:
    fan = SoundFan()
    one, two = fan.open(), fan.open()

    class Microphone(MediaStreamTrack):
        kind = "audio"
        left = 2

        async def recv(self) -> av.AudioFrame:
            self.left -= 1
            if self.left < 0:
                raise MediaStreamError
            return sound(7)

    await fan.feed(Microphone())
    a, b = await one.recv(), await two.recv()
    assert a is not b and (a.to_ndarray() == b.to_ndarray()).all() and a.pts == b.pts == 0
    fan.close(one)
    with pytest.raises(MediaStreamError):
        await one.recv()


def test_the_delay_is_the_pictures() -> None:
    delay = PictureDelay()
    assert delay.seconds == 0.0
    for _ in range(50):
        delay.add(0.150)
    assert delay.seconds == pytest.approx(0.150 + ENCODE, abs=0.01)
    for _ in range(50):
        delay.add(0.030)
    assert delay.seconds == pytest.approx(0.030 + ENCODE, abs=0.01)
    for _ in range(50):
        delay.add(5.0)
    assert delay.seconds == MAX_DELAY
