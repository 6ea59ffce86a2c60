"""Rooms of the acceptance: several people around a table, each seeing all others, drawn all at once and one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from models import arkit
from models.types import DriveFrame
from tests.gpu.scenes import PosedHead
from tests.gpu.table import Row, at_least, at_most, reported

Rate = Callable[[Callable[[int], None]], float]
"""Calls a second of a task."""
BATCH_MS = 10.0
"""Milliseconds for eight views of a room at 512 pixels that a GPU should need."""
LEVELS, MEAN_LEVELS = 3, 0.4
"""Of a byte of luma: largest difference between a picture drawn with others and alone, and the mean from the processor's."""


def seen_by(index: int, avatars: Sequence[Any], drives: Sequence[DriveFrame], width: int, height: int) -> Any:
    """The `RoomPicture` of the person at that seat: everybody else."""
    from realtime.room import seating
    from realtime.room.renderer import Appearance, RoomPicture

    seats = seating.seats(len(avatars))
    others = [k for k in range(len(avatars)) if k != index]
    shown = [seats[k] for k in others]
    cells = seating.seat_cells(seats[index], shown, width, height)
    arrangement = seating.from_seat(seats[index], shown, cells, width, height)
    appearances = [
        Appearance(avatars[k], drives[k], transform @ seat.matrix, seating.pixels_per_metre(cell, width, height))
        for k, transform, seat, cell in zip(others, arrangement.transforms, shown, arrangement.cells, strict=True)
    ]
    return RoomPicture(appearances, arrangement.camera)


def moment(seconds: float, person: int = 0) -> DriveFrame:
    """Somebody speaks, blinks and looks around."""
    wave = float(0.5 - 0.5 * np.cos(2 * np.pi * seconds + person))
    expression = arkit.vector(jawOpen=0.6 * wave, mouthSmileLeft=0.5 * wave, eyeBlinkRight=1 - wave, browInnerUp=0.4)
    return DriveFrame(seconds, coefficients=np.asarray(expression, np.float32), gaze=np.full((2, 2), 0.2 * wave, np.float32))


class Room:
    """People with equal avatars of `count` Gaussians, each seeing the others; `draw` all their views at a moment."""

    def __init__(self, renderer: Any, people: int, count: int, side: int) -> None:
        from realtime.room.scene import CELLS, PAYS_AFTER

        head = PosedHead(count)
        self.renderer, self.side, self.timings = renderer, side, dict[str, float]()
        self.people = [renderer.avatar(head.avatar(), head.model) for _ in range(people)]
        for person in self.people:  # as it is after some seconds: small people are drawn from fewer Gaussians
            levels = getattr(person, "levels", None) or person._levels
            for cell, pixels in CELLS:
                for _ in range(PAYS_AFTER):
                    levels.choose(pixels / cell - 1)
            while person.refine():
                pass

    def views(self, seconds: float) -> list[Any]:
        """What each of them sees."""
        drives = [moment(seconds, k) for k in range(len(self.people))]
        if len(self.people) > 1:
            return [seen_by(k, self.people, drives, self.side, self.side) for k in range(len(self.people))]
        from models.renderer import view_camera
        from realtime.room.renderer import Appearance, RoomPicture

        camera = view_camera(width=self.side, height=self.side)
        return [RoomPicture([Appearance(self.people[0], drives[0], np.eye(4), 1.2 * self.side)], camera)]

    def draw(self, views: Sequence[Any]) -> list[np.ndarray]:
        """Luma of the pictures, (side, side) int each."""
        return [self._luma(picture) for picture in self.renderer.draw(views, self.timings)]

    def _luma(self, picture: np.ndarray) -> np.ndarray:
        if picture.ndim == 3:
            import torch

            from models.video.planar import i420

            picture = i420(torch.from_numpy(picture).float()[None] / 255)[0].numpy()
        return picture[: self.side].astype(int)


def single(name: str, renderer: Any, count: int, side: int, rate: Rate, least: float | None) -> Iterator[Row]:
    """One person's picture as the service makes it, a second: posed, drawn, as bytes on the host."""
    room = Room(renderer, 1, count, side)
    per_second = rate(lambda i: renderer.draw(room.views(i / 30), room.timings))
    if len(np.unique(room.draw(room.views(0.3))[0])) < 8:
        raise ValueError("the picture is empty")
    name = f"{name}: posed avatar, {count} Gaussians, {side} px"
    yield reported(name, per_second, "/s") if least is None else at_least(name, per_second, least, "/s")


def several(name: str, renderer: Any, people: int, count: int, side: int, rate: Rate, other: Any = None) -> Iterator[Row]:
    """Views of a room at once. other: the processor's renderer, to compare with; without one, times are only reported."""
    room = Room(renderer, people, count, side)
    views = room.views(0.3)
    began = time.perf_counter()
    together = room.draw(views)
    first = 1e3 * (time.perf_counter() - began)
    alone = [room.draw([view])[0] for view in views]
    off = max(int(np.abs(a - b).max()) for a, b in zip(together, alone, strict=True))
    yield at_most(f"{name}: room of {people}, a view drawn with the others and alone, levels", off, LEVELS)
    if other is not None:
        theirs = Room(other, people, count, side)
        apart = [np.abs(a - b).mean() for a, b in zip(together, theirs.draw(theirs.views(0.3)), strict=True)]
        yield at_most(f"{name}: room of {people}, from the processor's pictures, mean levels", float(max(apart)), MEAN_LEVELS)
    took = 1e3 / rate(lambda i: renderer.draw(room.views(i / 30), room.timings))
    title, note = f"{name}: {people} views of a room of {people}, {count} Gaussians each, {side} px", f"the first: {first:.0f} ms"
    yield at_most(title, took, BATCH_MS, "ms", note) if other is not None else reported(title, took, "ms", note)
