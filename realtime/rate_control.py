"""How many bits a second of picture one page's line takes: a state machine with the time given to it, no sockets, no clock.

Reports of a receiver: an estimate (REMB, draft-alvestrand-rmcat-remb-03), which falls when packets begin to come late;
receiver reports (RFC 3550, 6.4) with the loss and, from the times of a sender report, the round trip; and which packets it
misses (NACK, RFC 4585). In the manner of Google Congestion Control (draft-ietf-rmcat-gcc-02) the rate falls below what
arrived when the line is too full, and grows by a factor a second while it is not. Signs of a full line:

- the estimate falls, and below what is being sent. A low estimate alone is no sign: a receiver never estimates much more than
  what it receives, and a still picture needs little;
- the round trip has grown: so much waits in the line's queue;
- more than a tenth is lost. Less than that is a property of the line (radio), and slower sending would not mend it.

The rate that failed is remembered. Up to near that rate the growth is fast, past it slow, and before another try it waits,
twice as long after each failure, so that a line that stays narrow is hardly disturbed.
"""

from __future__ import annotations

import math
from collections import deque

from realtime.pacing import WIDE

LOWEST = 80_000
"""Bits a second of picture that are always sent."""
START = 400_000
"""Bits a second to begin with, when nothing is known."""
BETA = 0.85
"""Rate after the line was too full, in parts of what arrived (draft-ietf-rmcat-gcc-02, 5.5)."""
QUEUE, NO_QUEUE = 0.08, 0.02
"""Seconds by which round trips are above the least that was seen, so much waits in the line: too much, and none to speak of."""
MEMORY = 20
"""Seconds for which the least round trip is remembered: the way may change."""
LOSS, LOSS_WINDOW, FEW = 0.1, 1.2, 10
"""Part of the packets that may be lost (and what chance may add), over how many seconds, and how many are too few to judge."""
MUCH_LOSS, MANY, BURST = 0.25, 8, 0.3
"""Part of the packets, and the least number of them, that are missed within so many seconds when a line is overrun."""
OVERRUN, CAREFUL = 0.75, 0.25
"""Parts of the present rate: an estimate below the first shows that the capacity of the line has dropped; the second is the least
rate until more is known."""
REACTION = 0.2
"""Seconds besides the round trip until reports cover the time after a fall of the rate."""
OUTAGE = 2.0
"""Seconds in which nothing arrived after which the loss is that of an outage, not of a line that is too full."""
NEAR = 0.9, 1.15
"""Of the rate that failed: where growth becomes slow, and where that rate is forgotten."""
SLOW, BOLD, FAST, FIRST = 1.06, 1.25, 1.4, 2.0
"""Growth a second: near the rate that failed, above the receiver's estimate, elsewhere, and before anything has failed."""
WAIT, LONGEST_WAIT = 1.5, 6.0
"""Seconds from a fall of the rate to new growth; doubled when growth fails at that rate again."""
FRESH = 1.0
"""Seconds for which a round trip tells of the line."""
NEAR_BY = 0.015
"""Seconds: shorter round trips are those of a local network, which is wide; a narrow line further away would take a burst for a
queue."""
_WINDOW = 1.0


class Meter:
    """Bits a second that passed within the last `window` seconds."""

    def __init__(self, window: float = _WINDOW) -> None:
        self._window = window
        self._parts: deque[tuple[float, int]] = deque()
        self._sum = 0

    def add(self, size: int, now: float) -> None:
        """`size` bytes pass."""
        self._parts.append((now, size))
        self._sum += size
        self._forget(now)

    def rate(self, now: float) -> float:
        """Bits a second."""
        self._forget(now)
        return 8 * self._sum / self._window

    def _forget(self, now: float) -> None:
        while self._parts and self._parts[0][0] <= now - self._window:
            self._sum -= self._parts.popleft()[1]


