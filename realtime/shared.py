"""Pictures and cameras between the server and its render process, through shared memory: nothing is pickled or queued.

The memory has no name: it is a file without a folder (memfd_create, Linux), which the process gets as an open handle. So it
takes no room in /dev/shm, which is small or read-only in many containers, it is there or refused at the start (never missing
later, which would be a SIGBUS), and it goes with the last of the two, however they end.
`PictureSlot` is a latest-wins triple buffer with one writer and one reader. The writer never waits: it fills a buffer that
is neither the newest nor the one being read, then publishes it. The reader checks each buffer's sequence number before
and after reading, so a buffer overwritten meanwhile, or left half-written by a killed process, is never taken for a
picture. `ViewTable` holds the cameras: rows of plain doubles that one side writes and the other polls. The server checks
all that it reads: a faulty process may write anything anywhere.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.reduction import DupFd
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.errors import VisavisError
from realtime.view import ViewRequest

T = TypeVar("T")

_BUFFERS = 3
_LATEST, _READING, _COUNT = 0, 1, 2
_FIRST = 3
_HEADER = _FIRST + _BUFFERS * 3  # int64: newest buffer, buffer being read, pictures so far; per buffer: sequence, size
_STAMPS = _BUFFERS  # float64: one stamp a buffer
_HEADER_BYTES = (_HEADER + _STAMPS) * 8
_MAX_COUNT = 1 << 62


@dataclass(frozen=True)
class Snapshot:
    """A picture in a `PictureSlot`. sequence: counts from 1. stamp: seconds, the writer's. pixels: (H, W, 3) uint8 RGB."""

    sequence: int
    stamp: float
    pixels: NDArray[np.uint8]


class PictureSlot:
    """A latest-wins triple buffer of RGB pictures in one shared memory block, of at most `capacity` bytes a picture."""

    def __init__(self, memory: mmap.mmap, offset: int, capacity: int) -> None:
        self.capacity = capacity
        self._head: NDArray[np.int64] = np.frombuffer(memory, np.int64, _HEADER, offset)
        self._stamps: NDArray[np.float64] = np.frombuffer(memory, np.float64, _STAMPS, offset + _HEADER * 8)
        first = offset + _HEADER_BYTES
        self._data = [np.frombuffer(memory, np.uint8, capacity, first + i * capacity) for i in range(_BUFFERS)]

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
        sequence = int(self._head[_COUNT]) % _MAX_COUNT + 1
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
            if not 0 <= index < _BUFFERS:
                return None
            self._head[_READING] = index
            entry = _FIRST + index * 3
            sequence, height, width = (int(v) for v in self._head[entry : entry + 3])
            if sequence == after:
                return None
            if sequence == 0 or min(height, width) < 1 or height * width * 3 > self.capacity:
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
    view: ViewRequest


