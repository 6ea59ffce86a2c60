"""Pictures through shared memory: the newest one whole, or none, whatever the other end does."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator

import numpy as np
import pytest

from realtime.shared import PictureSlot, Snapshot, reserve

CAPACITY = 4 * 8 * 3
SIZE = PictureSlot.size(CAPACITY)


class Block:
    """Two slots, one after the other, in memory of their own or in memory that `handle` names."""

    def __init__(self, handle: int | None = None) -> None:
        self.handle = reserve(2 * SIZE) if handle is None else handle
        self.memory = mmap.mmap(self.handle, 2 * SIZE)
        self.slots = [PictureSlot(self.memory, index * SIZE, CAPACITY) for index in range(2)]

    def close(self) -> None:
        for slot in self.slots:
            slot.release()
        self.memory.close()
        os.close(self.handle)


@pytest.fixture
def ends() -> Iterator[tuple[Block, Block]]:
    """The memory as its maker and as the other process see it."""
    ours = Block()
    theirs = Block(os.dup(ours.handle))
    for slot in ours.slots:
        slot.clear()
    yield ours, theirs
    theirs.close()
    ours.close()


def write(slot: PictureSlot, value: int, height: int = 4, width: int = 8, stamp: float = 0.0) -> int:
    return slot.write(height, width, stamp, lambda out: out.fill(value))


def test_an_empty_slot_has_nothing_to_read(ends: tuple[Block, Block]) -> None:
    assert ends[0].slots[0].copy() is None


def test_a_picture_arrives_with_its_size_and_stamp(ends: tuple[Block, Block]) -> None:
    ours, theirs = ends
    write(ours.slots[0], 7, height=3, width=5, stamp=1.25)
    got = theirs.slots[0].copy()
    assert got is not None and got.pixels.shape == (3, 5, 3) and got.stamp == 1.25
    assert (got.pixels == 7).all()


def test_a_planar_picture_arrives_as_planes(ends: tuple[Block, Block]) -> None:
    ours, theirs = ends
    planes = np.arange(6 * 8, dtype=np.uint8).reshape(6, 8)
    theirs.slots[0].write(4, 8, 2.5, lambda out: np.copyto(out, planes), planar=True)
    got = ours.slots[0].copy()
    assert got is not None and got.stamp == 2.5 and np.array_equal(got.pixels, planes)
    write(theirs.slots[0], 9)
    got = ours.slots[0].copy()
    assert got is not None and got.pixels.shape == (4, 8, 3), "a buffer takes either"


def test_planes_of_odd_sizes_are_no_picture(ends: tuple[Block, Block]) -> None:
    ours, theirs = ends
    write(theirs.slots[0], 3, height=3, width=8)
    theirs.slots[0]._head[6::4] = 1  # says that it is planar
    assert ours.slots[0].copy() is None


def test_only_the_newest_picture_is_read(ends: tuple[Block, Block]) -> None:
    ours, theirs = ends
    for value in range(1, 11):
        write(theirs.slots[1], value)
    got = ours.slots[1].copy()
    assert got is not None and got.sequence == 10 and got.pixels.max() == 10
    assert ours.slots[1].copy(after=10) is None


def test_slots_do_not_touch_each_other(ends: tuple[Block, Block]) -> None:
    ours, theirs = ends
    for index, slot in enumerate(theirs.slots):
        write(slot, 100 + index)
    assert [slot.copy().pixels.max() for slot in ours.slots] == [100, 101]  # type: ignore[union-attr]


def test_writing_while_a_picture_is_read_does_not_change_it(ends: tuple[Block, Block]) -> None:
    ours, theirs = ends
    write(theirs.slots[0], 1)

    def use(picture: Snapshot) -> int:
        for value in range(2, 8):
            write(theirs.slots[0], value)
        return int(picture.pixels.max())

    assert ours.slots[0].read(0, use) == 1


def test_a_half_written_picture_is_never_read(ends: tuple[Block, Block]) -> None:
    ours, theirs = ends
    write(theirs.slots[0], 1)

    def die(out: np.ndarray) -> None:
        out[0] = 2
        raise KeyboardInterrupt

    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            theirs.slots[0].write(4, 8, 0.0, die)
        kept = ours.slots[0].copy()
        assert kept is not None and kept.pixels.max() == 1
    write(theirs.slots[0], 3)
    assert ours.slots[0].copy().pixels.min() == 3  # type: ignore[union-attr]


def test_clearing_forgets_all_but_no_sequence_number_comes_twice(ends: tuple[Block, Block]) -> None:
    ours, theirs = ends
    write(theirs.slots[1], 9)
    ours.slots[1].clear()
    assert ours.slots[1].copy() is None
    assert write(theirs.slots[1], 9) == 2


@pytest.mark.parametrize("seed", range(10))
def test_nonsense_in_the_memory_harms_neither_reader_nor_writer(seed: int) -> None:
    """What a process that has gone wild may leave: random bytes everywhere, and then numbers at the edge of their types."""
    rng = np.random.default_rng(seed)
    block = Block()
    everything = np.frombuffer(block.memory, np.uint8)
    everything[:] = rng.integers(0, 256, len(everything), np.uint8)
    if seed % 2:
        everything.view(np.int64)[:] = rng.choice([-(1 << 63), (1 << 63) - 1, -1, 0, 1, 2, 3], len(everything) // 8)
    for slot in block.slots:
        slot.copy()
        write(slot, 5, 2, 3)
        seen = slot.copy()
        assert seen is not None and (seen.pixels == 5).all() and seen.pixels.shape == (2, 3, 3)
    del everything
    block.close()


def test_systems_without_memfd_use_a_file_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.delattr(os, "posix_fallocate")
    block = Block()
    other = Block(os.dup(block.handle))
    block.slots[0].clear()
    write(other.slots[0], 9)
    assert block.slots[0].copy().pixels.max() == 9  # type: ignore[union-attr]
    other.close()
    block.close()


def test_memory_that_is_refused_leaves_no_handle(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int, size: int) -> None:
        raise MemoryError

    handles = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, "ftruncate", refuse)
    with pytest.raises(MemoryError):
        reserve(SIZE)
    assert len(os.listdir("/proc/self/fd")) == handles


def test_a_released_slot_lets_go_of_the_memory(ends: tuple[Block, Block]) -> None:
    ours, _ = ends
    with pytest.raises(BufferError):
        ours.memory.close()
    for slot in ours.slots:
        slot.release()
    ours.memory.close()
