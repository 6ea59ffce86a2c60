"""One direction of a narrow network line, as arithmetic: no sockets, no threads, no clock of its own.

A datagram waits until the line has sent what came before it (a rate cap with a drop-tail queue), is lost with some chance,
and arrives after the delay and a random jitter. Nothing overtakes: real access lines keep the order. The same seed and the
same calls give the same line, so that a simulation in virtual time and the relay of real datagrams share it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

HEADERS = 28
"""Bytes of IPv4 and UDP that a line carries with each datagram."""


@dataclass(frozen=True)
class Line:
    """rate: bits a second with headers, `None` for no cap. queue: the longest that a datagram may wait, seconds; what would
    wait longer is dropped. delay: one way, seconds. jitter: added at random from 0 to this, seconds. loss: chance in [0, 1]."""

    rate: float | None = None
    queue: float = 0.3
    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0


class Bottleneck:
    """A line for one direction; `line` may be changed at any time, and what waits then goes on at the new rate.

    `passed` and `dropped` count datagrams; `dropped` counts those that the queue had no place for, `lost` the random ones.
    """

    def __init__(self, line: Line | None = None, seed: int = 0) -> None:
        self.line = line or Line()
        self._random = random.Random(seed)
        self._waiting = 0.0  # bits
        self._now = 0.0
        self._last_arrival = 0.0
        self.passed = self.dropped = self.lost = 0

    def send(self, size: int, now: float) -> float | None:
        """When a datagram of `size` bytes of payload, sent at `now` (seconds, never decreasing), arrives; `None` if never."""
        line = self.line
        if line.rate is None:
            self._waiting = 0.0
        else:
            self._waiting = max(0.0, self._waiting - (now - self._now) * line.rate)
        self._now = now
        if self._random.random() < line.loss:
            self.lost += 1
            return None
        wait = 0.0
        if line.rate is not None:
            if self._waiting > line.queue * line.rate:
                self.dropped += 1
                return None
            self._waiting += 8 * (size + HEADERS)
            wait = self._waiting / line.rate
        self.passed += 1
        arrival = now + wait + line.delay + line.jitter * self._random.random()
        self._last_arrival = max(self._last_arrival, arrival)
        return self._last_arrival
