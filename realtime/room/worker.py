"""The server's end of a room's render process: it starts it, feeds it, hands its pictures out, and starts it again when it dies.

Nothing here blocks the event loop. One thread supervises: it spawns the process, tells it who is in the room, reads its
messages, converts its pictures to what the encoders take, and posts them to the loop; when the process dies, hangs or falls
silent, it is killed and started again, and the people and views of the room go on. Avatars are kept here as bytes, so a file
that is moved or replaced changes no call. An avatar that the process died of twice is not given to it again.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import av
import numpy as np

from models.errors import VisavisError
from realtime.room import process as render_process
from realtime.room.layout import ViewRequest
from realtime.room.memory import MemoryLayout, RoomMemory
from realtime.room.messages import Beat, Failed, FromProcess, Joined, Moved, Ready, Refused, Rendered, Replaced, ServerEnd
from realtime.room.process import HUNG, RoomSetup
from realtime.room.room_drives import RoomDrives
from realtime.room.roster import AvatarBytes, Roster
from realtime.room.supervision import RoomEvents, SupervisorTimeouts, handle_of, signal_name
from realtime.room.view import OpenView
from realtime.room.views import RoomViews
from realtime.room.webcam import MAX_SIDE, rgb_of
from realtime.timing import StageTimes

log = logging.getLogger(__name__)

STOP_TIMEOUT = 1.0
"""Seconds that the process has to stop by itself."""
KILL_TIMEOUT = 1.0
"""Seconds that a killed process may take to go; one that waits for a broken disk can take for ever, and is left behind."""
ENDED = "ended"


class RoomWorker:
    """A supervised render process of one room.

    `times` holds milliseconds by stage: track, solve, pose and splat from the process; decode (webcam picture to the tracker's
    RGB); total (webcam picture decoded to picture ready to encode). `ready` tells whether the process takes people, `driven`
    whose face is seen now, `calibrating` whose neutral face is being taken. `failure` is one sentence once the process can
    never work. `starts` counts processes.
    """

    def __init__(self, setup: RoomSetup, *, people: int, views: int, timeouts: SupervisorTimeouts | None = None) -> None:
        """people, views: at the most. Raises `VisavisError` when there is not enough memory."""
        self._setup, self._timeouts = setup, timeouts or SupervisorTimeouts()
        self._memory = RoomMemory(MemoryLayout(people, views, setup.width, setup.height, MAX_SIDE * MAX_SIDE * 3))
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["realtime.room.preload"])
        self._roster = Roster(people)
        self._people = self._roster.people
        self._lock = threading.Lock()  # guards what follows and the memory; never held while anything can block
        self._line: ServerEnd | None = None
        self._process: Any = None
        self._stopping = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="render-supervisor", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._events = RoomEvents()
        self.times = StageTimes()
        self._views = RoomViews(self._memory, self._lock, self.times)
        self.drives = RoomDrives(self._memory, self._people, self._lock, self._wake, self.times)
        self.ready = False
        self.failure = ""
        self.driven: frozenset[int] = frozenset()
        self.calibrating: frozenset[int] = frozenset()
        self.starts = 0

    def start(self, events: RoomEvents | None = None) -> None:
        """Start the process; call it on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._events = events or self._events
        self._supervisor.start()

    async def stop(self) -> None:
        """Stop the process and free the memory; ends within three seconds whatever the process does. May be called twice."""
        with self._lock:
            self._stopping.set()
            self._views.close()
            self._memory.flags.stop()
            self._wake()
        deadline = time.monotonic() + STOP_TIMEOUT + 1.5 * KILL_TIMEOUT
        while self._supervisor.is_alive() and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        if self._supervisor.is_alive():  # it waits for the system, which may never answer
            log.warning("the render process cannot be stopped; it is left behind")
            if self._process is not None:
                self._process.kill()
            return
        with self._lock:
            self._roster.clear()
            self._memory.close()

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        return None if (process := self._process) is None else process.pid

    # People

    def join(self, participant: int, avatar: bytes, order: int = 0) -> None:
        """Somebody takes a seat; `RoomEvents.joined` or `refused` follows. participant: a number never used before. avatar: the
        file's bytes. order: of the seats; who comes first in it sits first.

        Raises `VisavisError` when all places are taken or there is not enough memory.
        """
        kept = AvatarBytes(handle_of(avatar), len(avatar))
        with self._lock:
            try:
                if self._stopping.is_set():
                    raise VisavisError("this room is closing; come back in a moment")
                seated = self._roster.add(participant, kept, order)
            except VisavisError:
                os.close(kept.handle)
                raise
            try:
                self._memory.take_webcam(seated.slot)
            except VisavisError:
                self._roster.remove(participant)
                raise
            self._memory.vacate(seated.slot)
            self._tell()

    def replace(self, participant: int, avatar: bytes) -> None:
        """Show another avatar of somebody who is seated, from one picture to the next; `RoomEvents.replaced` follows. When it
        cannot be shown, the old one stays. Nothing happens without a seat. Raises `VisavisError` when there is not enough memory.
        """
        kept = AvatarBytes(handle_of(avatar), len(avatar))
        with self._lock:
            if self._stopping.is_set():
                os.close(kept.handle)
                return
            self._roster.improve(participant, kept)
            self._tell()

    def leave(self, participant: int) -> None:
        """The seat goes. Nothing happens when there is none."""
        with self._lock:
            person = self._people.get(participant)
            if person is not None and not self._stopping.is_set():
                self._memory.give_webcam(person.slot)
            self._roster.remove(participant)
            self._tell()

    def submit(self, participant: int, frame: av.VideoFrame, arrival: float) -> None:
        """A participant's webcam picture, decoded at `arrival` (`time.monotonic`). Takes 1-2 ms; one thread a participant."""
        person = self._people.get(participant)
        if person is None or not person.joined:
            return
        start = time.perf_counter()
        rgb = rgb_of(frame, person.to_rgb)
        with self._lock:
            if not person.joined or self._stopping.is_set() or self._line is None or participant not in self._people:
                return
            self._memory.webcams[person.slot].write(rgb.shape[0], rgb.shape[1], arrival, lambda out: np.copyto(out, rgb))
            self._wake()
        self.times.add("decode", (time.perf_counter() - start) * 1000)

    def recalibrate(self, participant: int) -> None:
        """Take the face of the next second as neutral; nothing happens while one is being taken or the avatar loads."""
        with self._lock:
            person = self._people.get(participant)
            if person is not None and person.joined and not self._stopping.is_set():
                self._memory.flags.recalibrate(person.slot)

    def _wake(self) -> None:
        """Let the process look into the memory. Holds the lock."""
        if self._line is not None:
            self._line.wake()

    def _tell(self) -> None:
        """Tell the process who has come and gone. Holds the lock."""
        if self._line is not None and self.ready:
            self._roster.tell(self._line)

    # Views

    def open_view(
        self, deliver: Callable[[av.VideoFrame], None], request: ViewRequest | None = None, *, drawn: bool = True
    ) -> OpenView:
        """A new view. `deliver` gets each of its pictures on the event loop, as a yuv420p frame of its own over pixels that other
        views may share: they must not be changed. drawn: whether there are any. Raises `VisavisError` when all views are taken or
        there is not enough memory.
        """
        return self._views.open(deliver, request or ViewRequest(), drawn=drawn)

    @property
    def memory_taken(self) -> int:
        """Bytes that are there for pictures and drive frames now, shared with the process; 0 once it has stopped."""
        with self._lock:
            return 0 if self._stopping.is_set() else self._memory.taken

    # The supervisor's thread

    def _supervise(self) -> None:
        try:
            self._keep_running()
        except Exception:
            log.exception("the supervisor of the render process failed")
            if self._process is not None:
                self._process.kill()
            self._fail("the render process cannot be started or heard; look at the log and start the server again")

    def _keep_running(self) -> None:
        pause, was_ever_ready, failed = 0.1, False, 0
        while not self._stopping.is_set() and not self.failure:
            born = time.monotonic()
            try:
                self._spawn()
            except OSError as error:
                log.warning("the render process cannot be started now (%s); trying again", error.strerror or error)
            else:
                was_ready, end = self._attend()
                stopped = self._stopping.is_set()
                end = self._reap(STOP_TIMEOUT if end == ENDED or (was_ready and stopped) else 0.0) or end
                was_ever_ready, failed = was_ever_ready or was_ready, failed + 1
                if self._stopping.is_set() or self.failure:
                    return
                self._blame()
                if failed >= self._timeouts.attempts and not was_ever_ready:
                    self._fail(
                        f"the render process was expected to start, but {failed} times it {end} before it was ready; "
                        "free some memory or look at the log for the reason, and start again"
                    )
                    return
                log.warning("the render process %s; starting it again", end)
            pause = 0.1 if time.monotonic() - born > self._timeouts.young else pause
            self._stopping.wait(pause)
            pause = min(pause * 2, self._timeouts.backoff)

    def _blame(self) -> None:
        """Count the death of the process against those it was working on, and refuse whom it died of too often."""
        with self._lock:
            kept, refused = self._roster.blame(self._memory.flags.worked_on())
        for participant in kept:
            log.warning("a better avatar that the render process died of is not shown")
            sentence = "the better avatar stopped the picture of the whole room, so the one before stays"
            self._post(lambda p=participant, s=sentence: self._events.replaced(p, s))  # type: ignore[misc]
        for participant in refused:
            log.warning("an avatar that the render process died of twice is not shown any more")
            sentence = "this avatar stopped the picture of the whole room twice, so it is not shown; take another one"
            self._post(lambda p=participant, s=sentence: self._events.refused(p, s))  # type: ignore[misc]

    def _spawn(self) -> None:
        """Start a process. Raises `OSError` when the system has no room for it now."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = self._context.Process(
                target=render_process.main,
                args=(self._setup, self._memory, theirs, self._timeouts, self._roster.is_suspicious),
                name="visavis-render",
                daemon=True,
            )
            with self._lock:
                self._memory.clear()
                self._roster.restart()
                self._views.tell()
                if self._stopping.is_set():
                    self._memory.flags.stop()
                self._line = ServerEnd(ours)
            try:
                process.start()
            except BaseException:
                self._hang_up()
                raise
        self._process = process
        self.starts += 1

    def _attend(self) -> tuple[bool, str]:
        """Listen until the process ends or has to; returns whether it was ever ready, and what became of it."""
        line = self._line
        assert line is not None
        born = last_sign = time.monotonic()
        while not self._stopping.is_set() and not self.failure:
            try:
                said = line.receive(0.1)
            except EOFError:
                return self.ready, ENDED
            except ValueError as error:
                log.warning("%s", error)
                return self.ready, "spoke nonsense"
            now = time.monotonic()
            last_sign = now if said else last_sign
            for message in said:
                self._receive(message)
            with self._lock:
                self._tell()
                self._views.tidy(now)
            if now - last_sign > (self._timeouts.silent if self.ready else self._timeouts.loading):
                return self.ready, "fell silent"
            if not self.ready and now - born > self._timeouts.start:
                return False, f"took more than {self._timeouts.start:.0f} s"
        return self.ready, "was stopped"

    def _reap(self, timeout: float) -> str:
        """End the process if it does not end by itself in `timeout` seconds; returns how it did, or nothing."""
        process = self._process
        process.join(timeout)
        code = process.exitcode
        self._set_ready(False)
        self._hang_up()
        if code is None:
            process.kill()
            process.join(KILL_TIMEOUT)
        self._process = None
        if code is None:
            return ""
        if code == HUNG:
            return "hung in tracking a webcam frame or in loading an avatar"
        return f"was ended by {signal_name(-code)}" if code < 0 else f"ended with status {code}"

    def _hang_up(self) -> None:
        with self._lock:
            line, self._line = self._line, None
        if line is not None:
            line.close()

    def _receive(self, message: FromProcess) -> None:
        match message:
            case Ready():
                self._set_ready(True)
            case Failed():
                self._fail(message.sentence)
            case Beat():
                self.driven, self.calibrating = frozenset(message.driven), frozenset(message.calibrating)
            case Joined(participant):
                if self._roster.joined(participant):
                    self._post(lambda: self._events.joined(participant))
            case Refused(participant, sentence):
                self._roster.refused()
                self._post(lambda: self._events.refused(participant, sentence))
            case Replaced(participant, sentence):
                with self._lock:
                    is_here = self._roster.replaced(participant, is_shown=not sentence)
                if is_here:
                    self._post(lambda: self._events.replaced(participant, sentence))
            case Moved():
                self._post(self._events.moved)
            case Rendered():
                for stage, milliseconds in message.stages.items():
                    self.times.add(stage, milliseconds)
                self._views.hand_out(message.rows, self._post)

    def _fail(self, sentence: str) -> None:
        self.failure = sentence
        self._post(self._events.changed)

    def _set_ready(self, ready: bool) -> None:
        if not ready:
            self.driven = self.calibrating = frozenset()
        if ready != self.ready:
            self.ready = ready
            self._post(self._events.changed)

    def _post(self, call: Callable[[], None]) -> None:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            self._stopping.set()  # the loop was closed without `stop`
