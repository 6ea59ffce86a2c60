"""How a stored picture is turned, mirrored and stretched to be upright (ISO 14496-12, 8.3.2: the matrix of a track)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

MOST_STRETCH = 8
"""A pixel that is longer than that many times its width is taken for square: a wrong number."""


@dataclass(frozen=True)
class Turning:
    """One of the eight ways to lay a picture: rows become columns first, then it is mirrored left-right, then top-bottom."""

    transposed: bool = False
    left_right: bool = False
    top_bottom: bool = False

    @staticmethod
    def of(frame: av.VideoFrame) -> Turning:
        """From the picture's display matrix; none where it has none. An angle in between is rounded to a quarter turn."""
        if "DISPLAYMATRIX" not in frame.side_data:
            return Turning()
        data = frame.side_data["DISPLAYMATRIX"]  # type: ignore[typeddict-item]
        a, b, _, c, d = (int(v) for v in np.frombuffer(data, np.int32, 5))
        if abs(b) + abs(c) > abs(a) + abs(d):  # x' = a x + c y, y' = b x + d y
            return Turning(True, c < 0, b < 0)
        return Turning(False, a < 0, d < 0)

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture (H, W, C) upright, contiguous."""
        out = picture.transpose(1, 0, 2) if self.transposed else picture
        return np.ascontiguousarray(out[:: -1 if self.top_bottom else 1, :: -1 if self.left_right else 1])

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a stored picture when it is upright."""
        return (height, width) if self.transposed else (width, height)


def square(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """Width and height with square pixels; no side gets shorter. aspect: a stored pixel's width over its height."""
    if not aspect or not Fraction(1, MOST_STRETCH) <= aspect <= MOST_STRETCH:
        return width, height
    if aspect > 1:
        return round(width * aspect), height
    return width, round(height / aspect)
