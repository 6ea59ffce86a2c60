"""The size and shape of a page's picture, and what is behind the people in it.

A page says how much room its screen has (`Framing`), and gets one of few shapes in one of few sizes: that in which the people are
largest on the screen, and no more pixels than it can show. Few, so that pages share pictures and encoders. No picture has more
pixels than the configured one.

A page that puts something of its own behind the people asks for a mask: the picture is that over `background`, and below it lies
a band of half its height, grey, with how much of each pixel is a person (black: none, white: all; every second row).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.types import Array64
from realtime.room import seating

Color = tuple[int, int, int]
BACKGROUNDS: dict[str, Color] = {
    "white": (255, 255, 255),
    "dark": (17, 20, 19),
    "grey": (128, 128, 128),
    "sand": (232, 220, 202),
    "sage": (196, 210, 200),
    "sky": (192, 210, 228),
}
"""sRGB, by name."""
WHITE: Color = BACKGROUNDS["white"]
NAMES = tuple(BACKGROUNDS)
SHAPES = ((1, 1), (4, 3), (3, 4), (16, 9), (9, 16))
"""Width to height, the squarest first."""
MAX_ROOM = 16_384
"""Pixels of a screen, to a side."""
RUNGS = (0.375, 0.5, 0.75, 1.0)
"""Parts of the full width and height."""
ENOUGH = 0.9
"""Part of the pixels of the screen, to a side, that a picture has at least where its full size allows it."""
TABLE_PITCH = 0.4
"""Radians: what a table is first looked at from."""
BLOCK = 16
"""Pixels; codecs cut pictures into such squares."""
LARGER = 1.02
"""How much larger people must be for a shape that is less square."""


@dataclass(frozen=True)
class Framing:
    """width, height: pixels, of the page's room for the picture, or of a picture (without its mask); 0: the configured size.
    background: place in `NAMES`. mask: whether the picture has a mask."""

    width: int = 0
    height: int = 0
    background: int = 0
    mask: bool = False

    @property
    def color(self) -> Color:
        """What is behind the people, sRGB."""
        return BACKGROUNDS[NAMES[self.background]]

    def within_limits(self) -> Framing:
        """The nearest that can be drawn."""
        width, height = (min(max(side, 0), MAX_ROOM) for side in (self.width, self.height))
        room = (width, height) if width and height else (0, 0)
        return Framing(*room, min(max(self.background, 0), len(NAMES) - 1), self.mask)

    @property
    def total_height(self) -> int:
        """Pixels, with the mask."""
        return self.height + self.height // 2 if self.mask else self.height


ANY = Framing()
"""For a page that does not say how it shows its picture."""


def size_of(shape: tuple[int, int], rung: float, pixels: float, *, mask: bool = False) -> tuple[int, int]:
    """Width and height of that shape with at most `pixels` pixels in all, times `rung`; whole blocks. With a mask, an odd number
    of them down: the height with the mask is then none of those without, which is how a page knows one from the other."""
    pixels = pixels / 1.5 if mask else pixels
    height = rung * math.sqrt(pixels * shape[1] / shape[0])
    across, down = (max(1, int(side / BLOCK + 1e-6)) for side in (height * shape[0] / shape[1], height))
    return BLOCK * across, BLOCK * (down - (1 - down % 2 if mask else 0))


def fitted(frame: Framing, people: int, *, around: bool, width: int, height: int) -> Framing:
    """The frame of a picture for a page with so much room. people: how many are in it. around: from around the table. width,
    height: as configured."""
    if frame.width == 0 and not frame.mask:
        return Framing(width, height, frame.background)
    room = (frame.width or width, frame.height or height)
    best, zoomed, largest = SHAPES[0], 1.0, 0.0
    for shape in SHAPES:
        full = size_of(shape, 1.0, width * height, mask=frame.mask)
        zoom = min(room[0] / full[0], room[1] / full[1])
        size = zoom * _pixels_per_metre(people, *full, around=around)
        if size > LARGER * largest:
            best, zoomed, largest = shape, zoom, size
    rung = next((r for r in RUNGS if r >= ENOUGH * zoomed), 1.0)
    return Framing(*size_of(best, rung, width * height, mask=frame.mask), frame.background, frame.mask)


def _pixels_per_metre(people: int, width: int, height: int, *, around: bool) -> float:
    if around:
        return height / seating.whole_table(people, TABLE_PITCH, width, height)  # only comparing matters
    if people <= 1:
        return seating.pixels_per_metre(_ALONE, width, height)
    rows, columns = seating.grid(people, width, height)
    return min(width / columns / seating.HEAD_WIDTH, height / rows / seating.HEAD_HEIGHT)


_ALONE: Array64 = seating.alone()


def add_mask(drawn: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """drawn: (H, W, 4) uint8, RGB over the background, and opacity. out: (3 H / 2, W, 3) uint8, all of which is written."""
    height = len(drawn)
    out[:height] = drawn[..., :3]
    alpha = drawn[..., 3]
    out[height:] = ((alpha[0::2].astype(np.uint16) + alpha[1::2]) // 2)[..., None]
