"""The server's end of the render process: it starts it, feeds it, hands its pictures out, and starts it again when it dies.

Nothing here blocks the event loop. One thread supervises: it spawns the process, reads its words, converts its pictures to
what the encoders take, and posts them to the loop; when the process dies, hangs or falls silent, it is killed and started
again with the same arguments, and the open views go on. Webcam frames come in from whatever thread calls `submit`.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from models.errors import VisavisError
from realtime import render_process
from realtime.render_process import Setup
from realtime.shared import Layout, PictureSlot, SharedBlock, Snapshot, ViewRow
from realtime.timing import StageTimes
from realtime.view import View

log = logging.getLogger(__name__)

MAX_SIDE = 960
"""Pixels; a webcam frame with a longer side is scaled down on the way to the tracker."""

STOP_TIMEOUT = 2.0
"""Seconds that the process has to stop by itself."""

Deliver = Callable[[av.VideoFrame], None]


@dataclass(frozen=True)
class Patience:
    """Seconds. start: for the process to be ready (it may compile). silent: between signs of life.
    backoff: longest pause before another start; the first is 0.1, and it doubles while the process dies before it is ready."""

    start: float = 180.0
    silent: float = 5.0
    backoff: float = 5.0


class RenderWorker:
    """A supervised render process.

    `times` holds milliseconds by stage: track, solve, pose and splat from the process; decode (webcam frame to the tracker's
    RGB); total (webcam frame decoded to picture ready to encode). `ready` tells whether the avatar is loaded; `failure` is
    one sentence once the process has said that it can never work.
    """

    def __init__(self, setup: Setup, *, views: int, patience: Patience | None = None) -> None:
        self._setup = setup
        self._patience = patience or Patience()
        self._layout = Layout(views, setup.width, setup.height, MAX_SIDE * MAX_SIDE * 3)
        self._context = multiprocessing.get_context("spawn")
        self._block = SharedBlock(self._layout)
        self._views: dict[int, OpenView] = {}
        self._generation = 0
        self._lock = threading.Lock()  # guards what follows, shared by the loop, the supervisor and the feeder
        self._pipe: Connection | None = None
        self._frames: Any = None
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
        """Stop the process and free the memory; ends within a few seconds whatever the process does."""
        self._stopping.set()
        self._say("stop")
        if self._supervisor.is_alive():
            await asyncio.to_thread(self._supervisor.join)
        with self._lock:
            self._views.clear()
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
        start = time.perf_counter()
        scale = min(1.0, MAX_SIDE / max(frame.width, frame.height))
        width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
        rgb = self._to_rgb.reformat(frame, width=width, height=height, format="rgb24")
        plane = rgb.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(height, plane.line_size)[:, : width * 3]
        with self._lock:
            if not self.ready or self._stopping.is_set():
                return
            self._block.webcam.write(height, width, arrival, lambda out: np.copyto(out, rows.reshape(out.shape)))
            self._frames.release()
        self.times.add("decode", (time.perf_counter() - start) * 1000)

    def recalibrate(self) -> None:
        """Take the face of the next second as neutral."""
        self._say("recalibrate")

    def _say(self, *words: str) -> None:
        with self._lock:
            if self._pipe is not None:
                try:
                    self._pipe.send(words)
                except OSError:
                    log.debug("the render process is gone; %s was not said", words[0])

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
            self.failure = "the render process cannot be started or heard; look at the log and start the server again"
            self._changed()

    def _keep_running(self) -> None:
        pause = 0.1
        while not self._stopping.is_set():
            self._spawn()
            was_ready = self._attend()
            self._reap()
            if self.failure:
                return
            pause = 0.1 if was_ready else min(pause * 2, self._patience.backoff)
            if not self._stopping.wait(pause):
                log.warning("the render process has ended unasked; starting it again")

    def _spawn(self) -> None:
        ours, theirs = self._context.Pipe()
        with self._lock:
            self._block.clear()
            self._frames = self._context.Semaphore(0)
            self._process = self._context.Process(
                target=render_process.main,
                args=(self._setup, self._layout, self._block.name, theirs, self._frames),
                name="visavis-render",
                daemon=True,
            )
            self._pipe = ours
        self._process.start()
        self.starts += 1
        theirs.close()

    def _attend(self) -> bool:
        """Listen until the process ends or has to; returns whether it was ever ready."""
        pipe = self._pipe
        assert pipe is not None
        was_ready = False
        last_sign = time.monotonic()
        while not self._stopping.is_set():
            try:
                if pipe.poll(0.1):
                    self._hear(pipe.recv())
                    last_sign = time.monotonic()
            except (EOFError, OSError):
                return was_ready
            was_ready = was_ready or self.ready
            limit = self._patience.silent if was_ready else self._patience.start
            if time.monotonic() - last_sign > limit:
                log.warning("the render process has been silent for %.0f s", limit)
                return was_ready
        return was_ready

    def _reap(self) -> None:
        process, pipe = self._process, self._pipe
        if self._stopping.is_set() and self.ready:
            process.join(STOP_TIMEOUT)  # it has been told to; one that still loads does not listen yet
        self._set_ready(False)
        with self._lock:
            self._pipe = None
        if process.is_alive():
            process.kill()
        process.join()
        if pipe is not None:
            pipe.close()

    def _hear(self, words: tuple[Any, ...]) -> None:
        if words[0] == "ready":
            self._set_ready(True)
        elif words[0] == "failed":
            self.failure = words[1]
            self._changed()
        elif words[0] == "rendered":
            _, rows, stages, self.face, self.calibrating = words
            for stage, milliseconds in stages.items():
                self.times.add(stage, milliseconds)
            for slot, generation in rows:
                self._hand_out(slot, generation)

    def _hand_out(self, slot: int, generation: int) -> None:
        view = self._views.get(slot)
        if view is None or view.generation != generation or self._loop is None:
            return
        made = view.convert(self._block.pictures[slot])
        if made is None:
            return
        frame, arrival = made
        if arrival > 0:
            self.times.add("total", (time.monotonic() - arrival) * 1000)
        try:
            self._loop.call_soon_threadsafe(view.deliver, frame)
        except RuntimeError:
            self._stopping.set()  # the loop was closed without `stop`

    def _set_ready(self, ready: bool) -> None:
        if ready != self.ready:
            self.ready = ready
            self._changed()

    def _changed(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._on_change)


class OpenView:
    """A view that the process renders: `look` moves it, `close` ends it. Made by `RenderWorker.open_view`."""

    def __init__(self, worker: RenderWorker, slot: int, generation: int, priority: float, deliver: Deliver) -> None:
        self._worker, self._slot, self._priority = worker, slot, priority
        self.generation = generation
        self._deliver = deliver
        self._sequence = 0
        self._to_yuv = VideoReformatter()
        self._open = True
        self.times = StageTimes(window=2.0)

    def look(self, view: View) -> None:
        """Look from there, from the next picture on."""
        if self._open:
            self._worker._move(ViewRow(self._slot, self.generation, self._priority, view), self._slot)

    def close(self) -> None:
        """No more pictures; the slot is free for another page."""
        if self._open:
            self._open = False
            self._worker._move(None, self._slot)

    def deliver(self, frame: av.VideoFrame) -> None:
        """On the event loop: hand a picture to whoever opened the view."""
        if self._open:
            self.times.add("picture", 0.0)
            self._deliver(frame)

    def convert(self, slot: PictureSlot) -> tuple[av.VideoFrame, float] | None:
        """The slot's newest picture as yuv420p (BT.601, limited range: what browsers take VP8 to be), and its stamp."""

        def to_yuv(picture: Snapshot) -> tuple[av.VideoFrame, float, int]:
            rgb = av.VideoFrame.from_numpy_buffer(picture.pixels, format="rgb24")
            return self._to_yuv.reformat(rgb, format="yuv420p"), picture.stamp, picture.sequence

        made = slot.read(self._sequence, to_yuv)
        if made is None:
            return None
        frame, stamp, self._sequence = made
        return frame, stamp
