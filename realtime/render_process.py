"""The inside of the render process: webcam frames in, pictures of every open view out.

Two threads. One takes the newest webcam frame and turns it into a drive frame; the other renders the newest drive frame for
the open views. A one-slot mailbox lies between them, so that tracking the next frame overlaps with drawing this one and
nothing waits in line. Words to and from the server are tuples on a pipe: `ready`, `beat`, `rendered`, `failed` out,
`recalibrate`, `stop` in; a closed pipe means that the server is gone, and ends the process.
"""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from models.errors import VisavisError
from models.types import DriveFrame
from realtime.mailbox import Mailbox
from realtime.pipeline import Pipeline, Pixels, load_factory
from realtime.schedule import Job, ViewSchedule
from realtime.shared import Layout, SharedBlock

BEAT = 0.5
"""Seconds between two signs of life."""
IDLE = 1 / 60
"""Seconds between two looks at the cameras while no drive frame comes."""
STUCK = 10.0
"""Seconds after which a webcam frame that is still being tracked counts as hung."""


@dataclass(frozen=True)
class Setup:
    """Plain start arguments. factory: 'module:callable' that makes a `Pipeline` from `options`, width and height."""

    factory: str
    options: dict[str, Any] = field(default_factory=dict)
    width: int = 512
    height: int = 512


@dataclass(frozen=True)
class _Driven:
    """A drive frame on its way to the renderer. number: counts from 1. made: when, `time.monotonic`.
    arrival: the webcam frame's stamp. stages: milliseconds so far."""

    drive: DriveFrame
    number: int
    made: float
    arrival: float
    stages: dict[str, float]


def main(setup: Setup, layout: Layout, memory: str, pipe: Connection, frames: Any) -> None:
    """The process's entry point. `frames` is a semaphore that the server raises for each webcam frame."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the server decides when we stop
    try:
        pipeline = load_factory(setup.factory)(**setup.options, width=setup.width, height=setup.height)
    except VisavisError as error:
        pipe.send(("failed", str(error)))
        return
    block = SharedBlock(layout, memory)
    try:
        _RenderLoop(pipeline, block, pipe, frames).run()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the server is gone
    finally:
        block.close()


class _RenderLoop:
    def __init__(self, pipeline: Pipeline, block: SharedBlock, pipe: Connection, frames: Any) -> None:
        self._pipeline, self._block, self._pipe, self._frames = pipeline, block, pipe, frames
        self._drives: Mailbox[_Driven] = Mailbox()
        self._schedule = ViewSchedule(time.monotonic)
        self._recalibrate = threading.Event()
        self._stopping = threading.Event()
        self._crash: BaseException | None = None
        self._tracking_since: float | None = None
        self._last_beat = 0.0
        shape = (block.layout.height, block.layout.width, 3)
        self._canvas: Pixels = np.zeros(shape, np.uint8)

    def run(self) -> None:
        """Work until told to stop."""
        tracking = threading.Thread(target=self._track, name="track", daemon=True)
        tracking.start()
        self._pipe.send(("ready",))
        last = _Driven(DriveFrame(confidence=0.0), 0, 0.0, 0.0, {})
        while not self._stopping.is_set():
            self._beat()
            self._listen()
            driven = self._drives.get(IDLE)
            rows = self._block.views.open_rows()
            schedule = self._schedule
            jobs = schedule.moved(rows) if driven is None else schedule.round(rows, driven.number, driven.made)
            for job in jobs:
                self._render(driven or last, job, fresh=driven is not None)
            last = driven or last
            if self._crash is not None:
                raise self._crash
        tracking.join(1.0)

    def _track(self) -> None:
        sequence = number = 0
        try:
            while not self._stopping.is_set():
                if not self._frames.acquire(timeout=BEAT):
                    continue
                while self._frames.acquire(False):
                    pass  # one look serves all the frames announced so far
                if self._recalibrate.is_set():
                    self._recalibrate.clear()
                    self._pipeline.recalibrate()
                frame = self._block.webcam.copy(after=sequence)
                if frame is None:
                    continue
                sequence = frame.sequence
                self._tracking_since = time.monotonic()
                drive = self._pipeline.step(frame.pixels, frame.stamp)
                self._tracking_since = None
                number += 1
                self._drives.put(_Driven(drive, number, time.monotonic(), frame.stamp, dict(self._pipeline.timings)))
        except BaseException as error:  # the other thread raises it, and so ends the process
            self._crash = error

    def _render(self, driven: _Driven, job: Job, *, fresh: bool) -> None:
        self._pipeline.render(driven.drive, job.view, self._canvas)
        stages = {**driven.stages, **self._pipeline.timings}
        height, width = self._canvas.shape[:2]
        for row in job.rows:
            self._block.pictures[row.slot].write(
                height, width, driven.arrival if fresh else 0.0, lambda out: np.copyto(out, self._canvas)
            )
        self._pipe.send(
            (
                "rendered",
                tuple((row.slot, row.generation) for row in job.rows),
                stages,
                driven.drive.confidence > 0,
                self._pipeline.calibrating,
            )
        )

    def _beat(self) -> None:
        now = time.monotonic()
        since = self._tracking_since
        hung = since is not None and now - since > STUCK
        if now - self._last_beat >= BEAT and not hung:
            self._last_beat = now
            self._pipe.send(("beat",))

    def _listen(self) -> None:
        while self._pipe.poll(0):
            word = self._pipe.recv()[0]
            if word == "stop":
                self._stopping.set()
            elif word == "recalibrate":
                self._recalibrate.set()
