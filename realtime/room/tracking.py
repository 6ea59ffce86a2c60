"""The threads of a room's render process that track webcam pictures, each those of its own participants; or follow the landmarks
that a page has found in such pictures by itself, which go before a webcam's pictures while they come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from models.errors import ProtocolError
from models.exchange.landmark_frames import decode
from models.types import DriveFrame
from realtime.room.blame import Blame
from realtime.room.memory import Flags, RoomMemory
from realtime.room.person import Driven, TrackedPerson
from realtime.room.pipeline import RoomPipeline

LONGEST_WAIT = 0.25
"""Seconds that a webcam picture waits at the most for those before it to be drawn."""
MOST_TRACKERS = Flags.WORKERS - 2
FIRST_TRACKER = 2
"""The first of them, as `Flags.work_on` counts workers."""
PRIVATE = 0.5
"""Seconds after landmarks in which pictures of the same person's webcam are not tracked."""
LOOK = 0.5
"""Seconds between two looks without being woken."""

Work = tuple[Callable[[], DriveFrame], float]


@dataclass(frozen=True)
class TrackingRoom:
    """What the trackers work on. people: all who are seated. changed: called after a drive frame. stopping: whether to end."""

    pipeline: RoomPipeline
    memory: RoomMemory
    blame: Blame
    people: Callable[[], list[TrackedPerson]]
    changed: Callable[[], None]
    stopping: Callable[[], bool]


class Trackers:
    """`run` is the work of one thread; `wake` is called by any."""

    def __init__(self, room: TrackingRoom, count: int) -> None:
        self._room, self._count = room, count
        self._woken = threading.Condition()
        self._calls = 0

    def wake(self) -> None:
        """There may be a webcam picture to track."""
        with self._woken:
            self._calls += 1
            self._woken.notify_all()

    def run(self, index: int) -> None:
        """Track until told to stop."""
        seen = 0
        while not self._room.stopping():
            with self._woken:
                self._woken.wait_for(lambda: self._calls != seen, LOOK)  # noqa: B023
                seen = self._calls
            for person in [p for p in self._room.people() if p.slot % self._count == index]:
                with person.tracking:
                    ready = person.shown == person.tracked or time.monotonic() - person.tracked_at > LONGEST_WAIT
                    if ready and not person.gone:
                        self._track_one(person, index)

    def _track_one(self, person: TrackedPerson, index: int) -> None:
        room, flags, participant = self._room, self._room.memory.flags, person.participant
        if flags.take_recalibrate(person.slot) and not room.pipeline.calibrating(participant):
            room.pipeline.recalibrate(participant)
        found = self._landmarks(person) or self._picture(person)
        if found is None:
            return
        work, stamp = found
        person.tracked_at = time.monotonic()
        with room.blame.working(FIRST_TRACKER + index, participant):
            drive = work()
        person.tracked += 1
        person.drives.put(Driven(drive, time.monotonic(), stamp, person.tracked))
        room.changed()

    def _landmarks(self, person: TrackedPerson) -> Work | None:
        """What is to be done with landmarks that have come, and their stamp."""
        record = self._room.memory.landmarks.read(person.slot, person.followed)
        if record is None:
            return None
        person.followed, person.followed_at = record.count, time.monotonic()
        try:
            landmarks = decode(record.data).landmarks
        except ProtocolError:  # the server has checked it; what a process gone wild leaves there is nothing
            return None
        return partial(self._room.pipeline.follow, person.participant, landmarks, record.stamp), record.stamp

    def _picture(self, person: TrackedPerson) -> Work | None:
        """What is to be done with a webcam's new picture, and its stamp."""
        webcam = self._room.memory.webcams[person.slot]
        if time.monotonic() - person.followed_at < PRIVATE:
            person.sequence = webcam.read(person.sequence, lambda seen: seen.sequence) or person.sequence
            return None
        picture = webcam.copy(after=person.sequence)
        if picture is None:
            return None
        person.sequence = picture.sequence
        return partial(self._room.pipeline.step, person.participant, picture.pixels, picture.stamp), picture.stamp
