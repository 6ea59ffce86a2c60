"""A participant inside a room's render process: what was tracked last, and what is shown of it."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from models.types import DriveFrame
from realtime.mailbox import Mailbox
from realtime.rest import REST, Resting
from realtime.room.attention import Attention
from realtime.room.sources import Parts, Sources


@dataclass(frozen=True)
class Driven:
    """drive: relative to the resting head. made: when, `time.monotonic`. arrival: the webcam picture's stamp. number: counts
    from 1."""

    drive: DriveFrame
    made: float
    arrival: float
    number: int


class TrackedPerson:
    """A participant. The tracking thread writes `drives`, the drawing thread does the rest."""

    def __init__(self, participant: int, slot: int, order: int) -> None:
        self.participant, self.slot, self.order = participant, slot, order
        self.drives: Mailbox[Driven] = Mailbox()
        self.sequence = 0
        self.tracking = threading.Lock()
        self.tracked, self.tracked_at = 0, -math.inf  # number of the last drive frame, and when it was begun
        self.followed, self.followed_at = 0, -math.inf  # count of the last landmarks of the page, and when they were followed
        self.taken = self.shown = 0  # number of the last drive frame that was drawn from, and of the last that all views show
        self.gone = self.is_new = False  # is_new: there is another avatar since the last look
        self.sources, self.parts = Sources(), Parts()
        self.sent = self.published = 0  # counts of the last frame that the page has sent, and of the last version told to pages
        self.resting = Resting()
        self.attention = Attention()
        self.told = self.drive = REST  # before and after attention
        self.made = 0.0
        self.arrival = 0.0
        self.version = 0
