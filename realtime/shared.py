"""Pictures and cameras between the server and its render process, through shared memory: nothing is pickled or queued.

`PictureSlot` is a latest-wins triple buffer with one writer and one reader. The writer never waits: it fills a buffer that
is neither the newest nor the one being read, then publishes it. The reader checks each buffer's sequence number before
and after reading, so a buffer overwritten meanwhile, or left half-written by a killed process, is never taken for a
picture. `ViewTable` holds the cameras: rows of plain doubles that one side writes and the other polls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from realtime.view import View

T = TypeVar("T")

_BUFFERS = 3
_LATEST, _READING, _COUNT = 0, 1, 2
_FIRST = 3
_HEADER = _FIRST + _BUFFERS * 3  # int64: newest buffer, buffer being read, pictures so far; per buffer: sequence, size
_STAMPS = _BUFFERS  # float64: one stamp a buffer
_HEADER_BYTES = (_HEADER + _STAMPS) * 8


@dataclass(frozen=True)
class Snapshot:
    """What a `PictureSlot` holds. sequence: counts from 1. stamp: seconds, the writer's. pixels: (H, W, 3) uint8 RGB."""

    sequence: int
    stamp: float
    pixels: NDArray[np.uint8]


class PictureSlot:
    """A latest-wins triple buffer of RGB pictures in one shared memory block, of at most `capacity` bytes a picture."""

    def __init__(self, memory: SharedMemory, offset: int, capacity: int) -> None:
        assert memory.buf is not None
        self.capacity = capacity
        self._head: NDArray[np.int64] = np.frombuffer(memory.buf, np.int64, _HEADER, offset)
        self._stamps: NDArray[np.float64] = np.frombuffer(memory.buf, np.float64, _STAMPS, offset + _HEADER * 8)
        first = offset + _HEADER_BYTES
        self._data = [np.frombuffer(memory.buf, np.uint8, capacity, first + i * capacity) for i in range(_BUFFERS)]

    @staticmethod
    def size(capacity: int) -> int:
        """Bytes that a slot takes, a multiple of 8."""
        return _HEADER_BYTES + -(-_BUFFERS * capacity // 8) * 8

    def release(self) -> None:
        """Let go of the shared buffer, which cannot be closed while arrays look into it; the slot is of no use after."""
        self._head, self._stamps, self._data = np.zeros(0, np.int64), np.zeros(0), []

    def clear(self) -> None:
        """Forget every picture; only while nobody uses the other end. Sequence numbers go on, so none is ever seen twice."""
        self._head[_FIRST:] = 0
        self._head[_LATEST] = self._head[_READING] = -1

    def write(self, height: int, width: int, stamp: float, fill: Callable[[NDArray[np.uint8]], None]) -> int:
        """Publish a picture: `fill` gets a (height, width, 3) uint8 array to write all of. Returns its sequence number."""
        latest, reading = int(self._head[_LATEST]), int(self._head[_READING])
        index = next(i for i in range(_BUFFERS) if i not in (latest, reading))
        sequence = int(self._head[_COUNT]) + 1
        entry = _FIRST + index * 3
        self._head[entry] = 0
        fill(self._data[index][: height * width * 3].reshape(height, width, 3))
        self._stamps[index] = stamp
        self._head[entry + 1 : entry + 3] = height, width
        self._head[entry] = self._head[_COUNT] = sequence
        self._head[_LATEST] = index
        return sequence

    def read(self, after: int, use: Callable[[Snapshot], T]) -> T | None:
        """`use` of the newest picture when its sequence number differs from `after`, else `None`.

        The pixels are the shared buffer itself: `use` must copy or convert what it keeps. It may be called twice.
        """
        for _ in range(_BUFFERS):
            index = int(self._head[_LATEST])
            if index < 0:
                return None
            self._head[_READING] = index
            entry = _FIRST + index * 3
            sequence, height, width = (int(v) for v in self._head[entry : entry + 3])
            if sequence == after:
                return None
            if sequence == 0 or height * width * 3 > self.capacity:
                continue
            pixels = self._data[index][: height * width * 3].reshape(height, width, 3)
            result = use(Snapshot(sequence, float(self._stamps[index]), pixels))
            if int(self._head[entry]) == sequence:
                return result
        return None

    def copy(self, after: int = 0) -> Snapshot | None:
        """A copy of the newest picture when its sequence number differs from `after`, else `None`."""
        return self.read(after, lambda s: Snapshot(s.sequence, s.stamp, s.pixels.copy()))


@dataclass(frozen=True)
class ViewRow:
    """An open view. slot: its `PictureSlot`. generation: tells apart the pages that use a slot one after the other.
    priority: the lowest is served first."""

    slot: int
    generation: int
    priority: float
    view: View


class ViewTable:
    """The open views as rows of six doubles: generation (0: free), priority, yaw, pitch, distance, spare.

    The server writes, the render process polls. Doubles are written whole on every platform we run on; a camera caught
    between two of its numbers is one frame of a moving view.
    """

    COLUMNS = 6

    def __init__(self, memory: SharedMemory, offset: int, rows: int) -> None:
        assert memory.buf is not None
        self._rows: NDArray[np.float64] = np.frombuffer(memory.buf, np.float64, rows * self.COLUMNS, offset).reshape(
            rows, self.COLUMNS
        )

    @classmethod
    def size(cls, rows: int) -> int:
        """Bytes that the table takes."""
        return rows * cls.COLUMNS * 8

    def set(self, row: ViewRow) -> None:
        """Open or move a view."""
        self._rows[row.slot, 1:5] = row.priority, row.view.yaw, row.view.pitch, row.view.distance
        self._rows[row.slot, 0] = row.generation

    def release(self) -> None:
        """Let go of the shared buffer; the table is of no use after."""
        self._rows = np.zeros((0, self.COLUMNS))

    def free(self, slot: int) -> None:
        """Close a view."""
        self._rows[slot, 0] = 0

    def open_rows(self) -> list[ViewRow]:
        """The open views, first to serve first."""
        rows = self._rows.copy()
        found = [
            ViewRow(slot, int(row[0]), float(row[1]), View(float(row[2]), float(row[3]), float(row[4])))
            for slot, row in enumerate(rows)
            if row[0] > 0
        ]
        return sorted(found, key=lambda r: (r.priority, r.slot))


@dataclass(frozen=True)
class Layout:
    """The sizes both sides agree on. input_bytes: largest webcam picture; width, height: of the rendered pictures."""

    views: int
    width: int
    height: int
    input_bytes: int

    @property
    def total(self) -> int:
        """Bytes of the whole block."""
        return (
            PictureSlot.size(self.input_bytes)
            + self.views * PictureSlot.size(self.width * self.height * 3)
            + ViewTable.size(self.views)
        )


class SharedBlock:
    """The one block of shared memory of a render process: the webcam's slot, a slot for each view, and the view table."""

    def __init__(self, layout: Layout, name: str | None = None) -> None:
        """Creates the block, or opens the one called `name`."""
        self.layout = layout
        self._owner = name is None
        self._memory = SharedMemory(name=name, create=name is None, size=layout.total if name is None else 0)
        offset = 0
        self.webcam = PictureSlot(self._memory, offset, layout.input_bytes)
        offset += PictureSlot.size(layout.input_bytes)
        picture = layout.width * layout.height * 3
        self.pictures: list[PictureSlot] = []
        for _ in range(layout.views):
            self.pictures.append(PictureSlot(self._memory, offset, picture))
            offset += PictureSlot.size(picture)
        self.views = ViewTable(self._memory, offset, layout.views)
        if self._owner:
            self.clear()

    @property
    def name(self) -> str:
        """What the other process opens it by."""
        return self._memory.name

    def clear(self) -> None:
        """Forget all pictures; the open views stay. Only while the render process is not running."""
        for slot in (self.webcam, *self.pictures):
            slot.clear()

    def close(self) -> None:
        """Let go of the memory; the creator also removes it."""
        for slot in (self.webcam, *self.pictures):
            slot.release()
        self.views.release()
        try:
            self._memory.close()
        finally:
            if self._owner:
                self._memory.unlink()
