"""One view in the server: its camera, and its pictures on their way from shared memory to the encoder."""

from __future__ import annotations

import threading
from collections.abc import Callable

import av
from av.video.reformatter import VideoReformatter

from realtime.shared import PictureSlot, Snapshot, ViewRow
from realtime.timing import StageTimes
from realtime.view import ViewRequest

LEAST_SIDE = 16
"""Pixels, of a picture of the avatar."""

Deliver = Callable[[av.VideoFrame], None]


class OpenView:
    """A view that the process renders: `look` moves its camera, `close` ends it. Made by `RenderWorker.open_view`."""

    def __init__(
        self, slot: int, generation: int, priority: float, deliver: Deliver, changed: Callable[[OpenView], None]
    ) -> None:
        """changed: called when `row` or `is_open` has changed."""
        self.slot, self.generation, self._priority = slot, generation, priority
        self.row = ViewRow(slot, generation, priority, ViewRequest())
        self.is_open = True
        self._changed = changed
        self._deliver = deliver
        self._sequence = 0
        self._to_yuv = VideoReformatter()
        self._next: av.VideoFrame | None = None
        self._lock = threading.Lock()
        self.times = StageTimes(window=2.0)

    def look(self, request: ViewRequest) -> None:
        """Move the camera, from the next picture on."""
        if self.is_open:
            self.row = ViewRow(self.slot, self.generation, self._priority, request)
            self._changed(self)

    def close(self) -> None:
        """No more pictures; the slot is free for another page."""
        if self.is_open:
            self.is_open = False
            self._changed(self)

    def offer(self, frame: av.VideoFrame) -> bool:
        """Keep a picture for `deliver`, in place of one that still waits; returns whether `deliver` is to be called."""
        with self._lock:
            waiting, self._next = self._next is not None, frame
        return not waiting

    def deliver(self) -> None:
        """On the event loop: hand the newest picture to the `deliver` callback of the view."""
        with self._lock:
            frame, self._next = self._next, None
        if self.is_open and frame is not None:
            self.times.add("picture", 0.0)
            self._deliver(frame)

    def convert(self, slot: PictureSlot) -> tuple[av.VideoFrame, float] | None:
        """The slot's newest picture as yuv420p (BT.601, limited range, as browsers decode VP8), and its stamp.

        Raises `ValueError` for a size that no encoder takes, which a faulty process may leave there.
        """

        def to_yuv(picture: Snapshot) -> tuple[av.VideoFrame, float, int]:
            height, width = picture.pixels.shape[:2]
            if min(height, width) < LEAST_SIDE or height % 2 or width % 2:
                raise ValueError("a picture with even sides was expected")
            rgb = av.VideoFrame.from_numpy_buffer(picture.pixels, format="rgb24")
            return self._to_yuv.reformat(rgb, format="yuv420p"), picture.stamp, picture.sequence

        converted = slot.read(self._sequence, to_yuv)
        if converted is None:
            return None
        frame, stamp, self._sequence = converted
        return frame, stamp
