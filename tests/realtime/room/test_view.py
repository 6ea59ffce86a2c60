"""A picture out of shared memory: as encoders take it, for whoever shows it."""

from __future__ import annotations

import mmap

import av
import numpy as np
import pytest

from realtime.room.layout import ViewRequest
from realtime.room.view import Converter, OpenView, ViewPicture
from realtime.shared import PictureSlot
from realtime.shared_encoding import EncoderGroups


@pytest.fixture
def slot() -> PictureSlot:
    slot = PictureSlot(mmap.mmap(-1, PictureSlot.size(64 * 64 * 3)), 0, 64 * 64 * 3)
    slot.clear()
    return slot


def test_a_picture_keeps_its_colours_and_outlives_the_slot(slot: PictureSlot) -> None:
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:, :24], pixels[:, 24:] = (200, 40, 90), (20, 180, 60)
    sequence = slot.write(32, 48, 1.5, lambda out: np.copyto(out, pixels))
    picture = Converter()(slot, sequence)
    for _ in range(3):
        slot.write(32, 48, 2.5, lambda out: out.fill(0))
    assert picture is not None and picture.arrival == 1.5
    first, second = picture.frame(), picture.frame()
    first.pts, second.pts = 1, 2
    assert first.format.name == "yuv420p" and (first.pts, second.pts) == (1, 2)
    shown = second.to_ndarray(format="rgb24").astype(int)
    assert np.abs(shown[:, 2:22] - (200, 40, 90)).max() <= 6 and np.abs(shown[:, 28:] - (20, 180, 60)).max() <= 6


def test_what_a_gpu_has_made_planar_goes_to_encoders_as_it_is(slot: PictureSlot) -> None:
    planes = np.random.default_rng(0).integers(16, 235, (48, 32), np.uint8)
    sequence = slot.write(32, 32, 2.0, lambda out: np.copyto(out, planes), planar=True)
    picture = Converter()(slot, sequence)
    for _ in range(3):
        slot.write(32, 32, 3.0, lambda out: out.fill(0))
    assert picture is not None and picture.arrival == 2.0 and np.array_equal(picture.planes, planes)
    assert picture.frame().format.name == "yuv420p" and (picture.frame().width, picture.frame().height) == (32, 32)
    assert Converter()(slot, slot.write(8, 32, 0.0, lambda out: out.fill(9), planar=True)) is None


@pytest.mark.parametrize(("height", "width"), [(31, 32), (32, 33), (8, 32), (32, 8)])
def test_a_size_that_no_encoder_takes_is_no_picture(slot: PictureSlot, height: int, width: int) -> None:
    sequence = slot.write(height, width, 0.0, lambda out: out.fill(9))
    assert Converter()(slot, sequence) is None


def test_a_picture_that_another_has_taken_the_place_of_is_none(slot: PictureSlot) -> None:
    old = slot.write(32, 32, 0.0, lambda out: out.fill(9))
    new = slot.write(32, 32, 0.0, lambda out: out.fill(9))
    convert = Converter()
    assert convert(slot, old) is None and convert(slot, new) is not None


def test_a_view_keeps_only_the_newest_picture_for_the_loop_and_none_once_closed() -> None:
    got: list[av.VideoFrame] = []
    view = OpenView(lambda view, *, is_open: None, 0, 1, ViewRequest(), got.append, EncoderGroups())
    pictures = [ViewPicture(np.full((48, 32), value, np.uint8), 0.0) for value in (50, 90)]
    assert [view.offer(picture) for picture in pictures] == [True, False]
    view.deliver()
    view.deliver()
    assert [frame.to_ndarray()[0, 0] for frame in got] == [90]
    view.offer(pictures[0])
    view.close()
    view.deliver()
    assert len(got) == 1
