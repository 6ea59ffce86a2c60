"""Everybody's voice to everybody else: each encoded once, late by as much as the speaker's picture is.

Lip sync (ITU-R BT.1359): sound 45 ms early or 125 ms late is noticed. The picture leaves later than the webcam's came, but is
shown as soon as it is decoded, while a browser's buffer holds sound back: each voice waits as long as the smoothed delay of the
picture is longer than that. `visavis bench latency --sound` measures what is left of it. Packets that came unevenly leave as
evenly as this wait allows: unevenness that a listener's browser sees makes its buffer longer, for half a minute.

A listener's page offers a number of sound lines; each carries one voice at a time. With more voices than lines, those who spoke
last are heard. Mixing and placing by seat is the page's (Web Audio), which has the separate voices for it; only players that
are no page of ours get one line with all voices (realtime/room/mixing.py).
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
from aiortc.codecs.opus import SAMPLE_RATE, TIME_BASE
from aiortc.mediastreams import MediaStreamError

from realtime.room.mixing import RoomMix
from realtime.speech import SpeechEncoder

MAX_DELAY = 0.2
"""Seconds of sound that wait on a line at the most."""
ENCODE = 0.005
"""Seconds from a picture ready to encode to its first packet."""
BUFFERED = 0.06
"""Seconds that a browser's buffers hold sound longer than pictures at the least: Chromium's on a steady line."""
_SMOOTHING = 0.3
CREEP = 0.005
"""Seconds a second by which what counts as early may become later, as where a line has become longer."""
ANOTHER_CLOCK = 1.0
"""Seconds that stamps and arrivals may drift apart before the stamps are another clock's."""
PACKET = 0.02
"""Seconds of sound in a packet."""
LOUD = 10 ** (-42 / 20)
"""Root mean square over full scale of a voice; a quiet room with a webcam's microphone lies 10 dB below."""
BEGINS, HOLDS = 0.1, 0.6
"""Seconds that it must be loud for somebody to count as speaking, and that this lasts."""


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
        return min(max(self._latency + ENCODE - BUFFERED, 0.0), MAX_DELAY)


class Evener:
    """When packets of a voice that came unevenly are due: as the earliest of them came, by the time that they carry."""

    def __init__(self) -> None:
        self._offset = self._last = -np.inf

    def due(self, stamp: float, now: float, delay: float) -> float:
        """A packet with that time (seconds, any steady clock) came at `now`, and shall wait for `delay` seconds if it came early.
        What came late is due sooner, or at once."""
        offset = now - stamp
        if abs(offset - self._offset) > ANOTHER_CLOCK:
            self._offset = offset
        else:
            self._offset = min(offset, self._offset + CREEP * (now - self._last))
        self._last = now
        return max(now, self._offset + stamp + delay)


class SoundLine(MediaStreamTrack):
    """One sound line to a page: packets of Opus of the voice that it carries. Its clock runs on from voice to voice."""

    kind = "audio"

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.voice: int | None = None
        self._clock = clock
        self._packets: deque[tuple[float, bytes]] = deque(maxlen=int(MAX_DELAY / PACKET))
        self._more = asyncio.Event()
        self._start: float | None = None
        self._pts = -1

    def carry(self, voice: int | None) -> None:
        """Another voice, or none."""
        if voice != self.voice:
            self.voice = voice
            self._packets.clear()

    def deliver(self, due: float, packet: bytes) -> None:
        """A packet to send at `due`."""
        self._packets.append((due, packet))
        self._more.set()

    def stop(self) -> None:
        """End the line, and with it whoever waits for its sound."""
        super().stop()
        self._more.set()

    async def recv(self) -> av.Packet:
        """The next packet when it is due (aiortc calls this). Raises `MediaStreamError` once stopped."""
        while self.readyState == "live":
            if not self._packets:
                self._more.clear()
                await self._more.wait()
                continue
            wait = self._packets[0][0] - self._clock()
            if wait <= 0:
                return self._stamped(self._packets.popleft()[1])
            await asyncio.sleep(min(wait, PACKET))
        raise MediaStreamError

    def _stamped(self, data: bytes) -> av.Packet:
        now = self._clock()
        self._start = now if self._start is None else self._start
        step, by_wall = int(PACKET * SAMPLE_RATE), int((now - self._start) * SAMPLE_RATE)
        gap = by_wall - self._pts > 4 * step  # there was silence, or another voice; the stamps skip it as the clock did
        self._pts = by_wall if gap or self._pts < 0 else self._pts + step
        packet = av.Packet(data)
        packet.pts, packet.time_base = self._pts, Fraction(TIME_BASE)
        return packet


