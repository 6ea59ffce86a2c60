"""What drives a participant's avatar: the webcam that is tracked here, and drive frames that the page sends, joined part by part.

What a sent frame knows (head, face, mouth, gaze) is taken from there, the rest from the webcam while it shows a face, and what
nobody knows is at rest. So a headset gives the head and sound gives the mouth, or sound stands in for a mouth behind a hand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from models import arkit
from models.exchange.drive_frames import KnownParts, SentFrame
from models.types import DriveFrame
from realtime.rest import REST

HELD = 0.5
"""Seconds that the last frame of a source counts."""
MOUTH = np.array([name.startswith(("jaw", "mouth", "tongue")) for name in arkit.NAMES])
"""(52,) bool: the coefficients that sound tells of."""


NOTHING = KnownParts(0)


@dataclass(frozen=True)
class Parts:
    """Where the parts of a frame come from. sent: those from the page. tracked: whether the webcam shows a face."""

    sent: KnownParts = NOTHING
    tracked: bool = False

    @property
    def attends(self) -> bool:
        """Whether the person looks at a screen, so that the look has to be turned to whom it meets there."""
        if self.sent & (KnownParts.HEAD | KnownParts.GAZE):
            return not self.sent & KnownParts.IN_ROOM
        return self.tracked


class Sources:
    """The last frame of each source of one participant."""

    def __init__(self) -> None:
        self._tracked, self._tracked_at = REST, -math.inf
        self._sent, self._sent_at = SentFrame(REST), -math.inf

    def track(self, drive: DriveFrame, now: float) -> tuple[DriveFrame, Parts] | None:
        """A webcam's picture was tracked: the frame to show; `None` when that is shown with the next frame that is sent."""
        if drive.confidence > 0:
            self._tracked, self._tracked_at = drive, now
        if not self._is_sent(now):
            return drive, Parts(tracked=True)
        return self._joined(now) if drive.confidence > 0 and not self._leads else None

    def send(self, sent: SentFrame, now: float) -> tuple[DriveFrame, Parts] | None:
        """The page has sent a frame: the frame to show; `None` when that is shown with the webcam's next."""
        if sent.drive.confidence > 0:
            self._sent, self._sent_at = sent, now
        if not self._is_sent(now) or (self._is_tracked(now) and not self._leads):
            return None
        return self._joined(now)

    @property
    def _leads(self) -> bool:
        """Whether the page's frames give the beat."""
        return bool(self._sent.known & (KnownParts.HEAD | KnownParts.FACE))

    def _is_sent(self, now: float) -> bool:
        return now - self._sent_at <= HELD

    def _is_tracked(self, now: float) -> bool:
        return now - self._tracked_at <= HELD

    def _joined(self, now: float) -> tuple[DriveFrame, Parts]:
        tracked = self._is_tracked(now)
        known, sent, drive = self._sent.known, self._sent.drive, self._tracked if tracked else REST
        confidence = max(drive.confidence, sent.confidence)
        if known & KnownParts.HEAD:
            drive = replace(drive, rotation=sent.rotation, translation=sent.translation)
        if known & KnownParts.FACE:
            drive = replace(drive, coefficients=sent.coefficients)
        elif known & KnownParts.MOUTH:
            drive = replace(drive, coefficients=np.where(MOUTH, sent.coefficients, drive.coefficients))
        if known & KnownParts.GAZE:
            drive = replace(drive, gaze=sent.gaze)
        return replace(drive, confidence=confidence), Parts(known, tracked)
