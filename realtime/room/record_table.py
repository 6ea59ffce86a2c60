"""Short records between the server and a room's render process, through shared memory: the newest of each row, latest wins.

One side writes a row and never waits, the other polls it. A row carries a checksum, so what is caught half-written, or left so
by a killed process, is nothing; it does not matter in which order the bytes arrive at the reader.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ROW = struct.Struct("<QdII")  # count, stamp, length, CRC-32 of all that and the record
_CHECKED = struct.Struct("<QdI")
_LENGTH_AT = 16
_MAX_COUNT = 1 << 62


@dataclass(frozen=True)
class Record:
    """What a row holds. count: records written to it so far, from 1. stamp: seconds, the writer's. data: bytes."""

    count: int
    stamp: float
    data: bytes


class RecordTable:
    """Rows of at most `capacity` bytes each in a shared memory block."""

    def __init__(self, memory: mmap.mmap, offset: int, rows: int, capacity: int) -> None:
        self._capacity, self._stride, self._rows = capacity, self.size(1, capacity), rows
        self._bytes: NDArray[np.uint8] = np.frombuffer(memory, np.uint8, rows * self._stride, offset)
        words: NDArray[np.uint64] = np.frombuffer(memory, np.uint64, rows * self._stride // 8, offset)
        self._counts = words[:: self._stride // 8]

    @staticmethod
    def size(rows: int, capacity: int) -> int:
        """Bytes that the table takes, a multiple of 8."""
        return rows * -(-(_ROW.size + capacity) // 8) * 8

    @property
    def counts(self) -> bytes:
        """Differs from what it was when a row was written meanwhile."""
        return self._counts.tobytes()

    def write(self, row: int, data: bytes, stamp: float) -> None:
        """Put a record into a row, which is this side's alone to write."""
        if len(data) > self._capacity:
            raise ValueError(f"a record of at most {self._capacity} bytes was expected, not {len(data)}")
        count = int(self._counts[row]) % _MAX_COUNT + 1
        checked = _CHECKED.pack(count, stamp, len(data))
        whole = _ROW.pack(count, stamp, len(data), zlib.crc32(data, zlib.crc32(checked))) + data
        at = row * self._stride
        self._bytes[at : at + len(whole)] = np.frombuffer(whole, np.uint8)

    def read(self, row: int, after: int = 0) -> Record | None:
        """The record in a row when its count differs from `after`; `None` else, and where there is none or half of one."""
        at = row * self._stride
        if int(self._counts[row]) in (0, after):
            return None
        row_bytes = self._bytes[at : at + self._stride].tobytes()
        count, stamp, length, checksum = _ROW.unpack_from(row_bytes)
        data = row_bytes[_ROW.size : _ROW.size + length]
        if length > self._capacity or zlib.crc32(data, zlib.crc32(_CHECKED.pack(count, stamp, length))) != checksum:
            return None
        return Record(count, stamp, data)

    def forget(self, row: int) -> None:
        """The row holds nothing any more. Its count goes on, so no record is ever taken for another."""
        at = row * self._stride + _LENGTH_AT
        self._bytes[at : at + 4] = 0xFF

    def clear(self) -> None:
        """All rows hold nothing; only while nobody uses the other end."""
        for row in range(self._rows):
            self.forget(row)

    def release(self) -> None:
        """Let go of the shared buffer; the table is of no use after."""
        self._bytes, self._counts = np.zeros(0, np.uint8), np.zeros(0, np.uint64)
