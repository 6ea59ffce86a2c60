"""Spreads packets over time, so that a picture does not reach a narrow line as a burst that waits in front of the sound."""

from __future__ import annotations

SLACK = 0.005
"""Seconds of sending that may leave at once: timers are no finer."""
MOST_DEBT = 0.5
WIDE = 1_000_000
"""Bits a second from which a line is wide."""
FREE = 10_000_000
"""Bits a second, at the least, on a line in which nothing waits: a packet in a millisecond."""


class Pacer:
    """A leaky bucket (RFC 8298, 4.1.2 uses the same): says how long to wait before the next packet may leave."""

    def __init__(self) -> None:
        self._free = 0.0

    def wait(self, now: float) -> float:
        """Seconds until a packet may leave; 0 when at once."""
        return max(0.0, self._free - now - SLACK)

    def sent(self, size: int, rate: float, now: float) -> None:
        """A packet of `size` bytes has left; `rate`: bits a second at which packets may leave."""
        self._free = max(self._free, now) + 8 * size / rate

    def pause(self, seconds: float, now: float) -> None:
        """Nothing leaves for so long from now on."""
        self._free = max(self._free, now + min(seconds, MOST_DEBT))


def pace(rate: float, *, is_free: bool = False) -> float:
    """How fast packets of a picture leave when `rate` bits a second are sent on average. is_free: nothing waits in the line.

    A line that is free takes a picture at once, as each millisecond of spreading is one of delay; another wide one takes it
    within half of the time until the next; on a narrow one a picture has most of that time.
    """
    if is_free:
        return max(FREE, 10.0 * rate)
    return (1.4 if rate < WIDE else 2.5) * rate
