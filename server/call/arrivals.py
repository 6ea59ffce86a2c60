"""Which messages of one page's stream are taken: those in order, and not too many of them."""

from __future__ import annotations

import math

from models.errors import ProtocolError
from models.exchange.drive_frames import is_newer
from server.call.fairness import Pace

RATE, AT_ONCE = 60.0, 12.0
"""Messages a second of one page that are taken, and how many may come at once; more are dropped."""
FLOOD = 240.0
"""Messages a second above which a page is told so."""
ANEW = 1.0
"""Seconds without a message after which any sequence number is the first."""


class Arrivals:
    """A state machine without sockets. Ask `is_wanted` of each message, and of those that are wanted, once they are read,
    `takes`. Times in seconds, any monotonic clock."""

    def __init__(self, name: str) -> None:
        """name: of what comes, in the plural."""
        self._name = name
        self._pace, self._flood = Pace(RATE, AT_ONCE), Pace(FLOOD, FLOOD)
        self._sequence, self._taken = 0, -math.inf

    def is_wanted(self, now: float) -> bool:
        """Whether there is time for one more. Raises `ProtocolError` for a flood."""
        if not self._flood.ready(now):
            raise ProtocolError(f"at most {RATE:.0f} {self._name} a second were expected, more come; send fewer")
        self._flood.take()
        return self._pace.ready(now)

    def takes(self, sequence: int, now: float) -> bool:
        """Whether a message with that number is taken, as it is not late."""
        if now - self._taken <= ANEW and not is_newer(sequence, self._sequence):
            return False
        self._pace.take()
        self._sequence, self._taken = sequence, now
        return True
