"""The person's microphone to every viewer, late by as much as the picture is.

Lip sync (ITU-R BT.1359): sound 45 ms early or 125 ms late is noticed. The avatar's picture leaves later than the webcam's
came, so each viewer's sound waits in a delay line as long as the picture's smoothed delay. Before the delay line
sound waits nowhere (`realtime/speech.py`). A delay line holds 200 ms at most and drops the oldest when it is full.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

RATE = 48_000
"""Samples a second, of Opus in RTP (RFC 7587, 4.1)."""
MAX_DELAY = 0.2
ENCODE = 0.005
"""Seconds from a picture ready to encode to its first packet."""
_SLIP = 0.06
_SMOOTHING = 0.3


class PictureDelay:
    """The delay that sound needs to meet the picture, from the measured delays (their median, a few times a second)."""

    def __init__(self) -> None:
        self._latency: float | None = None

    def add(self, latency: float) -> None:
        """Pictures are ready `latency` seconds after their webcam frame was decoded."""
        self._latency = latency if self._latency is None else self._latency + _SMOOTHING * (latency - self._latency)

    @property
    def seconds(self) -> float:
        """How long to hold sound, in [0, MAX_DELAY]."""
        if self._latency is None:
            return 0.0
        return min(max(self._latency + ENCODE, 0.0), MAX_DELAY)


class SoundTrack(MediaStreamTrack):
    """One viewer's sound: a bounded delay line. Time stamps run on when the person leaves and another microphone comes."""

    kind = "audio"

    def __init__(self, delay: Callable[[], float], clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._delay, self._clock = delay, clock
        self._line: deque[tuple[float, av.AudioFrame]] = deque()
        self._more = asyncio.Event()
        self._start: float | None = None
        self._pts = 0

    def deliver(self, frame: av.AudioFrame) -> None:
        """Sound that has just been decoded; the frame is shared with other viewers and is not changed."""
        self._line.append((self._clock(), frame))
        while len(self._line) > 1 and self._held() > MAX_DELAY:
            self._line.popleft()
        self._more.set()

    def _held(self) -> float:
        return sum(frame.samples / frame.sample_rate for _, frame in self._line)

    def stop(self) -> None:
        """End the track; a `recv` that waits raises `MediaStreamError`."""
        super().stop()
        self._more.set()

    async def recv(self) -> av.AudioFrame:
        """The next sound when it is due (aiortc calls this). Raises `MediaStreamError` once stopped."""
        while True:
            if self.readyState != "live":
                raise MediaStreamError
            if not self._line:
                self._more.clear()
                await self._more.wait()
                continue
            wait = self._line[0][0] + self._delay() - self._clock()
            if wait <= 0:
                break
            await asyncio.sleep(min(wait, 0.02))
        return self._stamped(self._line.popleft()[1])

    def _stamped(self, frame: av.AudioFrame) -> av.AudioFrame:
        now = self._clock()
        self._start = now if self._start is None else self._start
        by_wall = int((now - self._start) * RATE)
        if by_wall - self._pts > _SLIP * RATE:
            self._pts = by_wall  # there was a gap; the stamps skip it as the clock did
        samples: NDArray[np.int16] = np.ascontiguousarray(frame.to_ndarray(), np.int16)  # the format of aiortc's decoders
        copy = av.AudioFrame.from_ndarray(samples, format="s16", layout=frame.layout.name)
        copy.sample_rate, copy.pts, copy.time_base = frame.sample_rate, self._pts, Fraction(1, RATE)
        self._pts += frame.samples * RATE // frame.sample_rate
        return copy


class SoundFan:
    """Spreads the person's sound over the viewers' tracks. Lives on the event loop."""

    def __init__(self) -> None:
        self.delay = PictureDelay()
        self._tracks: set[SoundTrack] = set()

    def open(self) -> SoundTrack:
        """A track for one more viewer."""
        track = SoundTrack(lambda: self.delay.seconds)
        self._tracks.add(track)
        return track

    def close(self, track: SoundTrack) -> None:
        """That viewer has left."""
        self._tracks.discard(track)
        track.stop()

    async def feed(self, microphone: MediaStreamTrack) -> None:
        """Empty a remote microphone track into all viewers' tracks until it ends."""
        try:
            while True:
                frame = await microphone.recv()
                if isinstance(frame, av.AudioFrame):
                    for track in self._tracks:
                        track.deliver(frame)
        except MediaStreamError:
            return  # the page has stopped its microphone, or left
