"""Drive frames between the avatars of a render process and the shared memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from models.errors import ProtocolError
from models.exchange.drive_frames import SentFrame, pack_record, unpack_record
from models.types import DriveFrame
from realtime.room.memory import RoomMemory
from realtime.room.person import TrackedPerson
from realtime.room.sources import Parts


class DriveExchange:
    """What pages send drives their avatars, and how avatars are shown goes to the pages that draw by themselves. is_awaited:
    whether there are any. `has_come` is called by the thread that reads, the rest by the one that draws."""

    def __init__(self, memory: RoomMemory, moved: Callable[[], None]) -> None:
        self._memory, self._moved = memory, moved
        self._counts = b""
        self._is_new = False
        self.is_awaited = False

    def has_come(self) -> bool:
        """Whether a page has sent a frame since the last call."""
        before, self._counts = self._counts, self._memory.sent.counts
        return before != self._counts

    def see(self, person: TrackedPerson, now: float) -> float:
        """Let the newest frames of webcam and page drive the avatar. Returns when they came, `time.monotonic`; 0 when nothing new
        drives it."""
        arrival = 0.0
        driven = person.drives.get(0)
        if driven is not None:
            person.taken = driven.number
            arrival = driven.arrival if self._drive(person, person.sources.track(driven.drive, driven.made), driven.made) else 0.0
        record = self._memory.sent.read(person.slot, person.sent)
        if record is not None:
            person.sent = record.count
            with suppress(ProtocolError):
                sent = person.sources.send(unpack_record(record.data), now)
                arrival = record.stamp if self._drive(person, sent, now) else arrival
        return arrival

    def _drive(self, person: TrackedPerson, found: tuple[DriveFrame, Parts] | None, when: float) -> bool:
        if found is None:
            return False
        drive, parts = found
        drives = person.resting.see(drive, when, parts)
        if drives:
            person.parts = parts
        return drives

    def publish(self, person: TrackedPerson, now: float) -> None:
        """Put what is shown of the avatar where pages find it, when it has changed."""
        shown = person.version + 1
        if person.published == shown:
            return
        person.published, self._is_new = shown, True
        with suppress(ProtocolError):  # of a pipeline that carries something else in its drive frames
            frame = SentFrame(replace(person.drive, timestamp=now), person.participant)
            self._memory.shown.write(person.slot, pack_record(frame), now)

    def tell(self) -> None:
        """Wake the server when there is something new for pages that wait for it."""
        if self._is_new and self.is_awaited:
            self._moved()
        self._is_new = False
