"""Records in shared memory: the newest is read, half of one never is."""

from __future__ import annotations

import itertools
import mmap
import threading

import numpy as np
import pytest

from realtime.room.record_table import Record, RecordTable

CAPACITY = 86


@pytest.fixture
def memory() -> mmap.mmap:
    return mmap.mmap(-1, RecordTable.size(3, CAPACITY))


def test_the_newest_is_read_once(memory: mmap.mmap) -> None:
    ours, theirs = RecordTable(memory, 0, 3, CAPACITY), RecordTable(memory, 0, 3, CAPACITY)
    assert theirs.read(2) is None
    before = theirs.counts
    ours.write(2, b"one", 1.0)
    assert theirs.counts != before
    ours.write(2, b"another", 2.0)
    assert theirs.read(2, after=1) == Record(2, 2.0, b"another")
    assert theirs.read(2, after=2) is None
    assert theirs.read(1) is None


def test_what_is_forgotten_is_not_read_however_often(memory: mmap.mmap) -> None:
    table = RecordTable(memory, 0, 3, CAPACITY)
    table.write(0, b"x" * CAPACITY, 1.0)
    for _ in range(2):
        table.forget(0)
        assert table.read(0) is None
    table.write(0, b"y", 2.0)
    assert table.read(0, after=1) == Record(2, 2.0, b"y")


def test_a_record_that_is_too_long_is_not_written(memory: mmap.mmap) -> None:
    with pytest.raises(ValueError, match="86 bytes"):
        RecordTable(memory, 0, 3, CAPACITY).write(0, bytes(CAPACITY + 1), 0.0)


def test_no_byte_can_be_missing(memory: mmap.mmap) -> None:
    table = RecordTable(memory, 0, 3, CAPACITY)
    table.write(0, bytes(range(CAPACITY)), 1.0)
    length = RecordTable.size(0 + 1, CAPACITY) - (-(24 + CAPACITY) % 8)
    for at in range(length):
        memory[at] ^= 0x10
        assert table.read(0) is None, at
        memory[at] ^= 0x10
    assert table.read(0) is not None


def test_a_reader_never_sees_half_of_a_record(memory: mmap.mmap) -> None:
    ours, theirs = RecordTable(memory, 0, 3, CAPACITY), RecordTable(memory, 0, 3, CAPACITY)
    done, enough = threading.Event(), threading.Event()

    def write() -> None:
        for count in itertools.takewhile(lambda count: count < 20_000 or not enough.is_set(), itertools.count()):
            ours.write(1, bytes([count % 256]) * CAPACITY, float(count))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    read, last = 0, 0
    while not done.is_set():
        record = theirs.read(1, last)
        if record is not None:
            assert record.count > last and len(set(record.data)) == 1 and int(record.stamp) % 256 == record.data[0]
            read, last = read + 1, record.count
            if read > 10:
                enough.set()
    writer.join()


def test_any_bytes_are_nothing(memory: mmap.mmap) -> None:
    rng = np.random.default_rng(0)
    table = RecordTable(memory, 0, 3, CAPACITY)
    for _ in range(300):
        memory[:] = rng.bytes(len(memory))
        assert all(table.read(row) is None for row in range(3))
