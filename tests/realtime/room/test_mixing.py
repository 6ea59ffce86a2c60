"""All voices as one: each is there, none is clipped, gaps are silence."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import av
import numpy as np
import pytest

from realtime.room.mixing import FULL, MOST, PACKET, SAMPLES, SPARE, Limiter, RoomMix

HZ = 48_000


def sound(level: int, rate: int = HZ, layout: str = "stereo") -> av.AudioFrame:
    count = rate // 50
    samples = np.full((1, count * (2 if layout == "stereo" else 1)), level, np.int16)
    frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    return frame


def heard(mix: RoomMix, packets: int = 12) -> np.ndarray:
    return np.concatenate([mix.next() for _ in range(packets)])


def test_each_voice_waits_as_long_as_its_picture_and_is_added() -> None:
    mix = RoomMix()
    mix.add(1, sound(1000), 0.0)
    mix.add(2, sound(500), 0.1)
    total = heard(mix)
    first, second = int(SPARE * HZ), int((SPARE + 0.1) * HZ)
    assert not total[:first].any() and np.all(total[first : first + SAMPLES] == 1000)
    assert np.all(total[second : second + SAMPLES] == 500) and not total[second + SAMPLES :].any()


def test_a_voice_that_comes_too_fast_does_not_pile_up_and_another_codec_is_taken() -> None:
    mix = RoomMix()
    for _ in range(100):
        mix.add(1, sound(1000), 0.0)
    mix.add(1, sound(1000, 8000, "mono"), 0.0)
    total = heard(mix, 100)
    assert SAMPLES < np.count_nonzero(total) <= (SPARE + MOST) * HZ


def test_a_sum_that_is_too_loud_is_turned_down_not_clipped() -> None:
    limit, wave = Limiter(), np.sin(np.arange(SAMPLES) * 2 * np.pi / 96).astype(np.float32)
    loud = limit(3 * FULL * wave)
    assert np.abs(loud.astype(int)).max() <= FULL
    assert np.corrcoef(loud, wave)[0, 1] > 0.999, "clipping would bend the wave"
    quiet = [int(np.abs(limit(1000 * wave)).max()) for _ in range(60)]
    assert quiet[0] < 500 and quiet == sorted(quiet) and quiet[-1] == 1000


@pytest.mark.asyncio
async def test_it_works_only_while_somebody_listens_and_goes_on_in_silence() -> None:
    mix = RoomMix()
    came: list[tuple[float, bytes]] = []
    assert not mix.is_heard
    mix.open(7, lambda due, packet: came.append((due, packet)))
    while len(came) < 5:
        await asyncio.sleep(0.01)
    assert mix.is_heard and all(packet for _, packet in came)
    assert np.diff([due for due, _ in came]).min() >= PACKET - 1e-6
    mix.close(7)
    count = len(came)
    await asyncio.sleep(0.1)
    assert len(came) == count and not mix.is_heard
