"""How many bits a second of picture one page's line takes: a state machine with the time given to it, no sockets, no clock.

What a receiver tells: an estimate (REMB, draft-alvestrand-rmcat-remb-03), which falls when packets begin to come late, and
receiver reports (RFC 3550, 6.4) with the loss and, from the times of a sender report, the round trip. In the manner of
Google Congestion Control (draft-ietf-rmcat-gcc-02) the rate falls below what arrived when the line is too full and grows by
a factor a second while it is not. Signs of a full line:

- the estimate falls, and below what is being sent. An estimate that is merely low says nothing: a receiver never believes in
  much more than what it gets, and a still picture needs little;
- the round trip has grown: so much waits in the line's queue;
- more than a tenth is lost. Less than that is a property of the line (radio), and slower sending would not mend it.

What failed is remembered. Up to near that rate the growth is fast, past it slow, and before another try it waits, twice as
long after each failure, so that a line that stays narrow is hardly disturbed.
"""

from __future__ import annotations

import math
from collections import deque

LOWEST = 80_000
"""Bits a second of picture that are always sent."""
START = 1_200_000
"""Bits a second to begin with, when no more is known."""
BETA = 0.85
"""Of what arrived: what is sent after the line was too full (draft-ietf-rmcat-gcc-02, 5.5)."""
QUEUE = 0.08
"""Seconds by which all round trips of a moment are above the least that was seen: so much waits in the line."""
MOMENT = 0.5
"""Seconds; or two round trips, when reports are rare."""
MEMORY = 60
"""Seconds for which the least round trip is remembered: the way may change."""
LOSS, LOSS_WINDOW, FEW = 0.1, 1.2, 10
"""Part of the packets that may be lost (and what chance may add), over how many seconds, and how many say nothing yet."""
MUCH_LOSS, MANY, BURST = 0.25, 8, 0.3
"""Part of the packets, and the least number of them, that are missed within so many seconds when a line is overrun."""
REACTION = 0.4
"""Seconds besides the round trip until a report can tell about the last fall of the rate."""
OUTAGE = 2.0
"""Seconds without a report after which the loss is that of an outage, not of a line that is too full."""
NEAR = 0.9, 1.15
"""Of the rate that failed: where growth becomes slow, and where it is forgotten."""
SLOW, BOLD, FAST = 1.06, 1.25, 1.4
"""Growth a second: near the rate that failed, above the receiver's estimate, and elsewhere."""
PATIENCE, MOST_PATIENCE = 1.5, 6.0
"""Seconds from a fall of the rate to new growth; doubled when it fails at the same rate again."""
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
    """See the module. `now` is in seconds and never decreases; rates are bits a second of picture with its RTP headers."""

    def __init__(self, most: int) -> None:
        """most: what the operator allows."""
        self._most = float(most)
        self._rate = min(self._most, START)
        self._sent = Meter()
        self._packets, self._missing = Meter(BURST), Meter(BURST)
        self._estimate = math.inf
        self._reports: deque[tuple[float, int, int]] = deque(maxlen=64)
        self._trips: deque[tuple[float, float]] = deque(maxlen=64)
        self._least: deque[tuple[float, float]] = deque([(-math.inf, math.inf)], maxlen=MEMORY)
        self._failed = math.inf
        self._patience = PATIENCE
        self._fell = -math.inf
        self._grown: float | None = None
        self.queue = 0.0

    def rate(self, now: float) -> int:
        """Bits a second to send at."""
        self._grow(now)
        return int(self._rate)

    @property
    def interval(self) -> float:
        """The least time between two pictures, seconds: few bits make fewer but clearer pictures."""
        return 0.0 if self._rate >= 600_000 else 1 / 20 if self._rate >= 250_000 else 1 / 15

    def is_full(self, now: float) -> bool:
        """Whether the line was found too full a moment ago."""
        return now - self._fell < REACTION

    def sent(self, size: int, now: float) -> None:
        """An RTP packet of the picture, also one that is sent again, leaves with `size` bytes."""
        self._sent.add(size, now)
        self._packets.add(1, now)

    def estimate(self, bitrate: float, now: float) -> None:
        """The receiver believes that `bitrate` bits a second of picture can pass (REMB)."""
        fell = bitrate < 0.98 * self._estimate < math.inf
        self._estimate = bitrate
        if fell and bitrate < self._sent.rate(now):
            self._fall(bitrate, now)

    def report(self, lost: int, highest: int, round_trip: float | None, now: float) -> bool:
        """A receiver report; returns whether the rate fell.

        lost: packets, in all. highest: the last one's sequence number, with the count of its cycles. round_trip: seconds,
        `None` when not known.
        """
        if self._reports and now - self._reports[-1][0] > OUTAGE:
            self._reports.clear()  # what was lost then was lost whatever the rate
        self._reports.append((now, lost, highest))
        while self._reports[0][0] < now - LOSS_WINDOW:
            self._reports.popleft()
        if round_trip is not None:
            self._note_trip(round_trip, now)
        lost, count = (last - first for last, first in zip(self._reports[-1][1:], self._reports[0][1:]))
        loss = min(lost / count, 1.0) if count >= FEW and lost > LOSS * count + 2 * math.sqrt(LOSS * count) else 0.0
        soon = now - self._fell < REACTION + (round_trip or 0.0)  # it tells about the time before the last fall
        if not loss and (soon or self.queue <= QUEUE):
            return False
        if loss:
            self._reports.clear()
        return self._fall(BETA * (1 - loss) * self._sent.rate(now), now)

    def missing(self, now: float) -> bool:
        """A packet is missed for the first time (NACK, RFC 4585, 6.2.1): the quickest sign; returns whether the rate fell."""
        self._missing.add(1, now)
        many = self._missing.rate(now) >= 8 * MANY / BURST
        loss = self._missing.rate(now) / max(self._packets.rate(now), 1.0)
        if not many or loss < MUCH_LOSS:
            return False
        return self._fall(BETA * max(1 - loss, 0.3) * self._sent.rate(now), now)

    def _note_trip(self, round_trip: float, now: float) -> None:
        """The least of a moment's round trips counts: a busy machine makes single ones long, a queue all."""
        self._trips.append((now, round_trip))
        while self._trips[0][0] < now - MOMENT and len(self._trips) > 2:
            self._trips.popleft()
        if now >= self._least[-1][0] + 1.0:
            self._least.append((now, round_trip))
        self._least[-1] = (self._least[-1][0], min(self._least[-1][1], round_trip))
        base = min(trip for _, trip in self._least)
        self.queue = min(trip for _, trip in self._trips) - base

    def _fall(self, rate: float, now: float) -> bool:
        """To `rate`, which is less than what arrived; returns whether that is less than now."""
        self._grow(now)
        arrived = max(rate, LOWEST) / BETA
        if now - self._fell > PATIENCE:
            again = NEAR[0] ** 2 < arrived / self._failed < NEAR[0] ** -2
            self._patience = min(2 * self._patience, MOST_PATIENCE) if again else PATIENCE
        fell = BETA * arrived < self._rate
        self._failed = arrived
        self._rate = min(self._rate, BETA * arrived)
        self._fell = now
        return fell

    def _grow(self, now: float) -> None:
        since = 0.0 if self._grown is None else min(now - self._grown, 0.5)
        self._grown = now
        if now - self._fell < self._patience or self.queue > QUEUE / 2:
            return
        near = NEAR[0] * self._failed <= self._rate <= NEAR[1] * self._failed
        growth = SLOW if near else FAST if self._rate < self._estimate else BOLD
        grown = min(self._rate * growth**since, self._most)
        if grown <= 1.5 * self._sent.rate(now) + 100_000:  # what has not been tried is not known
            self._rate = grown
        if self._rate > NEAR[1] * self._failed:
            self._failed, self._patience = math.inf, PATIENCE
