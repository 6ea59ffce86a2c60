"""The memory that the server and a room's render process share: webcam pictures and drive frames in, drawn pictures and drive
frames out, view requests, flags.

One block without a name for the life of the room (see realtime/shared.py for why, and for `PictureSlot`). Pictures take
the most by far: memory for those of a slot is there from `take_webcam` and `take_picture` on, until `give_webcam` and
`give_picture`. Avatar files do not lie in it; they come with the message that announces them.
"""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.reduction import DupFd
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import VisavisError
from models.exchange import drive_frames, landmark_frames
from realtime.room.framing import Framing
from realtime.room.layout import ViewRequest
from realtime.room.record_table import RecordTable
from realtime.shared import PictureSlot, give_back, reserve, take


@dataclass(frozen=True)
class MemoryLayout:
    """The sizes both sides agree on. people: webcam slots. views: picture slots. width, height: of drawn pictures.
    input_bytes: of the largest webcam picture."""

    people: int
    views: int
    width: int
    height: int
    input_bytes: int

    @property
    def picture_bytes(self) -> int:
        """Bytes of the largest drawn picture."""
        return self.width * self.height * 3

    @property
    def slots(self) -> list[tuple[int, int]]:
        """Offset of each slot, and bytes of a picture in it: those of webcams, then those of views."""
        found, offset = list[tuple[int, int]](), 0
        for capacity in [self.input_bytes] * self.people + [self.picture_bytes] * self.views:
            found.append((offset, capacity))
            offset += PictureSlot.size(capacity)
        return found

    @property
    def tables(self) -> tuple[int, int]:
        """Offset of what comes after the slots, and its bytes."""
        size = (
            RequestTable.size(self.views)
            + Flags.size(self.people)
            + 2 * RecordTable.size(self.people, drive_frames.LONGEST)
            + RecordTable.size(self.people, landmark_frames.BYTES)
        )
        return sum(PictureSlot.size(capacity) for _, capacity in self.slots), size

    @property
    def total(self) -> int:
        """Bytes of the whole block, whether memory is there for them or not."""
        return sum(self.tables)


class OpenRow(NamedTuple):
    """An open view. drawn: by the process; else its page draws by itself."""

    slot: int
    generation: int
    request: ViewRequest
    drawn: bool


class RequestTable:
    """The open views as rows of twelve doubles: generation (0: free), owner, orbit, focus, yaw, pitch, distance, the frame's
    width, height, background and mask, and whether the process draws it; else its page does so itself.

    The server writes, the process polls. Doubles are written whole on every platform we run on; a request caught between two
    of its numbers is one picture of a moving view.
    """

    COLUMNS = 12

    def __init__(self, memory: mmap.mmap, offset: int, rows: int) -> None:
        flat: NDArray[np.float64] = np.frombuffer(memory, np.float64, rows * self.COLUMNS, offset)
        self._rows = flat.reshape(rows, self.COLUMNS)

    @classmethod
    def size(cls, rows: int) -> int:
        """Bytes that the table takes."""
        return rows * cls.COLUMNS * 8

    def set(self, slot: int, generation: int, request: ViewRequest, *, drawn: bool = True) -> None:
        """Open or move a view. drawn: by the process."""
        r, frame = request, request.frame
        self._rows[slot, 1:7] = r.owner, r.orbit, r.focus, r.yaw, r.pitch, r.distance
        self._rows[slot, 7:] = frame.width, frame.height, frame.background, frame.mask, drawn
        self._rows[slot, 0] = generation

    def free(self, slot: int) -> None:
        """Close a view."""
        self._rows[slot, 0] = 0

    def clear(self) -> None:
        """Close all views."""
        self._rows[:] = 0

    def release(self) -> None:
        """Let go of the shared buffer; the table is of no use after."""
        self._rows = np.zeros((0, self.COLUMNS))

    def open_views(self) -> list[OpenRow]:
        """All open views."""
        rows = self._rows.copy()
        return [OpenRow(slot, int(row[0]), _request(row), row[11] > 0) for slot, row in enumerate(rows) if row[0] > 0]


def _request(row: NDArray[np.float64]) -> ViewRequest:
    owner, orbit, focus, yaw, pitch, distance, width, height, background, mask = map(float, row[1:11])
    frame = Framing(int(width), int(height), int(background), mask > 0)
    return ViewRequest(int(owner), orbit > 0, int(focus), yaw, pitch, distance, frame).within_limits()


class Flags:
    """What the server wants, and what the process is at: numbers, so that none of it ever fills or blocks anything.

    stopping; for each participant, whether to recalibrate; and the participants whose avatar or webcam picture the process is
    working on, which is who gets the blame when it dies.
    """

    WORKERS = 8
    """Threads that may work on somebody at the same time."""

    def __init__(self, memory: mmap.mmap, offset: int, people: int) -> None:
        self._flags: NDArray[np.int64] = np.frombuffer(memory, np.int64, 1 + people + self.WORKERS, offset)
        self._people = people

    @classmethod
    def size(cls, people: int) -> int:
        """Bytes."""
        return 8 * (1 + people + cls.WORKERS)

    def clear(self) -> None:
        """Nothing is wanted, nobody is at work."""
        self._flags[:] = 0

    def release(self) -> None:
        """Let go of the shared buffer; of no use after."""
        self._flags = np.zeros(len(self._flags), np.int64)

    def stop(self) -> None:
        """The process should end."""
        self._flags[0] = 1

    @property
    def stopping(self) -> bool:
        """Whether the process should end."""
        return bool(self._flags[0])

    def recalibrate(self, person: int) -> None:
        """The face of the next second should be taken as neutral. person: the webcam slot."""
        self._flags[1 + person] = 1

    def take_recalibrate(self, person: int) -> bool:
        """Whether it should be, once for each time."""
        asked = bool(self._flags[1 + person])
        self._flags[1 + person] = 0
        return asked

    def work_on(self, worker: int, participant: int) -> None:
        """A thread of the process begins to work on a participant; -1: on nobody in particular."""
        self._flags[1 + self._people + worker] = participant + 1

    def worked_on(self) -> set[int]:
        """The participants that were being worked on."""
        return {int(p) - 1 for p in self._flags[1 + self._people :] if p > 0}


