"""Pictures and cameras between the server and its render process, through shared memory: nothing is pickled or queued.

The memory has no name: it is a file without a folder (memfd_create, Linux), which the process gets as an open handle. So it
takes no room in /dev/shm, which is small or read-only in many containers, and it goes with the last of the two, however they
end. Only its addresses are there at first: what is used of it is taken before (`take`), so that it is there or refused and never
missing later, which would be a SIGBUS; and given back when nobody uses it (`give_back`).
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
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

_BUFFERS = 3
_LATEST, _READING, _COUNT = 0, 1, 2
_FIRST = 3
_ENTRY = 4  # a buffer's sequence, height, width, and whether it is planar
_HEADER = _FIRST + _BUFFERS * _ENTRY  # int64: newest buffer, buffer being read, pictures so far; the buffers' entries
_STAMPS = _BUFFERS  # float64: one stamp a buffer
_HEADER_BYTES = mmap.PAGESIZE
"""A page of its own, so that the pictures can be given back and the counts stay."""
_MAX_COUNT = 1 << 62


@dataclass(frozen=True)
class Snapshot:
    """A picture in a `PictureSlot`. sequence: counts from 1. stamp: seconds, the writer's. pixels: (H, W, 3) uint8 RGB, or
    (3 H / 2, W) uint8 I420: planes of Y, U and V one below the other."""

    sequence: int
    stamp: float
    pixels: NDArray[np.uint8]


class PictureSlot:
    """A latest-wins triple buffer of pictures in one shared memory block, of at most `capacity` bytes a picture."""

    def __init__(self, memory: mmap.mmap, offset: int, capacity: int) -> None:
        self.capacity = capacity
        self._head: NDArray[np.int64] = np.frombuffer(memory, np.int64, _HEADER, offset)
        self._stamps: NDArray[np.float64] = np.frombuffer(memory, np.float64, _STAMPS, offset + _HEADER * 8)
        first = offset + _HEADER_BYTES
        self._data = [np.frombuffer(memory, np.uint8, capacity, first + i * capacity) for i in range(_BUFFERS)]

    @staticmethod
    def size(capacity: int) -> int:
        """Bytes of a slot, whole pages."""
        return _HEADER_BYTES + whole_pages(_BUFFERS * capacity)

    @staticmethod
    def pictures(offset: int, capacity: int) -> tuple[int, int]:
        """Where the pictures of a slot lie: offset and bytes, whole pages. What comes before must always be there."""
        return offset + _HEADER_BYTES, whole_pages(_BUFFERS * capacity)

    def release(self) -> None:
        """Let go of the shared buffer, which cannot be closed while arrays look into it; the slot is of no use after."""
        self._head, self._stamps, self._data = np.zeros(0, np.int64), np.zeros(0), []

    def clear(self) -> None:
        """Forget every picture; only while nobody uses the other end. Sequence numbers go on, so none is ever seen twice."""
        self._head[_FIRST:] = 0
        self._head[_LATEST] = self._head[_READING] = -1

    def write(
        self, height: int, width: int, stamp: float, fill: Callable[[NDArray[np.uint8]], None], *, planar: bool = False
    ) -> int:
        """Publish a picture: `fill` gets a (height, width, 3) uint8 array to write all of; where `planar`, one of (3 height / 2,
        width) for I420, of even sizes. Returns its sequence number."""
        latest, reading = int(self._head[_LATEST]), int(self._head[_READING])
        index = next(i for i in range(_BUFFERS) if i not in (latest, reading))
        sequence = int(self._head[_COUNT]) % _MAX_COUNT + 1
        entry = _FIRST + index * _ENTRY
        self._head[entry] = 0
        fill(self._pixels(index, height, width, planar))
        self._stamps[index] = stamp
        self._head[entry + 1 : entry + _ENTRY] = height, width, planar
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
            entry = _FIRST + index * _ENTRY
            sequence, height, width, planar = (int(v) for v in self._head[entry : entry + _ENTRY])
            if sequence == after:
                return None
            if sequence == 0 or min(height, width) < 1 or height * width * 3 > self.capacity:
                continue
            if planar and (height % 2 or width % 2):
                continue
            pixels = self._pixels(index, height, width, bool(planar))
            result = use(Snapshot(sequence, float(self._stamps[index]), pixels))
            if int(self._head[entry]) == sequence:
                return result
        return None

    def _pixels(self, index: int, height: int, width: int, planar: bool) -> NDArray[np.uint8]:
        if planar:
            return self._data[index][: height * width * 3 // 2].reshape(3 * height // 2, width)
        return self._data[index][: height * width * 3].reshape(height, width, 3)

    def copy(self, after: int = 0) -> Snapshot | None:
        """A copy of the newest picture when its sequence number differs from `after`, else `None`."""
        return self.read(after, lambda s: Snapshot(s.sequence, s.stamp, s.pixels.copy()))


def reserve(size: int) -> int:
    """A handle of the addresses of `size` bytes of memory without a name. Raises `OSError`."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("visavis")
    else:
        with tempfile.TemporaryFile() as file:
            handle = os.dup(file.fileno())
    try:
        os.ftruncate(handle, size)
    except BaseException:
        os.close(handle)
        raise
    return handle


def take(handle: int, offset: int, size: int) -> None:
    """Have the system provide that part of the memory now; what is in it stays. Takes 0.3 ms a MB. Raises `OSError` when there is
    not enough."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, offset, size)


def give_back(memory: mmap.mmap, offset: int, size: int) -> None:
    """Let the system have that part, whole pages, for others. Who reads there finds zeros; who writes there takes it again."""
    if hasattr(mmap, "MADV_REMOVE"):
        memory.madvise(mmap.MADV_REMOVE, offset, size)


def whole_pages(size: int) -> int:
    """Bytes, rounded up."""
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
