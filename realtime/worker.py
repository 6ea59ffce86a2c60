"""The supervisor of the render process: it starts, feeds and restarts the process, and hands out the rendered pictures.

Nothing here blocks the event loop. One thread supervises: it spawns the process, reads its messages, converts its pictures
to yuv420p for the encoders, and posts them to the loop. A process that dies, hangs or falls silent is killed and started again
with unchanged arguments, and the open views go on. Webcam frames come in from the thread that calls `submit`. The avatar's bytes
are kept here, so that a restarted process shows the avatar as it was loaded, even if its file has changed.
"""

from __future__ import annotations

import asyncio
import logging
import math
import multiprocessing
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from models.errors import VisavisError
from realtime import render_process
from realtime.messages import Failed, Heartbeat, Message, Ready, RenderedView, ServerEnd, decode
from realtime.open_view import Deliver, OpenView
from realtime.render_process import Setup
from realtime.shared import Layout, SharedBlock
from realtime.timing import StageTimes
from realtime.view import ViewRequest

log = logging.getLogger(__name__)

MAX_SIDE = 960
"""Pixels; a webcam frame with a longer side is scaled down on the way to the tracker."""
STOP_TIMEOUT = 1.0
"""Seconds that the process has to stop by itself."""
KILL_TIMEOUT = 1.0
"""Seconds that a killed process may take to end; one that waits for a broken disk may never end, and is left behind."""


@dataclass(frozen=True)
class SupervisorTimeouts:
    """Limits in seconds, and a count.

    start: from the start of the process until it is ready; it may compile. silent: between two messages. loading: between two
    messages before the process is ready, when loading a library may delay them. stuck: for tracking one webcam frame;
    everything is compiled before the process is ready. backoff: longest pause before a restart; the first is 0.1, and it doubles
    while processes live shorter than `young`. attempts: starts in a row that may fail before a process was ever ready.
    """

    start: float = 180.0
    silent: float = 5.0
    loading: float = 30.0
    stuck: float = 5.0
    backoff: float = 5.0
    young: float = 10.0
    attempts: int = 5


@dataclass(frozen=True)
class _Ending:
    """Why a process ended or has to be ended. reason: for the log. was_ready: whether the avatar had been loaded. by_itself:
    whether the process is about to end without being killed."""

    reason: str
    was_ready: bool
    by_itself: bool = False