class _Voice:
    def __init__(self) -> None:
        self.encoder = SpeechEncoder()
        self.evener = Evener()
        self.muted = False
        self.loud_since: float | None = None
        self.spoke = -np.inf


class RoomSound:
    """The voices of a room and the lines of its listeners. Lives on the event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.delay = PictureDelay()
        self._clock = clock
        self._mix = RoomMix(clock)
        self._voices: dict[int, _Voice] = {}
        self._lines: dict[int, list[SoundLine]] = {}
        self._mixed: dict[int, SoundLine] = {}

    def open(self, listener: int, count: int) -> list[SoundLine]:
        """The lines of one more listener, who may be a participant or not."""
        lines = [SoundLine(self._clock) for _ in range(count)]
        self._lines[listener] = lines
        self._assign(listener)
        return lines

    def open_mix(self, listener: int) -> SoundLine:
        """One line with all voices on it, for a listener without a microphone."""
        line = self._mixed[listener] = SoundLine(self._clock)
        self._mix.open(listener, line.deliver)
        return line

    def close(self, listener: int) -> None:
        """That listener has left."""
        for line in self._lines.pop(listener, []):
            line.stop()
        if (mixed := self._mixed.pop(listener, None)) is not None:
            self._mix.close(listener)
            mixed.stop()

    def mute(self, participant: int, muted: bool) -> None:
        """Whether the participant's voice is kept back."""
        if participant in self._voices:
            self._voices[participant].muted = muted

    def voices_of(self, listener: int) -> list[int | None]:
        """The participant on each of a listener's lines."""
        return [line.voice for line in self._lines.get(listener, [])]

    def speaking(self) -> frozenset[int]:
        """The participants who speak now."""
        now = self._clock()
        return frozenset(p for p, voice in self._voices.items() if now - voice.spoke < HOLDS)

    async def feed(self, participant: int, microphone: MediaStreamTrack, *, muted: bool = False) -> None:
        """Send a participant's microphone to all others until it ends."""
        voice = self._voices[participant] = _Voice()
        voice.muted = muted
        self._assign_all()
        loop = asyncio.get_running_loop()
        try:
            while True:
                frame = await microphone.recv()
                if not isinstance(frame, av.AudioFrame) or voice.muted:
                    continue
                self._listen(participant, voice, frame)
                if self._mix.is_heard:
                    self._mix.add(participant, frame, self.delay.seconds)
                lines = [line for lines in self._lines.values() for line in lines if line.voice == participant]
                if lines:
                    now, stamp = self._clock(), float((frame.pts or 0) * (frame.time_base or 0))
                    due = voice.evener.due(stamp, now, self.delay.seconds)
                    packets, _ = await loop.run_in_executor(None, voice.encoder.encode, frame)
                    for index, packet in enumerate(packets):
                        for line in lines:
                            line.deliver(due + index * PACKET, packet)
        except MediaStreamError:
            return  # the page has stopped its microphone, or left
        finally:
            if self._voices.get(participant) is voice:
                del self._voices[participant]
                self._assign_all()

    def _listen(self, participant: int, voice: _Voice, frame: av.AudioFrame) -> None:
        samples = np.frombuffer(memoryview(frame.planes[0]), np.int16)[: frame.samples].astype(np.float32)
        now, loud = self._clock(), float(np.sqrt(np.mean(samples**2) + 1e-9)) > LOUD * 32768
        if not loud:
            voice.loud_since = None
            return
        voice.loud_since = now if voice.loud_since is None else voice.loud_since
        if now - voice.loud_since >= BEGINS:
            was_silent, voice.spoke = now - voice.spoke > HOLDS, now
            if was_silent:
                self._assign_all()

    def _assign_all(self) -> None:
        for listener in self._lines:
            self._assign(listener)

    def _assign(self, listener: int) -> None:
        """Who spoke last is heard; a voice stays on its line while it has one."""
        lines = self._lines[listener]
        others = sorted((p for p in self._voices if p != listener), key=lambda p: -self._voices[p].spoke)[: len(lines)]
        kept = {line.voice for line in lines if line.voice in others}
        waiting = [p for p in others if p not in kept]
        for line in lines:
            if line.voice not in others:
                line.carry(waiting.pop(0) if waiting else None)