class RoomMemory:
    """The block. It can be an argument of a process that is being spawned.

    webcams, pictures: slots. sent: drive frames that people's pages sent, shown: drive frames as their avatars are shown, packed
    (models/exchange/drive_frames.py). landmarks: what pages tracked by themselves (models/exchange/landmark_frames.py). These
    three have a row for each webcam slot.
    """

    def __init__(self, layout: MemoryLayout, handle: int | None = None) -> None:
        """Makes the block, or takes over an open `handle` of it. Raises `VisavisError` when the memory is not to be had."""
        self.layout = layout
        self._slots = layout.slots
        self._taken: set[int] = set()  # numbers of slots, at the end that made the block
        self._handle = -1
        offset, size = layout.tables
        try:
            self._handle = reserve(layout.total) if handle is None else handle
            if handle is None:
                take(self._handle, offset, size)
                for begin, capacity in self._slots:
                    take(self._handle, begin, PictureSlot.pictures(0, capacity)[0])
            self._memory = mmap.mmap(self._handle, layout.total)
        except OSError as error:
            if self._handle >= 0:
                os.close(self._handle)
            raise _refused(size, error) from error
        made = [PictureSlot(self._memory, begin, capacity) for begin, capacity in self._slots]
        self.webcams, self.pictures = made[: layout.people], made[layout.people :]
        self.requests = RequestTable(self._memory, offset, layout.views)
        offset += RequestTable.size(layout.views)
        self.flags = Flags(self._memory, offset, layout.people)
        offset += Flags.size(layout.people)
        self.sent = RecordTable(self._memory, offset, layout.people, drive_frames.LONGEST)
        offset += RecordTable.size(layout.people, drive_frames.LONGEST)
        self.shown = RecordTable(self._memory, offset, layout.people, drive_frames.LONGEST)
        offset += RecordTable.size(layout.people, drive_frames.LONGEST)
        self.landmarks = RecordTable(self._memory, offset, layout.people, landmark_frames.BYTES)
        if handle is None:
            self.clear()

    @property
    def taken(self) -> int:
        """Bytes that the system provides for the block now."""
        return os.fstat(self._handle).st_blocks * 512

    def take_webcam(self, slot: int) -> None:
        """Have memory for the pictures of a webcam. Raises `VisavisError` when there is not enough."""
        self._take(slot)

    def give_webcam(self, slot: int) -> None:
        """Nothing more comes from that webcam."""
        self._give(slot)

    def take_picture(self, slot: int) -> None:
        """Have memory for the drawn pictures of a view. Raises `VisavisError` when there is not enough."""
        self._take(self.layout.people + slot)

    def give_picture(self, slot: int) -> None:
        """Nobody draws there any more, nor looks at what was drawn."""
        self._give(self.layout.people + slot)

    def _take(self, index: int) -> None:
        if index in self._taken:
            return
        offset, size = PictureSlot.pictures(*self._slots[index])
        try:
            take(self._handle, offset, size)
        except OSError as error:
            raise _refused(size, error) from error
        self._taken.add(index)

    def _give(self, index: int) -> None:
        if index in self._taken:
            self._taken.remove(index)
            give_back(self._memory, *PictureSlot.pictures(*self._slots[index]))

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.layout, DupFd(self._handle))

    def clear(self) -> None:
        """Forget all pictures, drive frames, requests and flags. Only while the render process is not running."""
        for slot in (*self.webcams, *self.pictures):
            slot.clear()
        for table in (self.requests, self.flags, self.sent, self.shown, self.landmarks):
            table.clear()

    def vacate(self, slot: int) -> None:
        """Forget what came in from whoever had the slot."""
        self.webcams[slot].clear()
        self.sent.forget(slot)
        self.landmarks.forget(slot)

    def close(self) -> None:
        """Let go of the memory, which goes when both sides have. May be called twice."""
        for slot in (*self.webcams, *self.pictures):
            slot.release()
        for table in (self.requests, self.flags, self.sent, self.shown, self.landmarks):
            table.release()
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        with suppress(BufferError):  # somebody still looks at a picture; the memory goes with it
            self._memory.close()


def _refused(size: int, error: OSError) -> VisavisError:
    return VisavisError(
        f"{-(-size >> 20)} MB of memory were expected for the pictures of a room, but the system refused "
        f"({error.strerror or error}); free some memory, or allow fewer people, and start again"
    )


def _reopen(layout: MemoryLayout, handle: Any) -> RoomMemory:
    return RoomMemory(layout, handle.detach())
