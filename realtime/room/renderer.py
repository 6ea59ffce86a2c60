"""What draws the pictures of a room: `RoomRenderer`. `cpu_renderer.py` has the one for the processor, `cuda_renderer.py` that
for a GPU; `choose_renderer.py` takes the best that this machine has."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.avatar import Avatar
from models.heads.base import HeadModel, PersonHead
from models.types import Array64, Camera, DriveFrame
from realtime.room.framing import WHITE, Color

Pixels = NDArray[np.uint8]
Timings = dict[str, float]
"""Milliseconds of each stage, the last time it ran."""


class RoomAvatar(Protocol):
    """One avatar, ready to be drawn by the renderer that made it."""

    @property
    def person(self) -> PersonHead:
        """The head that is drawn; the solver is made for the same."""

    def refine(self) -> bool:
        """See `realtime.room.scene.Levels.refine`. By another thread than that which draws."""


@dataclass(frozen=True)
class Appearance:
    """One avatar of a picture. avatar: of the renderer. transform: (4, 4) rigid, avatar space -> the camera's world.
    pixels_per_metre: on the picture at its full size."""

    avatar: Any
    drive: DriveFrame
    transform: Array64
    pixels_per_metre: float


@dataclass(frozen=True)
class RoomPicture:
    """shown: who is to be seen. scale: part of the full size to draw at before scaling up to the camera's. background: sRGB.
    mask: whether the picture has a mask (realtime/room/framing.py)."""

    shown: Sequence[Appearance]
    camera: Camera
    scale: float = 1.0
    background: Color = WHITE
    mask: bool = False

    @property
    def behind(self) -> tuple[float, float, float]:
        """The background in [0, 1]."""
        return self.background[0] / 255, self.background[1] / 255, self.background[2] / 255

    @property
    def height(self) -> int:
        """Pixels, with the mask."""
        return self.camera.height + self.camera.height // 2 if self.mask else self.camera.height

    @property
    def drawn_size(self) -> tuple[int, int]:
        """Width and height to draw at."""
        return round(self.scale * self.camera.width), round(self.scale * self.camera.height)


class RoomRenderer(Protocol):
    """Draws the pictures of one room. Avatars are made by one thread, pictures drawn by another.

    at_once: pictures in one call of `draw` at the most: more than one where they are drawn faster together.
    """

    @property
    def at_once(self) -> int:
        """It may change while the room runs."""

    def warm(self, width: int, height: int) -> None:
        """Do now what the first picture would have to wait for."""

    def avatar(self, avatar: Avatar, model: HeadModel) -> RoomAvatar:
        """An avatar for `Appearance`."""

    def draw(self, pictures: Sequence[RoomPicture], timings: Timings) -> list[Pixels]:
        """All of them with their masks, valid until the next call: (height, width, 3) uint8 RGB, or (3 height / 2, width) uint8
        I420 (BT.601, limited range), as encoders take it. Fills in the stages `pose` and `splat` of `timings`."""


@contextmanager
def timed(timings: Timings, stage: str) -> Iterator[None]:
    """Note how long a stage took."""
    start = time.perf_counter()
    yield
    timings[stage] = (time.perf_counter() - start) * 1000
