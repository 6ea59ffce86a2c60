"""What a page with a private camera says about its person's face, on the data channel `drive` (docs/protocol.md)."""

from __future__ import annotations

from typing import TypeGuard

from models.errors import ProtocolError
from models.exchange.landmark_frames import KIND, decode
from server.call.arrivals import Arrivals


class LandmarkInput:
    """Takes one page's landmarks: a state machine without sockets."""

    def __init__(self, participant: int) -> None:
        """participant: the page's own, -1 for one that has no seat."""
        self._participant = participant
        self._arrivals = Arrivals("messages of landmarks")

    def take(self, data: bytes, now: float) -> bytes | None:
        """The message, which can be read; or `None` when it is dropped, being late or one of too many. now: seconds, any
        monotonic clock. Raises `ProtocolError` for what are no landmarks, and for a flood."""
        if not self._arrivals.is_wanted(now):
            return None
        if self._participant < 0:
            raise ProtocolError("landmarks are expected from those with a seat, not from a viewer; send none")
        frame = decode(data)
        return data if self._arrivals.takes(frame.sequence, now) else None


def are_landmarks(data: str | bytes) -> TypeGuard[bytes]:
    """Whether a message says that it holds landmarks."""
    return isinstance(data, bytes) and len(data) > 1 and data[1] == KIND
