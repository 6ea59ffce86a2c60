from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import numpy as np
import pytest

from models.errors import VisavisError
from realtime.shared import Layout, SharedBlock, Snapshot, ViewRow
from realtime.view import ViewRequest

LAYOUT = Layout(views=3, width=8, height=4, input_bytes=6 * 6 * 3)


@pytest.fixture
def ends() -> Iterator[tuple[SharedBlock, SharedBlock]]:
    """The block as its creator and as the other process see it."""
    ours = SharedBlock(LAYOUT)
    theirs = SharedBlock(LAYOUT, os.dup(ours.fileno()))
    yield ours, theirs
    theirs.close()
    ours.close()


def write(slot, value: int, height: int = 4, width: int = 8, stamp: float = 0.0) -> int:
    return slot.write(height, width, stamp, lambda out: out.fill(value))


def test_an_empty_slot_has_nothing_to_read(ends) -> None:
    ours, _ = ends
    assert ours.pictures[0].copy() is None


def test_a_picture_arrives_with_its_size_and_stamp(ends) -> None:
    ours, theirs = ends
    write(ours.webcam, 7, height=3, width=5, stamp=1.25)
    got = theirs.webcam.copy()
    assert got.pixels.shape == (3, 5, 3) and got.stamp == 1.25
    assert (got.pixels == 7).all()


def test_only_the_newest_picture_is_read(ends) -> None:
    ours, theirs = ends
    for value in range(1, 11):
        write(theirs.pictures[1], value)
    got = ours.pictures[1].copy()
    assert got.sequence == 10 and got.pixels.max() == 10
    assert ours.pictures[1].copy(after=10) is None


def test_slots_do_not_touch_each_other(ends) -> None:
    ours, theirs = ends
    for index, slot in enumerate(theirs.pictures):
        write(slot, 100 + index)
    write(ours.webcam, 50, 6, 6)
    theirs.views.set(ViewRow(0, 1, 0.0, ViewRequest()))
    assert [slot.copy().pixels.max() for slot in ours.pictures] == [100, 101, 102]
    assert theirs.webcam.copy().pixels.min() == 50


def test_writing_while_a_picture_is_read_does_not_change_it(ends) -> None:
    ours, theirs = ends
    write(theirs.pictures[0], 1)

    def use(picture: Snapshot) -> int:
        for value in range(2, 8):
            write(theirs.pictures[0], value)
        return int(picture.pixels.max())

    assert ours.pictures[0].read(0, use) == 1


def test_a_half_written_picture_is_never_read(ends) -> None:
    ours, theirs = ends
    write(theirs.pictures[0], 1)

    def die(out: np.ndarray) -> None:
        out[0] = 2
        raise KeyboardInterrupt

    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            theirs.pictures[0].write(4, 8, 0.0, die)
        assert ours.pictures[0].copy().pixels.max() == 1
    write(theirs.pictures[0], 3)
    assert ours.pictures[0].copy().pixels.min() == 3


def test_views_come_back_by_priority_until_they_are_freed(ends) -> None:
    ours, theirs = ends
    late, first = ViewRow(0, 1, 5.0, ViewRequest(0.1, 0.2, 1.0)), ViewRow(2, 2, 1.0, ViewRequest(-1.0))
    ours.views.set(late)
    ours.views.set(first)
    assert theirs.views.open_rows() == [first, late]
    ours.views.free(2)
    assert theirs.views.open_rows() == [late]


def test_clearing_forgets_all_but_no_sequence_number_comes_twice(ends) -> None:
    ours, theirs = ends
    ours.views.set(ViewRow(1, 4, 0.0, ViewRequest()))
    ours.flags.recalibrate()
    write(theirs.pictures[1], 9)
    ours.clear()
    assert ours.pictures[1].copy() is None
    assert theirs.views.open_rows() == [] and not theirs.flags.take_recalibrate()
    assert write(theirs.pictures[1], 9) == 2


def test_a_wish_is_taken_once_however_often_it_was_made(ends) -> None:
    ours, theirs = ends
    for _ in range(1000):
        ours.flags.recalibrate()
    assert [theirs.flags.take_recalibrate() for _ in range(3)] == [True, False, False]
    ours.flags.stop()
    assert theirs.flags.stopping


@pytest.mark.parametrize("seed", range(20))
def test_nonsense_in_the_memory_harms_neither_reader_nor_writer(seed: int) -> None:
    """What a process that has gone wild may leave: random bytes everywhere, and then numbers at the edge of their types."""
    rng = np.random.default_rng(seed)
    block = SharedBlock(LAYOUT)
    everything = np.frombuffer(block._memory, np.uint8)
    everything[:] = rng.integers(0, 256, len(everything), np.uint8)
    if seed % 2:
        everything.view(np.int64)[:] = rng.choice([-(1 << 63), (1 << 63) - 1, -1, 0, 1, 2, 3], len(everything) // 8)
    for slot in (block.webcam, *block.pictures):
        slot.copy()
        write(slot, 5, 2, 3)
        assert (slot.copy().pixels == 5).all() and slot.copy().pixels.shape == (2, 3, 3)
    del everything
    block.clear()
    assert block.views.open_rows() == [] and not block.flags.stopping
    block.close()


def test_memory_that_is_not_to_be_had_is_one_sentence() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    handles = len(os.listdir("/proc/self/fd"))
    try:
        with pytest.raises(VisavisError, match=r"1 MB of memory were expected.*start again") as error:
            SharedBlock(Layout(views=1, width=128, height=64, input_bytes=1 << 16))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(error.value) and len(os.listdir("/proc/self/fd")) == handles


def test_systems_without_memfd_use_a_file_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.delattr(os, "posix_fallocate")
    block = SharedBlock(LAYOUT)
    other = SharedBlock(LAYOUT, os.dup(block.fileno()))
    write(other.webcam, 9)
    assert block.webcam.copy().pixels.max() == 9
    other.close()
    block.close()


def test_closing_does_not_wait_for_who_still_looks() -> None:
    block = SharedBlock(LAYOUT)
    write(block.webcam, 8)
    seen = block.webcam.read(0, lambda picture: picture.pixels)
    block.close()
    block.close()
    assert (seen == 8).all()