class RateControl:
    """See the module. `now` is in seconds and never decreases; rates are bits a second of picture with its RTP headers.

    `queue`: seconds that packets wait in the line, by the shorter of the last two round trips: a busy machine makes single
    ones long, a queue all.
    """

    def __init__(self, most: int) -> None:
        """most: what the operator allows."""
        self._most = float(most)
        self._rate = min(self._most, START)
        self._sent = Meter()
        self._packets, self._missing = Meter(BURST), Meter(BURST)
        self._estimate = math.inf
        self._reports: deque[tuple[float, int, int]] = deque(maxlen=64)
        self._least: deque[tuple[float, float]] = deque([(-math.inf, math.inf)], maxlen=MEMORY)
        self.queue = self._waited = 0.0
        self._last_report = self._resumed = -math.inf
        self._highest, self._progressed = -1, 0.0
        self._failed = math.inf
        self._wait = WAIT
        self._fell = -math.inf
        self._grown: float | None = None

    def rate(self, now: float) -> int:
        """Bits a second to send at."""
        self._grow(now)
        return int(self._rate)

    @property
    def interval(self) -> float:
        """The least time between two pictures, seconds: few bits make fewer but clearer pictures."""
        return 0.0 if self._rate >= 600_000 else 1 / 20 if self._rate >= 250_000 else 1 / 15

    @property
    def climbs(self) -> bool:
        """Whether the rate is below what is allowed only because no higher one was tried yet: none has failed."""
        return self._failed == math.inf and self._rate < self._most

    def is_free(self, now: float) -> bool:
        """Whether pictures may leave at once: a wide line takes the most that may be sent; or the page is near, no rate has
        failed, and nothing waits. A page whose picture hardly moves never comes to send the most."""
        is_near = min(trip for _, trip in self._least) < NEAR_BY
        clear = self._failed == math.inf and now - self._last_report < FRESH and self.queue <= QUEUE / 2
        return self._rate >= self._most >= WIDE or (is_near and clear)

    def is_full(self, now: float) -> bool:
        """Whether the line was found too full a moment ago, or packets wait in it."""
        return now - self._fell < REACTION or (now - self._last_report < FRESH and self.queue > QUEUE)

    def sent(self, size: int, now: float) -> None:
        """An RTP packet of the picture, also one that is sent again, leaves with `size` bytes."""
        self._sent.add(size, now)
        self._packets.add(1, now)

    def estimate(self, bitrate: float, now: float) -> bool:
        """The receiver estimates that `bitrate` bits a second of picture can pass (REMB); returns whether the line is overrun.

        It averages over a second. When much less arrives than is sent, still less does now. Small falls are often mistakes;
        they are ignored when the round trips show that nothing waits.
        """
        fell = bitrate < 0.98 * self._estimate < math.inf
        self._estimate = bitrate
        sent = self._sent.rate(now)
        if not fell or bitrate >= sent:
            return False
        overrun = bitrate < OVERRUN * sent and now - self._fell > _WINDOW
        denied = now - self._last_report < FRESH and self._waited < NO_QUEUE
        if denied and not overrun:
            return False
        careful = min(bitrate, max(CAREFUL * sent, bitrate * (bitrate / sent) ** 3))
        self._fall(careful if overrun else bitrate, now)
        return overrun

    def report(self, lost: int, highest: int, round_trip: float | None, now: float) -> bool:
        """A receiver report; returns whether the rate fell: where the line is too full, to no more than the receiver estimates.

        lost: packets, in all. highest: the last one's sequence number, with the count of its cycles. round_trip: seconds;
        `None` when not known, and for a sender report whose round trip is known already.
        """
        if round_trip is not None:
            self._note_trip(round_trip, now)
        early = now - self._fell < REACTION + self._waited  # the report covers the time before the fall
        if highest != self._highest:
            if now - self._progressed > OUTAGE:
                self._resumed = now
            self._highest, self._progressed = highest, now
        if early or now - self._resumed < LOSS_WINDOW:
            self._reports.clear()
        self._reports.append((now, lost, highest))
        while self._reports[0][0] < now - LOSS_WINDOW:
            self._reports.popleft()
        if early:
            return False
        missed, count = (last - first for last, first in zip(self._reports[-1][1:], self._reports[0][1:]))
        many = count >= FEW and missed > LOSS * count + 2 * math.sqrt(LOSS * count)
        if not many and self.queue <= QUEUE:
            return False
        loss = min(missed / count, 1.0) if many else 0.0
        return self._fall(min(BETA * (1 - loss) * self._sending(now), self._estimate), now)

    def missing(self, left: float, now: float) -> bool:
        """A packet sent at `left` is missed, for the first time (NACK, RFC 4585, 6.2.1); returns whether the rate fell."""
        if left <= self._fell or now - left > _WINDOW:  # the packet was sent before the last fall
            return False
        self._missing.add(1, now)
        loss = self._missing.rate(now) / max(self._packets.rate(now), 1.0)
        if self._missing.rate(now) < 8 * MANY / BURST or loss < MUCH_LOSS:
            return False
        return self._fall(BETA * max(1 - loss, 0.3) * self._sending(now), now)

    def _sending(self, now: float) -> float:
        """Bits a second; just after a fall, which comes with a pause, the measured rate is unreliable."""
        return self._rate if now - self._fell < 1.5 * _WINDOW else self._sent.rate(now)

    def _note_trip(self, round_trip: float, now: float) -> None:
        if now >= self._least[-1][0] + 1.0:
            self._least.append((now, round_trip))
        self._least[-1] = (self._least[-1][0], min(self._least[-1][1], round_trip))
        before, self._waited = self._waited, round_trip - min(trip for _, trip in self._least)
        self.queue = min(before, self._waited)
        self._last_report = now

    def _fall(self, rate: float, now: float) -> bool:
        """To `rate`, which is `BETA` of what arrives; returns whether that is less than now. If not, the report is old."""
        self._grow(now)
        rate = max(rate, LOWEST)
        if rate >= self._rate:
            return False
        if now - self._fell > WAIT:
            again = NEAR[0] ** 2 < rate / BETA / self._failed < NEAR[0] ** -2
            self._wait = min(2 * self._wait, LONGEST_WAIT) if again else WAIT
        self._failed = rate / BETA
        self._rate = rate
        self._fell = now
        return True

    def _grow(self, now: float) -> None:
        since = 0.0 if self._grown is None else min(now - self._grown, 0.5)
        self._grown = now
        if now - self._fell < self._wait or self._waited > QUEUE / 2:
            return
        near = NEAR[0] * self._failed <= self._rate <= NEAR[1] * self._failed
        growth = SLOW if near else BOLD if self._rate > self._estimate else FAST if self._fell > 0 else FIRST
        grown = min(self._rate * growth**since, self._most)
        if grown <= 1.5 * self._sent.rate(now) + 100_000:  # a rate far above the sent one was never tried
            self._rate = grown
        if self._rate > NEAR[1] * self._failed:
            self._failed, self._wait = math.inf, WAIT
