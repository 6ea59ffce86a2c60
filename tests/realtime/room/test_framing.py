"""Which picture a page gets for the room on its screen."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from realtime.room import framing
from realtime.room.framing import BACKGROUNDS, NAMES, RUNGS, SHAPES, Framing, fitted, size_of

DESKTOP, PHONE, CARD = (1280, 640), (360, 560), (300, 300)


@pytest.mark.parametrize(
    ("room", "people", "around", "shape", "most"),
    [
        (DESKTOP, 1, False, (1, 1), 512),
        (DESKTOP, 2, False, (16, 9), 672),
        (DESKTOP, 3, False, (16, 9), 672),
        (DESKTOP, 3, True, (4, 3), 576),
        (PHONE, 1, False, (3, 4), 384),
        (PHONE, 2, False, (9, 16), 384),
        (CARD, 1, False, (1, 1), 384),
        (CARD, 4, False, (1, 1), 384),
        ((120, 90), 3, False, (4, 3), 208),
    ],
)
def test_people_are_as_large_as_the_screen_allows_and_no_pixel_is_for_nobody(
    room: tuple[int, int], people: int, around: bool, shape: tuple[int, int], most: int
) -> None:
    got = fitted(Framing(*room, 1), people, around=around, width=512, height=512)
    assert got.width / got.height == pytest.approx(shape[0] / shape[1], rel=0.08)
    assert got.width <= most and got.background == 1
    assert got.width * got.height <= 512 * 512


def test_a_page_that_says_nothing_gets_the_configured_size() -> None:
    assert fitted(Framing(), 3, around=False, width=640, height=360) == Framing(640, 360)


@pytest.mark.parametrize("configured", [(512, 512), (640, 360), (64, 64), (1024, 1024)])
def test_sizes_are_few_whole_blocks_within_the_configured_pixels_and_tell_whether_there_is_a_mask(
    configured: tuple[int, int],
) -> None:
    width, height = configured
    plain: set[tuple[int, int]] = set()
    masked: set[tuple[int, int]] = set()
    for (wide, high), people, mask in itertools.product(
        itertools.product((1, 200, 333, 700, 4000), repeat=2), (1, 2, 5, 8), (False, True)
    ):
        got = fitted(Framing(wide, high, mask=mask), people, around=False, width=width, height=height)
        assert got.width % 16 == got.height % 16 == got.total_height % 2 == 0
        assert got.width * got.total_height <= width * height
        (masked if mask else plain).add((got.width, got.total_height))
    assert not plain & masked, "a page knows by the size whether a picture has a mask"
    assert len(plain) <= len(SHAPES) * len(RUNGS)


def test_nothing_is_too_small_or_too_large_for_a_picture() -> None:
    assert Framing(-4, 10, 99).within_limits() == Framing(0, 0, len(NAMES) - 1)
    assert Framing(10**9, 10**9, -1, mask=True).within_limits() == Framing(framing.MAX_ROOM, framing.MAX_ROOM, 0, mask=True)
    assert size_of((16, 9), 0.375, 64 * 64) == (32, 16)


def test_the_mask_lies_below_the_picture_row_by_row() -> None:
    drawn = np.zeros((4, 2, 4), np.uint8)
    drawn[..., :3], drawn[:, 0, 3] = (10, 20, 30), (0, 100, 255, 255)
    out = np.full((6, 2, 3), 7, np.uint8)
    framing.add_mask(drawn, out)
    assert (out[:4] == (10, 20, 30)).all()
    assert out[4:, :, 0].tolist() == [[50, 0], [255, 0]] and (np.ptp(out[4:], axis=2) == 0).all()


def test_the_names_of_the_protocol_are_those_of_the_colours() -> None:
    import typing

    from server.call.protocol import Background

    assert typing.get_args(Background) == tuple(BACKGROUNDS)
