"""All voices of a room as one sound, for players with a single audio track (WHEP); encoded once for all of them.

Each voice waits in a queue of samples for as long as its picture is late, and a little longer, so that packets that come
unevenly leave no gaps. Every 20 ms one packet is made of what is there, also when nobody speaks: players take a steady track
as their clock. A sum that is too loud is turned down as a whole and comes back slowly, so nothing is clipped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
from aiortc.codecs.opus import SAMPLE_RATE
from numpy.typing import NDArray

from realtime.speech import SpeechEncoder

PACKET = 0.02
"""Seconds of sound in a packet."""
SAMPLES = int(PACKET * SAMPLE_RATE)
SPARE = 0.04
"""Seconds that a voice waits beside the delay of its picture, for packets that come late."""
MOST = 0.2
"""Seconds beyond that which wait at the most; older sound is dropped."""
RELEASE = 0.02
"""How much of the full loudness comes back with each packet."""
LATE = 0.2
"""Seconds after which packets that are overdue are left out: the machine was busy."""
FULL = 32767

Samples = NDArray[np.float32]


class Limiter:
    """Turns down what is louder than 16 bit can hold."""

    def __init__(self) -> None:
        self._gain = 1.0

    def __call__(self, total: Samples) -> NDArray[np.int16]:
        """(N,) sum of voices in units of 16-bit samples -> (N,) int16, nothing clipped."""
        peak = float(np.abs(total).max(initial=0.0))
        allowed = min(1.0, FULL / peak) if peak > 0 else 1.0
        before, self._gain = min(self._gain, allowed), min(allowed, self._gain + RELEASE)
        gains = np.linspace(before, self._gain, len(total), dtype=np.float32)
        return np.asarray(np.rint(total * gains).clip(-FULL, FULL), np.int16)


class _Queue:
    """The samples of one voice that wait."""

    def __init__(self) -> None:
        self._resampler = _mono()
        self._waiting = np.zeros(0, np.float32)

    def add(self, frame: av.AudioFrame, delay: float) -> None:
        """A frame of the microphone; it is heard after `delay` seconds when nothing waits before it."""
        try:
            made = self._resampler.resample(frame)
        except ValueError:  # the page has changed to another codec
            self._resampler = _mono()
            made = self._resampler.resample(frame)
        parts = [np.asarray(part.to_ndarray()[0], np.float32) for part in made]
        if len(self._waiting) == 0:
            parts.insert(0, np.zeros(int(delay * SAMPLE_RATE), np.float32))
        self._waiting = np.concatenate([self._waiting, *parts])[-int((delay + MOST) * SAMPLE_RATE) :]

    def take(self) -> Samples:
        """The next packet's samples; zeros where there are none."""
        taken, self._waiting = self._waiting[:SAMPLES], self._waiting[SAMPLES:]
        return np.asarray(np.pad(taken, (0, SAMPLES - len(taken))), np.float32)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return len(self._waiting) == 0


def _mono() -> av.AudioResampler:
    return av.AudioResampler("s16", "mono", SAMPLE_RATE)


class RoomMix:
    """Everybody's voice as one. Lives on the event loop; works only while somebody listens."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._listeners: dict[int, Callable[[float, bytes], None]] = {}
        self._queues: dict[int, _Queue] = {}
        self._limit = Limiter()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    def open(self, listener: int, deliver: Callable[[float, bytes], None]) -> None:
        """One more listener; `deliver` gets the time when each packet of Opus is due, and the packet."""
        self._listeners[listener] = deliver
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def close(self, listener: int) -> None:
        """That listener has left."""
        self._listeners.pop(listener, None)
        if not self._listeners and self._task is not None:
            self._task.cancel()
            self._task = None
            self._queues.clear()

    def add(self, voice: int, frame: av.AudioFrame, delay: float) -> None:
        """A frame of a voice. delay: seconds that its picture takes."""
        self._queues.setdefault(voice, _Queue()).add(frame, delay + SPARE)

    def next(self) -> NDArray[np.int16]:
        """(SAMPLES,) the sum of all voices in the next 20 ms."""
        total = np.zeros(SAMPLES, np.float32)
        for voice, queue in list(self._queues.items()):
            total += queue.take()
            if queue.is_empty:  # it has paused, or left
                del self._queues[voice]
        return self._limit(total)

    async def _run(self) -> None:
        encoder, index = SpeechEncoder(), 0
        due, loop = self._clock(), asyncio.get_running_loop()
        while True:
            frame = av.AudioFrame.from_ndarray(self.next()[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, index * SAMPLES, Fraction(1, SAMPLE_RATE)
            index += 1
            packets, _ = await loop.run_in_executor(None, encoder.encode, frame)
            for packet in packets:
                for deliver in list(self._listeners.values()):
                    deliver(due, packet)
            due = max(due + PACKET, self._clock() - LATE)
            await asyncio.sleep(max(0.0, due - self._clock()))
