"""An open view of a room, at the server's end: where it looks, and its pictures on their way to an encoder."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

import av
from av.video.reformatter import VideoReformatter

from realtime.room.layout import ViewRequest
from realtime.shared import PictureSlot, Snapshot
from realtime.timing import StageTimes

LEAST_SIDE = 16
"""Pixels, of a picture."""


class Mover(Protocol):
    """Tells the render process of a view that has moved or closed."""

    def __call__(self, view: OpenView, *, is_open: bool) -> None: ...


class OpenView:
    """A view that the process renders: `look` moves it, `close` ends it. Made by `RoomWorker.open_view`."""

    def __init__(
        self, move: Mover, slot: int, generation: int, request: ViewRequest, deliver: Callable[[av.VideoFrame], None]
    ) -> None:
        self._move, self._deliver = move, deliver
        self.slot, self.generation, self.request = slot, generation, request
        self._sequence = 0
        self._to_yuv = VideoReformatter()
        self._open = True
        self._next: av.VideoFrame | None = None
        self._lock = threading.Lock()
        self.times = StageTimes(window=2.0)

    def look(self, request: ViewRequest) -> None:
        """Show that, from the next picture on."""
        if self._open:
            self.request = request.within_limits()
            self._move(self, is_open=True)

    def close(self) -> None:
        """No more pictures; the slot is free for another page."""
        if self._open:
            self._open = False
            self._move(self, is_open=False)

    def offer(self, frame: av.VideoFrame) -> bool:
        """Keep a picture for `deliver`, in place of one that still waits; returns whether `deliver` is to be called."""
        with self._lock:
            waiting, self._next = self._next is not None, frame
        return not waiting

    def deliver(self) -> None:
        """On the event loop: hand the newest picture to whoever opened the view."""
        with self._lock:
            frame, self._next = self._next, None
        if self._open and frame is not None:
            self.times.add("picture", 0.0)
            self._deliver(frame)

    def convert(self, slot: PictureSlot) -> tuple[av.VideoFrame, float] | None:
        """The slot's newest picture as yuv420p (BT.601, limited range: what browsers take VP8 to be), and its stamp.

        Raises `ValueError` for a size that no encoder takes, which a process that has gone wild may leave there.
        """

        def to_yuv(picture: Snapshot) -> tuple[av.VideoFrame, float, int]:
            height, width = picture.pixels.shape[:2]
            if min(height, width) < LEAST_SIDE or height % 2 or width % 2:
                raise ValueError("a picture with even sides was expected")
            rgb = av.VideoFrame.from_numpy_buffer(picture.pixels, format="rgb24")
            return self._to_yuv.reformat(rgb, format="yuv420p"), picture.stamp, picture.sequence

        made = slot.read(self._sequence, to_yuv)
        if made is None:
            return None
        frame, stamp, self._sequence = made
        return frame, stamp
