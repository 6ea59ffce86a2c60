"""How many bits a second of picture a page may send: the receiver's estimate (REMB, draft-alvestrand-rmcat-remb-03).

A packet says when it left (abs-send-time, http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time). How much later than the
quickest of the last seconds it arrives is how long it has waited in the line. Where packets wait, the estimate falls below what
arrives (draft-ietf-rmcat-gcc-02, 5.5); where none wait, it grows, and slowly past a rate that has failed.

aiortc's estimator never says much more than what a page sends, and a page never sends much more than the estimate: a webcam
that begins with 300 kbit/s has 500 after half a minute, on any line. Until then each larger change of its picture is sent in
parts, a picture late, and what the tracker gets is coarse. Here the first report says `START`, which Chromium and Firefox take
over at once within their first two seconds.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

from realtime.rate_control import BETA, LOWEST, NEAR, Meter

START, MOST = 1_000_000, 1_500_000
"""Bits a second: at first, and the most that a webcam of 640x480 has a use for."""
QUEUE, NO_QUEUE, LONG_QUEUE = 0.08, 0.04, 0.25
"""Seconds that packets wait in the line: too much, none to speak of, and so much that it has to be emptied soon."""
DRAIN = 0.5
"""As `BETA`, after a long queue."""
NEWEST = 8
"""Packets of which the least late counts: a busy machine makes single ones late, a queue all."""
PERSISTS = 0.1
"""Seconds for which packets wait too long before that is a queue: what has come while the server stood still is read at once."""
MEMORY = 10.0
"""Seconds for which the quickest packet is remembered: the way may change, and two clocks drift."""
WINDOW, REACTION, REPORT = 0.5, 0.4, 0.5
"""Seconds: over which is counted what arrives, between two falls, and between two reports."""
WAIT = 1.0
"""Seconds from a fall to new growth."""
SLOW, FAST = 1.06, 1.4
"""Growth a second: near the rate that failed, and elsewhere."""
_TICKS, _WRAP = 1 << 18, 64.0


class BitrateEstimator:
    """See the module. Drop-in for `aiortc.rate.RemoteBitrateEstimator`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: seconds, never decreasing."""
        self._clock = clock
        self._rate, self._failed = float(START), math.inf
        self._arrived = Meter(WINDOW)
        self._sources: dict[int, None] = {}
        self._sent = 0.0
        self._quickest: deque[tuple[float, float]] = deque()
        self._late: deque[float] = deque(maxlen=NEWEST)
        self._last = self._clear = clock()
        self._fell = self._told = -math.inf

    def add(self, arrival_time_ms: int, abs_send_time: int, payload_size: int, ssrc: int) -> tuple[int, list[int]] | None:
        """A packet arrives, by the clock, not by `arrival_time_ms`, which jumps when the machine's time is set.

        abs_send_time: 24 bits, seconds in 6.18 fixed point. payload_size: bytes. Returns what is to be reported now, if
        anything: bits a second, and the SSRCs that share them.
        """
        now = self._clock()
        self._sources[ssrc] = None
        self._arrived.add(payload_size, now)
        queue = self._waited(abs_send_time / _TICKS, now)
        since, self._last = now - self._last, now
        if queue <= QUEUE:
            self._clear = now
        fell = now - self._clear > PERSISTS and self._fall(queue, now)
        if queue < NO_QUEUE:
            self._grow(min(since, WINDOW), now)
        if not fell and now - self._told < REPORT:
            return None
        self._told = now
        return int(self._rate), list(self._sources)

    def _waited(self, sent: float, now: float) -> float:
        """For how long packets wait in the line; sent: seconds, of a clock of their own that wraps."""
        self._sent += (sent - self._sent + _WRAP / 2) % _WRAP - _WRAP / 2
        transit = now - self._sent
        if self._quickest and (now - self._last > MEMORY or transit > self._quickest[0][1] + MEMORY):  # no line is so long
            self._quickest.clear()
            self._late.clear()
        while self._quickest and self._quickest[-1][1] >= transit:
            self._quickest.pop()
        self._quickest.append((now, transit))
        while self._quickest[0][0] < now - MEMORY:
            self._quickest.popleft()
        self._late.append(transit - self._quickest[0][1])
        return min(self._late) if len(self._late) == NEWEST else 0.0

    def _fall(self, queue: float, now: float) -> bool:
        """To less than what arrives; returns whether that is less than now."""
        if now - self._fell < REACTION:
            return False
        arrives = self._arrived.rate(now)
        rate = max((DRAIN if queue > LONG_QUEUE else BETA) * arrives, LOWEST)
        if rate >= self._rate:
            return False
        self._rate, self._failed, self._fell = rate, arrives, now
        return True

    def _grow(self, since: float, now: float) -> None:
        if now - self._fell < WAIT:
            return
        near = NEAR[0] * self._failed <= self._rate <= NEAR[1] * self._failed
        self._rate = min(self._rate * (SLOW if near else FAST) ** since, MOST)
        if self._rate > NEAR[1] * self._failed:
            self._failed = math.inf