class ViewTable:
    """The open views as rows of six doubles: generation (0: free), priority, yaw, pitch, distance, spare.

    The server writes, the render process polls. Doubles are written whole on every platform we run on; a camera caught
    between two of its numbers is one frame of a moving view.
    """

    COLUMNS = 6

    def __init__(self, memory: mmap.mmap, offset: int, rows: int) -> None:
        self._rows: NDArray[np.float64] = np.frombuffer(memory, np.float64, rows * self.COLUMNS, offset).reshape(
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

    def clear(self) -> None:
        """Close all views."""
        self._rows[:] = 0

    def open_rows(self) -> list[ViewRow]:
        """The open views, first to serve first."""
        rows = self._rows.copy()
        found = [
            ViewRow(slot, int(row[0]), float(row[1]), ViewRequest(float(row[2]), float(row[3]), float(row[4])))
            for slot, row in enumerate(rows)
            if row[0] > 0
        ]
        return sorted(found, key=lambda r: (r.priority, r.slot))


class ControlFlags:
    """Requests of the server to the process, as flags: however often one is set, nothing fills up or blocks."""

    SIZE = 16
    """Bytes."""
    _STOP, _RECALIBRATE = 0, 1

    def __init__(self, memory: mmap.mmap, offset: int) -> None:
        self._flags: NDArray[np.int64] = np.frombuffer(memory, np.int64, 2, offset)

    def release(self) -> None:
        """Let go of the shared buffer; of no use after."""
        self._flags = np.zeros(2, np.int64)

    def clear(self) -> None:
        """No request."""
        self._flags[:] = 0

    def stop(self) -> None:
        """The process should end."""
        self._flags[self._STOP] = 1

    @property
    def stopping(self) -> bool:
        """Whether the process should end."""
        return bool(self._flags[self._STOP])

    def recalibrate(self) -> None:
        """The resting face should be measured in the next second."""
        self._flags[self._RECALIBRATE] = 1

    def take_recalibrate(self) -> bool:
        """Whether `recalibrate` was called since the last call of this method."""
        requested = bool(self._flags[self._RECALIBRATE])
        self._flags[self._RECALIBRATE] = 0
        return requested


@dataclass(frozen=True)
class Layout:
    """The sizes both sides agree on. input_bytes: largest webcam picture; width, height: of the rendered pictures;
    avatar_bytes: of the avatar file, 0 when the pipeline needs none."""

    views: int
    width: int
    height: int
    input_bytes: int
    avatar_bytes: int = 0

    @property
    def total(self) -> int:
        """Bytes of the whole block."""
        return (
            PictureSlot.size(self.input_bytes)
            + self.views * PictureSlot.size(self.width * self.height * 3)
            + ViewTable.size(self.views)
            + ControlFlags.SIZE
            + self.avatar_bytes
        )


class SharedBlock:
    """The one block of shared memory of a render process: the webcam's slot, a slot for each view, the view table, flags,
    and the avatar file. It can be an argument of a process that is being spawned."""

    def __init__(self, layout: Layout, handle: int | None = None) -> None:
        """Makes the block, or takes over an open `handle` of it. Raises `VisavisError` when the memory is not to be had."""
        self.layout = layout
        self._handle = -1
        try:
            self._handle = _reserve(layout.total) if handle is None else handle
            self._memory = mmap.mmap(self._handle, layout.total)
        except OSError as error:
            if self._handle >= 0:
                os.close(self._handle)
            raise VisavisError(
                f"{-(-layout.total >> 20)} MB of memory were expected for the pictures of {layout.views} views, but the system "
                f"refused ({error.strerror or error}); free some memory, or allow fewer viewers, and start again"
            ) from error
        offset = 0
        self.webcam = PictureSlot(self._memory, offset, layout.input_bytes)
        offset += PictureSlot.size(layout.input_bytes)
        picture = layout.width * layout.height * 3
        self.pictures: list[PictureSlot] = []
        for _ in range(layout.views):
            self.pictures.append(PictureSlot(self._memory, offset, picture))
            offset += PictureSlot.size(picture)
        self.views = ViewTable(self._memory, offset, layout.views)
        offset += ViewTable.size(layout.views)
        self.flags = ControlFlags(self._memory, offset)
        self.avatar: NDArray[np.uint8] = np.frombuffer(self._memory, np.uint8)[offset + ControlFlags.SIZE :]
        if handle is None:
            self.clear()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.layout, DupFd(self._handle))

    def fileno(self) -> int:
        """The open handle of the memory."""
        return self._handle

    def clear(self) -> None:
        """Forget all pictures, views and flags. Only while the render process is not running."""
        for slot in (self.webcam, *self.pictures):
            slot.clear()
        self.views.clear()
        self.flags.clear()

    def close(self) -> None:
        """Let go of the memory, which goes when both sides have. May be called twice."""
        for slot in (self.webcam, *self.pictures):
            slot.release()
        self.views.release()
        self.flags.release()
        self.avatar = np.zeros(0, np.uint8)
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        with suppress(BufferError):  # an array still refers to a picture; the memory is freed with it
            self._memory.close()


def _reserve(size: int) -> int:
    """A handle of `size` bytes of memory without a name. All of it is taken now, so that none can be missing later."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("visavis")
    else:
        with tempfile.TemporaryFile() as file:
            handle = os.dup(file.fileno())
    try:
        os.ftruncate(handle, size)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle, 0, size)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _reopen(layout: Layout, handle: Any) -> SharedBlock:
    return SharedBlock(layout, handle.detach())
