"""The open views of a room at the server's end: their requests, the memory of their pictures, and handing these out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

import av

from models.errors import VisavisError
from realtime.room.layout import ViewRequest
from realtime.room.memory import RoomMemory
from realtime.room.view import Converter, OpenView
from realtime.shared_encoding import EncoderGroups
from realtime.timing import StageTimes

log = logging.getLogger(__name__)

KEPT = 2.0
"""Seconds for which the memory of pictures is kept that nobody asks for any more: the process may still be at the last one, and
who looks away often looks back."""


class RoomViews:
    """All views of a room. Memory for pictures is there only for those whose pictures the process draws."""

    def __init__(self, memory: RoomMemory, lock: threading.Lock, times: StageTimes) -> None:
        """lock: guards the memory and the views. times: of the room, for the stage "total"."""
        self._memory, self._lock, self._times = memory, lock, times
        self._open: dict[int, OpenView] = {}
        self._resting: dict[int, float] = {}  # slots whose pictures nobody asks for, and since when
        self._generation = 0
        self._is_closed = self._is_short = False
        self._convert, self._groups = Converter(), EncoderGroups()

    def open(self, deliver: Callable[[av.VideoFrame], None], request: ViewRequest, *, drawn: bool) -> OpenView:
        """See `RoomWorker.open_view`."""
        count = self._memory.layout.views
        with self._lock:
            slot = next((i for i in range(count) if i not in self._open), None)
            if slot is None or self._is_closed:
                raise VisavisError(f"at most {count} views can be open at once; close one first")
            if drawn:
                self._memory.take_picture(slot)
            self._generation += 1
            view = OpenView(self._move, slot, self._generation, request, deliver, self._groups)
            self._open[slot] = view
        view.look(view.request, drawn=drawn)
        return view

    def close(self) -> None:
        """No view is open, and none opens any more. Holds the lock."""
        self._open.clear()
        self._is_closed = True

    def tell(self) -> None:
        """A new process knows no views: request them again. Holds the lock."""
        for view in self._open.values():
            if view.is_seen:
                self._request(view)

    def tidy(self, now: float) -> None:
        """Give memory back that was not needed for a while, and try again to get what there was not. Holds the lock."""
        for slot, since in list(self._resting.items()):
            if now - since >= KEPT:
                self._memory.give_picture(slot)
                del self._resting[slot]
        if self._is_short:
            self.tell()

    def hand_out(self, rows: Iterable[tuple[int, int, int]], post: Callable[[Callable[[], None]], None]) -> None:
        """Give one picture to all views that show it: slot, generation and sequence number of each. A slot that holds another one
        by now has a message of its own. post: calls something on the event loop."""
        picture = None
        for slot, generation, sequence in rows:
            view = self._open.get(slot)
            if view is None or view.generation != generation:
                continue
            if picture is None:
                picture = self._convert(self._memory.pictures[slot], sequence)
                if picture is None:
                    continue
                age = time.monotonic() - picture.arrival
                if picture.arrival > 0 and 0 <= age < float("inf"):
                    self._times.add("total", age * 1000)
            if view.offer(picture):
                post(view.deliver)

    def _move(self, view: OpenView, *, is_open: bool) -> None:
        with self._lock:
            if self._is_closed or self._open.get(view.slot) is not view:
                return
            if is_open and view.is_seen:
                return self._request(view)
            self._memory.requests.free(view.slot)
            self._rest(view.slot)
            if not is_open:
                del self._open[view.slot]

    def _request(self, view: OpenView) -> None:
        drawn = view.is_drawn and self._has_memory(view.slot)
        if not view.is_drawn:
            self._rest(view.slot)
        self._memory.requests.set(view.slot, view.generation, view.request, drawn=drawn)

    def _rest(self, slot: int) -> None:
        self._resting.setdefault(slot, time.monotonic())

    def _has_memory(self, slot: int) -> bool:
        """Whether there is memory for pictures; else it is tried again."""
        self._resting.pop(slot, None)
        try:
            self._memory.take_picture(slot)
        except VisavisError as error:
            if not self._is_short:
                log.warning("%s", error)
            self._is_short = True
            return False
        self._is_short = False
        return True
