from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from realtime.shared import Layout, SharedBlock, Snapshot, ViewRow
from realtime.view import View

LAYOUT = Layout(views=3, width=8, height=4, input_bytes=6 * 6 * 3)


@pytest.fixture
def ends() -> Iterator[tuple[SharedBlock, SharedBlock]]:
    """The block as its creator and as the other process see it."""
    ours = SharedBlock(LAYOUT)
    theirs = SharedBlock(LAYOUT, ours.name)
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
    theirs.views.set(ViewRow(0, 1, 0.0, View()))
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
    late, first = ViewRow(0, 1, 5.0, View(0.1, 0.2, 1.0)), ViewRow(2, 2, 1.0, View(-1.0))
    ours.views.set(late)
    ours.views.set(first)
    assert theirs.views.open_rows() == [first, late]
    ours.views.free(2)
    assert theirs.views.open_rows() == [late]


def test_clearing_forgets_pictures_but_not_views(ends) -> None:
    ours, theirs = ends
    row = ViewRow(1, 4, 0.0, View())
    ours.views.set(row)
    write(theirs.pictures[1], 9)
    ours.clear()
    assert ours.pictures[1].copy() is None
    assert theirs.views.open_rows() == [row]
    assert write(theirs.pictures[1], 9) == 2


@pytest.mark.parametrize(
    ("asked", "drawn"),
    [
        ((7.0, 0.0, 0.9), View(7.0 - 2 * np.pi, 0.0, 0.9)),
        ((0.0, 3.0, 0.9), View(0.0, np.radians(80), 0.9)),
        ((0.0, -3.0, -1e300), View(0.0, -np.radians(80), 0.35)),
        ((1e300, 0.0, 1e300), View(np.remainder(0.0, 1.0), 0.0, 3.0)),
    ],
)
def test_views_are_kept_within_limits(asked: tuple[float, float, float], drawn: View) -> None:
    view = View.within_limits(*asked)
    assert abs(view.yaw) <= np.pi
    if asked[0] < 100:
        assert view.yaw == pytest.approx(drawn.yaw)
    assert (view.pitch, view.distance) == pytest.approx((drawn.pitch, drawn.distance))
