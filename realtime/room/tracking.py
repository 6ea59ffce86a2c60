"""The threads of a room's render process that track webcam pictures, each those of its own participants."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from realtime.room.hang import HangWatch
from realtime.room.memory import Flags, RoomMemory
from realtime.room.person import Driven, TrackedPerson
from realtime.room.pipeline import RoomPipeline

LONGEST_WAIT = 0.25
"""Seconds that a webcam picture waits at the most for those before it to be drawn."""
MOST_TRACKERS = Flags.WORKERS - 2
FIRST_TRACKER = 2
"""The first of them, as `Flags.work_on` counts workers."""
LOOK = 0.5
"""Seconds between two looks without being woken."""


@dataclass(frozen=True)
class TrackingRoom:
    """What the trackers work on. people: all who are seated. changed: called after a drive frame. stopping: whether to end."""

    pipeline: RoomPipeline
    memory: RoomMemory
    watch: HangWatch
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
        picture = room.memory.webcams[person.slot].copy(after=person.sequence)
        if picture is None:
            return
        person.sequence, person.tracked_at = picture.sequence, time.monotonic()
        flags.work_on(FIRST_TRACKER + index, participant)
        with room.watch.working(FIRST_TRACKER + index):
            drive = room.pipeline.step(participant, picture.pixels, picture.stamp)
        flags.work_on(FIRST_TRACKER + index, -1)
        person.tracked += 1
        person.drives.put(Driven(drive, time.monotonic(), picture.stamp, person.tracked))
        room.changed()
