"""A room that begins on the processor and goes over to the GPU while it runs, and back when the GPU fails.

Nothing waits for CUDA: loading it takes seconds, compiling gsplat takes minutes (`models.splat.ready`). A thread makes the other
renderer, loads everybody into it and compares a picture of somebody drawn by both; only then does the drawing thread take it,
between two pictures.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from models.avatar import Avatar
from models.heads.base import HeadModel, PersonHead
from models.renderer import view_camera
from models.splat.cuda import first_line
from models.types import DriveFrame
from realtime.room.renderer import Appearance, Pixels, RoomAvatar, RoomPicture, RoomRenderer, Timings

log = logging.getLogger(__name__)

EVERY = 2.0
"""Seconds between two looks for the other renderer."""
APART = 2.0
"""Levels of luma that a picture may differ on average for the other renderer to be taken."""
LUMA = (0.257, 0.504, 0.098)
"""ITU-R BT.601, limited range, of bytes; 16 is added."""
TRIAL, TRIAL_SCALE = 128, 0.5
"""Pixels to a side of the picture that is compared; the smaller size at which it is drawn too."""


class SwitchingAvatar:
    """See `RoomAvatar`: one avatar in whichever renderer draws it."""

    def __init__(self, avatar: Avatar, model: HeadModel, renderer: RoomRenderer) -> None:
        self._avatar, self._model = avatar, model
        self._made: dict[RoomRenderer, RoomAvatar] = {renderer: renderer.avatar(avatar, model)}
        self._person = self._made[renderer].person

    @property
    def person(self) -> PersonHead:
        """See `RoomAvatar`."""
        return self._person

    def refine(self) -> bool:
        """See `RoomAvatar`."""
        return any(made.refine() for made in list(self._made.values()))

    def new(self, renderer: RoomRenderer) -> RoomAvatar:
        """The avatar in another renderer, for the caller alone, to compare renderers by: without the networks that it may carry,
        as only a GPU runs those; the processor has the directions that stand in for them."""
        corrections = self._avatar.corrections
        plain = None if corrections is None else replace(corrections, networks=None)
        return renderer.avatar(replace(self._avatar, corrections=plain), self._model)

    def load(self, renderer: RoomRenderer) -> RoomAvatar:
        """The avatar in another renderer too."""
        made = renderer.avatar(self._avatar, self._model)
        self._made = {**self._made, renderer: made}
        return made

    def only(self, renderer: RoomRenderer) -> RoomAvatar:
        """The avatar in the renderer that draws now; in no other any more."""
        made = self._made.get(renderer) or self.load(renderer)
        if len(self._made) > 1:
            self._made = {renderer: made}
        return made


class SwitchingRenderer:
    """See `RoomRenderer`. first: makes what draws at once, and again when the other fails; and one more to compare with. make:
    the other one, ready for its first picture; `None` while it cannot be had."""

    def __init__(self, first: Callable[[], RoomRenderer], make: Callable[[], RoomRenderer | None], every: float = EVERY) -> None:
        self._judge, self._first = first, first()
        self._current = self._first
        self._next: RoomRenderer | None = None
        self._lock = threading.Lock()  # nobody comes while everybody is loaded into the other renderer
        self._avatars: WeakSet[SwitchingAvatar] = WeakSet()
        self._somebody = threading.Event()
        self._make, self._every = make, every
        self._making = threading.Thread(target=self._keep_looking, name="other-renderer", daemon=True)
        self._making.start()

    @property
    def at_once(self) -> int:
        """See `RoomRenderer`."""
        return self._current.at_once

    def wait(self, timeout: float | None = None) -> None:
        """Until the other renderer is to be taken or has failed."""
        self._making.join(timeout)

    def warm(self, width: int, height: int) -> None:
        """See `RoomRenderer`."""
        self._first.warm(width, height)

    def avatar(self, avatar: Avatar, model: HeadModel) -> SwitchingAvatar:
        """See `RoomRenderer`."""
        with self._lock:
            made = SwitchingAvatar(avatar, model, self._next or self._current)
            self._avatars.add(made)
        self._somebody.set()
        return made

    def draw(self, pictures: Sequence[RoomPicture], timings: Timings) -> list[Pixels]:
        """See `RoomRenderer`."""
        if self._next is not None:
            with self._lock:
                self._current, self._next = self._next, None
        current = self._current
        if current is not self._first:
            try:
                return current.draw(_for(current, pictures), timings)
            except Exception as error:  # whatever CUDA has to say; a room goes on without it
                log.warning("the GPU failed (%s), so the processor draws this room from now on", first_line(error))
                with self._lock:
                    self._current = self._first
        return self._first.draw(_for(self._first, pictures), timings)

    def _keep_looking(self) -> None:
        self._somebody.wait()  # an empty room takes nothing of the GPU
        pause = threading.Event()
        while True:
            try:
                made = self._make()
                if made is not None:
                    self._take(made)
                    return
            except Exception as error:
                log.warning("the processor goes on drawing this room: the GPU failed (%s)", first_line(error))
                return
            pause.wait(self._every)

    def _take(self, other: RoomRenderer) -> None:
        with self._lock:
            avatars = list(self._avatars)
            for avatar in avatars:
                made = avatar.load(other)
                for scale in (1.0, TRIAL_SCALE):  # what is loaded with the first picture is loaded now
                    other.draw([trial(made, scale)], {})
            apart = difference(avatars[0], other, self._judge()) if avatars else 0.0
            if not apart <= APART:
                log.warning("the processor goes on drawing this room: the GPU's picture differs by %.1f levels", apart)
                return
            self._next = other
        log.info("the GPU takes over a room's pictures, %d at once", other.at_once)


def trial(made: RoomAvatar, scale: float = 1.0) -> RoomPicture:
    """A picture of one avatar that speaks, with a mask."""
    size, drive = TRIAL, DriveFrame.expression(jawOpen=0.5, eyeBlinkLeft=0.5)
    return RoomPicture([Appearance(made, drive, np.eye(4), 1.2 * size)], view_camera(width=size, height=size), scale, mask=True)


def difference(avatar: SwitchingAvatar, ours: RoomRenderer, theirs: RoomRenderer) -> float:
    """Levels of luma by which one avatar's pictures differ on average; inf where their shapes do."""
    a, b = (luma(r.draw([trial(avatar.new(r))], {})[0]) for r in (ours, theirs))
    return float(np.abs(a - b).mean()) if a.shape == b.shape else float("inf")


def luma(picture: Pixels) -> NDArray[np.float32]:
    """Of RGB (H, W, 3) or I420 (3 H / 2, W): (H, W) float32, in the limited range."""
    if picture.ndim == 3:
        return picture.astype(np.float32) @ np.array(LUMA, np.float32) + 16.0
    return picture[: 2 * len(picture) // 3].astype(np.float32)


def _for(renderer: RoomRenderer, pictures: Sequence[RoomPicture]) -> list[RoomPicture]:
    return [replace(p, shown=[replace(s, avatar=s.avatar.only(renderer)) for s in p.shown]) for p in pictures]