class RenderWorker:
    """A supervised render process.

    times: milliseconds by stage: track, solve, pose and splat from the process; decode (webcam frame to the tracker's RGB);
    total (webcam frame decoded to picture ready to encode). ready: whether the avatar is loaded. face: whether somebody drives
    it now. calibrating: whether the resting face is being measured. failure: one sentence once the process can never work, as it
    has reported or because its first `SupervisorTimeouts.attempts` starts have failed; else empty. starts: processes so far.
    """

    def __init__(self, setup: Setup, *, views: int, avatar: bytes = b"", timeouts: SupervisorTimeouts | None = None) -> None:
        """avatar: the avatar file's bytes, given to the pipeline. Raises `VisavisError` when there is not enough memory."""
        self._setup, self._avatar = setup, avatar
        self._timeouts = timeouts or SupervisorTimeouts()
        self._layout = Layout(views, setup.width, setup.height, MAX_SIDE * MAX_SIDE * 3, len(avatar))
        self._context = multiprocessing.get_context("spawn")
        self._block = SharedBlock(self._layout)
        self._views: dict[int, OpenView] = {}
        self._generation = 0
        self._lock = threading.Lock()  # guards the block and the attributes below; never held while anything can block
        self._line: ServerEnd[Message] | None = None
        self._process: Any = None
        self._stopping = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="render-supervisor", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._to_rgb = VideoReformatter()
        self._on_change: Callable[[], None] = lambda: None
        self.times = StageTimes()
        self.ready = False
        self.failure = ""
        self.face = False
        self.calibrating = False
        self.starts = 0

    def start(self, on_change: Callable[[], None] | None = None) -> None:
        """Start the process; call it on the event loop. `on_change` is called there when `ready` or `failure` changes."""
        self._loop = asyncio.get_running_loop()
        self._on_change = on_change or self._on_change
        self._supervisor.start()

    async def stop(self) -> None:
        """Stop the process and free the memory; ends within three seconds whatever the process does. May be called twice."""
        with self._lock:
            self._stopping.set()
            self._views.clear()
            self._block.flags.stop()
            if self._line is not None:
                self._line.wake()
        deadline = time.monotonic() + STOP_TIMEOUT + 1.5 * KILL_TIMEOUT
        while self._supervisor.is_alive() and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        if self._supervisor.is_alive():  # it waits in a system call that may never return
            log.warning("the render process cannot be stopped; it is left behind")
            if self._process is not None:
                self._process.kill()
            return
        with self._lock:
            self._block.close()

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        process = self._process
        return None if process is None else process.pid

    def open_view(self, deliver: Deliver, priority: float = 0.0) -> OpenView:
        """A new view. `deliver` gets each of its pictures on the event loop, as a yuv420p frame of its own.

        Views with lower `priority` are served first. Raises `VisavisError` when all views are taken.
        """
        slot = next((i for i in range(self._layout.views) if i not in self._views), None)
        if slot is None:
            raise VisavisError(f"at most {self._layout.views} views can be open at once; close one first")
        self._generation += 1
        view = OpenView(slot, self._generation, priority, deliver, self._update_view)
        with self._lock:
            self._views[slot] = view
        view.look(ViewRequest())
        return view

    def submit(self, frame: av.VideoFrame, arrival: float) -> None:
        """Give the process a webcam frame that was decoded at `arrival` (`time.monotonic`). Takes 1-2 ms; one thread."""
        if not self.ready:
            return
        start = time.perf_counter()
        scale = min(1.0, MAX_SIDE / max(frame.width, frame.height))
        width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
        rgb = self._to_rgb.reformat(frame, width=width, height=height, format="rgb24")
        plane = rgb.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(height, plane.line_size)[:, : width * 3]
        with self._lock:
            if not self.ready or self._stopping.is_set() or self._line is None:
                return
            self._block.webcam.write(height, width, arrival, lambda out: np.copyto(out, rows.reshape(out.shape)))
            self._line.wake()
        self.times.add("decode", (time.perf_counter() - start) * 1000)

    def recalibrate(self) -> None:
        """Measure the resting face anew in the next second; nothing happens while it is being measured or the avatar loads."""
        with self._lock:
            if self.ready and not self._stopping.is_set():
                self._block.flags.recalibrate()

    def _update_view(self, view: OpenView) -> None:
        with self._lock:
            if self._stopping.is_set():
                return
            if view.is_open:
                self._block.views.set(view.row)
            else:
                self._block.views.free(view.slot)
                self._views.pop(view.slot, None)

    # The supervisor's thread

    def _supervise(self) -> None:
        try:
            self._keep_running()
        except Exception:
            log.exception("the supervisor of the render process failed")
            if self._process is not None:
                self._process.kill()
            self._fail("the render process cannot be started or supervised; look at the log and start the server again")

    def _keep_running(self) -> None:
        pause, was_ever_ready, failed = 0.1, False, 0
        while not self._stopping.is_set() and not self.failure:
            born = time.monotonic()
            try:
                self._spawn()
            except OSError as error:
                log.warning("the render process cannot be started now (%s); trying again", error.strerror or error)
            else:
                ending = self._monitor()
                reason = self._reap(ending)
                was_ever_ready, failed = was_ever_ready or ending.was_ready, failed + 1
                if self._stopping.is_set() or self.failure:
                    return
                if failed >= self._timeouts.attempts and not was_ever_ready:
                    self._fail(
                        f"the render process was expected to load the avatar, but {failed} times it {reason} before it was "
                        "ready; free some memory or look at the log for the reason, and start again"
                    )
                    return
                log.warning("the render process %s; starting it again", reason)
            pause = 0.1 if time.monotonic() - born > self._timeouts.young else pause
            self._stopping.wait(pause)
            pause = min(pause * 2, self._timeouts.backoff)

    def _spawn(self) -> None:
        """Start a process. Raises `OSError` when the system has no room for it now."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = self._context.Process(
                target=render_process.main,
                args=(self._setup, self._block, theirs, self._timeouts.stuck),
                name="visavis-render",
                daemon=True,
            )
            with self._lock:
                self._block.clear()
                if self._avatar:
                    self._block.avatar[:] = np.frombuffer(self._avatar, np.uint8)
                for view in self._views.values():
                    self._block.views.set(view.row)
                if self._stopping.is_set():
                    self._block.flags.stop()
                self._line = ServerEnd(ours, decode)
            try:
                process.start()
            except BaseException:
                self._hang_up()
                raise
        self._process = process
        self.starts += 1

    def _monitor(self) -> _Ending:
        """Read messages until the process ends or has to be ended."""
        line = self._line
        assert line is not None
        timeouts, born = self._timeouts, time.monotonic()
        last_message = born
        while not self._stopping.is_set() and not self.failure:
            try:
                messages = line.receive(0.1)
            except EOFError:
                return _Ending("ended", self.ready, by_itself=True)
            except ValueError as error:
                log.warning("%s", error)
                return _Ending("sent an invalid message", self.ready)
            now = time.monotonic()
            last_message = now if messages else last_message
            for message in messages:
                self._handle(message)
            if now - last_message > (timeouts.silent if self.ready else timeouts.loading):
                return _Ending("fell silent", self.ready)
            if not self.ready and now - born > timeouts.start:
                return _Ending(f"took more than {timeouts.start:.0f} s", was_ready=False)
        return _Ending("was stopped", self.ready, by_itself=self.ready and self._stopping.is_set())

    def _reap(self, ending: _Ending) -> str:
        """End the process, which has `STOP_TIMEOUT` where it ends by itself; returns how it ended, for the log."""
        process = self._process
        process.join(STOP_TIMEOUT if ending.by_itself else 0.0)
        code = process.exitcode
        self._set_ready(False)
        self._hang_up()
        if code is None:
            process.kill()
            process.join(KILL_TIMEOUT)
        self._process = None
        if code is None:
            return ending.reason
        if code == render_process.HUNG:
            return "hung in tracking a webcam frame"
        return f"was ended by {signal_name(-code)}" if code < 0 else f"ended with status {code}"

    def _hang_up(self) -> None:
        with self._lock:
            line, self._line = self._line, None
        if line is not None:
            line.close()

    def _handle(self, message: Message) -> None:
        if isinstance(message, Ready):
            self._set_ready(True)
        elif isinstance(message, Failed):
            self._fail(message.sentence)
        elif isinstance(message, Heartbeat):
            self.face, self.calibrating = message.face, message.calibrating
        else:
            self.face, self.calibrating = message.face, message.calibrating
            for stage, milliseconds in message.stages.items():
                self.times.add(stage, milliseconds)
            for rendered in message.views:
                self._hand_out(rendered)

    def _hand_out(self, rendered: RenderedView) -> None:
        view = self._views.get(rendered.slot)
        if view is None or view.generation != rendered.generation:
            return  # it has been closed meanwhile
        try:
            converted = view.convert(self._block.pictures[rendered.slot])
        except (ValueError, av.FFmpegError):
            return  # the slot holds no valid picture
        if converted is None:
            return
        frame, arrival = converted
        age = time.monotonic() - arrival
        if arrival > 0 and age >= 0 and math.isfinite(age):
            self.times.add("total", age * 1000)
        if view.offer(frame):
            self._post(view.deliver)

    def _fail(self, sentence: str) -> None:
        self.failure = sentence
        self._post(self._on_change)

    def _set_ready(self, ready: bool) -> None:
        if not ready:
            self.face = self.calibrating = False
        if ready != self.ready:
            self.ready = ready
            self._post(self._on_change)

    def _post(self, call: Callable[[], None]) -> None:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            self._stopping.set()  # the loop was closed without `stop`


def signal_name(number: int) -> str:
    """SIGKILL for 9; what the log calls a signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
