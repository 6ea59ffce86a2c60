"""The render process's loop in this process, over a real line and real shared memory."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from realtime.room.layout import ViewRequest
from realtime.room.memory import MemoryLayout, RoomMemory
from realtime.room.messages import Beat, FromProcess, Join, Joined, ProcessEnd, Ready, Rendered, ServerEnd
from realtime.room.process import RoomSetup, _RoomLoop
from realtime.room.supervision import SupervisorTimeouts, handle_of
from tests.realtime.room.fake import FakeRoomPipeline
from tests.realtime.room.rooms import WHITE


@dataclass
class Running:
    """A loop that runs in a thread."""

    pipeline: FakeRoomPipeline
    memory: RoomMemory
    line: ServerEnd
    thread: threading.Thread
    heard: list[FromProcess] = field(default_factory=list)
    shades: list[int] = field(default_factory=list)
    """Of the pictures of view 0, in order; everybody is white, and lit."""
    seen: int = 0

    def seat(self, participant: int, slot: int) -> None:
        handle = handle_of(WHITE)
        assert self.line.send(Join(participant, slot, participant, len(WHITE)), handle)
        os.close(handle)
        self.until(lambda: Joined(participant) in self.heard)

    def webcam(self, brightness: int, slot: int = 0) -> None:
        """A picture comes in."""
        self.memory.webcams[slot].write(4, 4, time.monotonic(), lambda out: out.fill(brightness))
        self.line.wake()

    def listen(self, seconds: float = 0.01) -> None:
        """Hear what is said for so long, and look at the pictures."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.heard += self.line.receive(left)
            picture = self.memory.pictures[0].copy(self.seen)
            if picture is not None:
                self.seen = picture.sequence
                self.shades.append(int(picture.pixels[0, 0, 1]))

    def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.listen(0.02)

    def rests(self, seconds: float = 0.4) -> None:
        """Listen until nothing has been drawn for so long."""
        before = -1
        while before != self.rendered:
            before = self.rendered
            self.listen(seconds)

    @property
    def rendered(self) -> int:
        """Pictures drawn."""
        return sum(isinstance(message, Rendered) for message in self.heard)

    @property
    def driven(self) -> list[int]:
        """As said last."""
        return next(list(m.driven) for m in reversed(self.heard) if isinstance(m, Beat))


@contextmanager
def running() -> Iterator[Running]:
    """A loop with somebody seated, number 1 in slot 0, and a view of the whole room in slot 0."""
    layout = MemoryLayout(people=2, views=2, width=8, height=8, input_bytes=64)
    memory = RoomMemory(layout)
    memory.requests.set(0, 1, ViewRequest())
    ours, theirs = socket.socketpair()
    pipeline = FakeRoomPipeline(8, 8, lit=True, face_from=0.1)
    setup = RoomSetup(width=8, height=8)
    process = _RoomLoop(pipeline, setup, RoomMemory(layout, os.dup(memory._handle)), ProcessEnd(theirs), SupervisorTimeouts())
    thread = threading.Thread(target=process.run)
    here = Running(pipeline, memory, ServerEnd(ours), thread)
    thread.start()
    here.until(lambda: Ready() in here.heard)
    here.seat(1, 0)
    yield here
    memory.flags.stop()
    here.line.wake()
    thread.join(5)
    assert not thread.is_alive()
    here.line.close()
    theirs.close()
