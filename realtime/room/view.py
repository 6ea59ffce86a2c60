"""An open view of a room, at the server's end: where it looks, and its pictures on their way to an encoder."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from realtime.room.framing import Framing
from realtime.room.layout import ViewRequest
from realtime.shared import PictureSlot, Snapshot
from realtime.shared_encoding import EncoderGroups, PictureStream
from realtime.timing import StageTimes

LEAST_SIDE = 16
"""Pixels, of a picture."""


@dataclass(frozen=True)
class ViewPicture:
    """What one or several views show. planes: (3 H / 2, W) uint8, yuv420p (BT.601, limited range: what browsers take VP8 to be).
    arrival: `time.monotonic` of the newest webcam picture in it; 0 when there is none that is new."""

    planes: NDArray[np.uint8]
    arrival: float

    def frame(self, stream: PictureStream | None = None) -> av.VideoFrame:
        """A frame over the planes, with time stamps of its own; `stream` lies in its `opaque`."""
        frame = av.VideoFrame.from_numpy_buffer(self.planes, format="yuv420p")
        frame.opaque = stream
        return frame


class Converter:
    """Makes what encoders take of what the process draws, which is that already where a GPU has drawn it. For one thread."""

    def __init__(self) -> None:
        self._to_yuv = VideoReformatter()

    def __call__(self, slot: PictureSlot, sequence: int) -> ViewPicture | None:
        """The slot's newest picture if it has that sequence number and a size that encoders take, else `None`: a process that has
        gone wild may leave anything there."""

        def convert(picture: Snapshot) -> ViewPicture | None:
            planar = picture.pixels.ndim == 2
            height, width = picture.pixels.shape[:2]
            height = 2 * height // 3 if planar else height
            if picture.sequence != sequence or min(height, width) < LEAST_SIDE or height % 2 or width % 2:
                return None
            if planar:
                return ViewPicture(picture.pixels.copy(), picture.stamp)
            rgb = av.VideoFrame.from_numpy_buffer(picture.pixels, format="rgb24")
            planes = self._to_yuv.reformat(rgb, format="yuv420p").to_ndarray()
            return ViewPicture(np.asarray(planes, np.uint8), picture.stamp)

        try:
            return slot.read(0, convert)
        except (ValueError, av.FFmpegError):
            return None


class Mover(Protocol):
    """Tells the render process of a view that has moved or closed, or that nobody sees."""

    def __call__(self, view: OpenView, *, is_open: bool) -> None: ...


class OpenView:
    """A view that the process renders: `look` moves it, `close` ends it. Made by `RoomWorker.open_view`."""

    def __init__(
        self,
        move: Mover,
        slot: int,
        generation: int,
        request: ViewRequest,
        deliver: Callable[[av.VideoFrame], None],
        groups: EncoderGroups,
    ) -> None:
        self._move, self._deliver, self._groups = move, deliver, groups
        self.slot, self.generation, self.request = slot, generation, request
        self.is_seen = True
        """Whether anybody looks; nothing is drawn else."""
        self.is_drawn = True
        """Whether the process draws it; else whoever looks does so, from drive frames."""
        self._open = True
        self._next: ViewPicture | None = None
        self._lock = threading.Lock()
        self.times = StageTimes(window=2.0)

    def look(self, request: ViewRequest, *, drawn: bool = True) -> None:
        """Show that, from the next picture on. drawn: by the process."""
        if self._open:
            self.request, self.is_seen, self.is_drawn = request.within_limits(), True, drawn
            self._move(self, is_open=True)

    def pause(self) -> None:
        """No more pictures until `look`; nothing is drawn for this view meanwhile."""
        if self._open:
            self.is_seen = False
            self._move(self, is_open=True)

    def close(self) -> None:
        """No more pictures; the slot is free for another page."""
        if self._open:
            self._open = False
            self._move(self, is_open=False)

    def offer(self, picture: ViewPicture) -> bool:
        """Keep a picture for `deliver`, in place of one that still waits; returns whether `deliver` is to be called."""
        with self._lock:
            waiting, self._next = self._next is not None, picture
        return not waiting

    def deliver(self) -> None:
        """On the event loop: hand the newest picture to whoever opened the view."""
        with self._lock:
            picture, self._next = self._next, None
        if self._open and picture is not None:
            self.times.add("picture", 0.0)
            size = Framing(picture.planes.shape[1], len(picture.planes), self.request.frame.background, self.request.frame.mask)
            self._deliver(picture.frame(PictureStream(self._groups, replace(self.request.rounded(), frame=size))))
