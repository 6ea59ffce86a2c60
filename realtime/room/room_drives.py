"""The server's end of the drive frames in a room's shared memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from models.errors import ProtocolError
from models.exchange.drive_frames import unpack_record
from realtime.room.memory import RoomMemory
from realtime.room.record_table import Record, RecordTable
from realtime.room.roster import Seated
from realtime.timing import StageTimes


class RoomDrives:
    """What pages send goes in, how avatars are shown comes out. Nothing here waits for the render process."""

    def __init__(
        self,
        memory: RoomMemory,
        people: Mapping[int, Seated],
        lock: threading.Lock,
        wake: Callable[[], None],
        times: StageTimes,
    ) -> None:
        """lock: guards the memory and `people`. wake: lets the process look, called with the lock. times: of the room, for the
        stage "landmarks"."""
        self._memory, self._people, self._lock, self._wake, self._times = memory, people, lock, wake, times

    def send(self, participant: int, record: bytes, arrival: float) -> None:
        """Let a packed drive frame (models/exchange/drive_frames.py) drive the participant's avatar, once that is loaded. It is
        checked already. arrival: when it came, `time.monotonic`."""
        self._put(self._memory.sent, participant, record, arrival)

    def follow(self, participant: int, message: bytes, arrival: float) -> None:
        """Let the landmarks that a page has found (models/exchange/landmark_frames.py) drive the participant's avatar in place of
        a webcam's picture, once that is loaded. The message is checked already. arrival: when it came, `time.monotonic`."""
        with self._times.measure("landmarks"):
            self._put(self._memory.landmarks, participant, message, arrival)

    def _put(self, table: RecordTable, participant: int, data: bytes, arrival: float) -> None:
        with self._lock:
            person = self._people.get(participant)
            if person is not None and person.joined:
                table.write(person.slot, data, arrival)
                self._wake()

    def shown(self) -> dict[int, Record]:
        """For each participant whose avatar is loaded, the packed drive frame that it is shown with."""
        with self._lock:
            found = {p: self._memory.shown.read(person.slot) for p, person in self._people.items() if person.joined}
        return {p: record for p, record in found.items() if record is not None and _is_of(p, record)}


def _is_of(participant: int, record: Record) -> bool:
    """Whether it is that: a process that has gone wild may leave anything there, one that is late somebody who has left."""
    try:
        return unpack_record(record.data).participant == participant
    except ProtocolError:
        return False
