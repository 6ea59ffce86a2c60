"""The server's end of the render process: it starts it, feeds it, hands its pictures out, and starts it again when it dies.

Nothing here blocks the event loop. One thread supervises: it spawns the process, reads its messages, converts its pictures
to what the encoders take, and posts them to the loop; when the process dies, hangs or falls silent, it is killed and started
again with the same arguments, and the open views go on. Webcam frames come in from whatever thread calls `submit`. The
avatar's bytes are kept here, so that every process shows the same face, whatever has become of the file.
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
from realtime.messages import Beat, Failed, Message, Ready, Rendered, ServerEnd
from realtime.render_process import Setup
from realtime.shared import Layout, PictureSlot, SharedBlock, Snapshot, ViewRow
from realtime.timing import StageTimes
from realtime.view import View

log = logging.getLogger(__name__)

MAX_SIDE = 960
"""Pixels; a webcam frame with a longer side is scaled down on the way to the tracker."""
LEAST_SIDE = 16
"""Pixels, of a picture of the avatar."""
STOP_TIMEOUT = 1.0
"""Seconds that the process has to stop by itself."""
KILL_TIMEOUT = 1.0
"""Seconds that a killed process may take to go; one that waits for a broken disk can take for ever, and is left behind."""
ENDED = "ended"

Deliver = Callable[[av.VideoFrame], None]


@dataclass(frozen=True)
class Patience:
    """Seconds, but for attempts. start: for the process to be ready (it may compile). silent: between signs of life.
    loading: the same before it is ready, when a library that is being read may hold it up. stuck: for tracking one webcam
    frame; everything is compiled before the process is ready. backoff: longest pause before another start; the first is
    0.1, and it doubles while processes die young. young: life below which a death counts as early. attempts: starts in a row
    that may fail before the first process was ever ready."""

    start: float = 180.0
    silent: float = 5.0
    loading: float = 30.0
    stuck: float = 5.0
    backoff: float = 5.0
    young: float = 10.0
    attempts: int = 5


class RenderWorker:
    """A supervised render process.

    `times` holds milliseconds by stage: track, solve, pose and splat from the process; decode (webcam frame to the tracker's
    RGB); total (webcam frame decoded to picture ready to encode). `ready` tells whether the avatar is loaded, `face` whether
    somebody drives it now. `failure` is one sentence once the process can never work: it has said so itself, or it has died
    before it was ready `Patience.attempts` times, the first ones. `starts` counts processes.
    """

    def __init__(self, setup: Setup, *, views: int, avatar: bytes = b"", patience: Patience | None = None) -> None:
        """avatar: the avatar file's bytes, given to the pipeline. Raises `VisavisError` when there is not enough memory."""
        self._setup, self._avatar = setup, avatar
        self._patience = patience or Patience()
        self._layout = Layout(views, setup.width, setup.height, MAX_SIDE * MAX_SIDE * 3, len(avatar))
        self._context = multiprocessing.get_context("spawn")
        self._block = SharedBlock(self._layout)
        self._views: dict[int, OpenView] = {}
        self._generation = 0
        self._lock = threading.Lock()  # guards what follows and the block; never held while anything can block
        self._line: ServerEnd | None = None
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
            self._block.wishes.stop()
            if self._line is not None:
                self._line.wake()
        deadline = time.monotonic() + STOP_TIMEOUT + 1.5 * KILL_TIMEOUT
        while self._supervisor.is_alive() and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        if self._supervisor.is_alive():  # it waits for the system, which may never answer
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
        view = OpenView(self, slot, self._generation, priority, deliver)
        with self._lock:
            self._views[slot] = view
        view.look(View())
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
        """Take the face of the next second as neutral; nothing happens while one is being taken or the avatar loads."""
        with self._lock:
            if self.ready and not self._stopping.is_set():
                self._block.wishes.recalibrate()

    def _move(self, row: ViewRow | None, slot: int) -> None:
        with self._lock:
            if self._stopping.is_set():
                return
            if row is None:
                self._block.views.free(slot)
                self._views.pop(slot, None)
            else:
                self._block.views.set(row)

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
                end = self._reap(STOP_TIMEOUT if end == ENDED or (was_ready and self._stopping.is_set()) else 0.0) or end
                was_ever_ready, failed = was_ever_ready or was_ready, failed + 1
                if self._stopping.is_set() or self.failure:
                    return
                if failed >= self._patience.attempts and not was_ever_ready:
                    self._fail(
                        f"the render process was expected to load the avatar, but {failed} times it {end} before it was ready; "
                        "free some memory or look at the log for the reason, and start again"
                    )
                    return
                log.warning("the render process %s; starting it again", end)
            pause = 0.1 if time.monotonic() - born > self._patience.young else pause
            self._stopping.wait(pause)
            pause = min(pause * 2, self._patience.backoff)

    def _spawn(self) -> None:
        """Start a process. Raises `OSError` when the system has no room for it now."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = self._context.Process(
                target=render_process.main,
                args=(self._setup, self._block, theirs, self._patience.stuck),
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
                    self._block.wishes.stop()
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
                self._hear(message)
            if now - last_sign > (self._patience.silent if self.ready else self._patience.loading):
                return self.ready, "fell silent"
            if not self.ready and now - born > self._patience.start:
                return False, f"took more than {self._patience.start:.0f} s"
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
        if code == render_process.HUNG:
            return "hung in tracking a webcam frame"
        return f"was ended by {_signal_name(-code)}" if code < 0 else f"ended with status {code}"

    def _hang_up(self) -> None:
        with self._lock:
            line, self._line = self._line, None
        if line is not None:
            line.close()

    def _hear(self, message: Message) -> None:
        if isinstance(message, Ready):
            self._set_ready(True)
        elif isinstance(message, Failed):
            self._fail(message.sentence)
        elif isinstance(message, Beat):
            self.face, self.calibrating = message.face, message.calibrating
        elif isinstance(message, Rendered):
            self.face, self.calibrating = message.face, message.calibrating
            for stage, milliseconds in message.stages.items():
                self.times.add(stage, milliseconds)
            for slot, generation in message.rows:
                self._hand_out(slot, generation)

    def _hand_out(self, slot: int, generation: int) -> None:
        view = self._views.get(slot)
        if view is None or view.generation != generation:
            return
        try:
            made = view.convert(self._block.pictures[slot])
        except (ValueError, av.FFmpegError):
            return  # what lies there is no picture
        if made is None:
            return
        frame, arrival = made
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


class OpenView:
    """A view that the process renders: `look` moves it, `close` ends it. Made by `RenderWorker.open_view`."""

    def __init__(self, worker: RenderWorker, slot: int, generation: int, priority: float, deliver: Deliver) -> None:
        self._worker, self._slot, self._priority = worker, slot, priority
        self.generation = generation
        self.row = ViewRow(slot, generation, priority, View())
        self._deliver = deliver
        self._sequence = 0
        self._to_yuv = VideoReformatter()
        self._open = True
        self._next: av.VideoFrame | None = None
        self._lock = threading.Lock()
        self.times = StageTimes(window=2.0)

    def look(self, view: View) -> None:
        """Look from there, from the next picture on."""
        if self._open:
            self.row = ViewRow(self._slot, self.generation, self._priority, view)
            self._worker._move(self.row, self._slot)

    def close(self) -> None:
        """No more pictures; the slot is free for another page."""
        if self._open:
            self._open = False
            self._worker._move(None, self._slot)

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


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
