"""The render process: webcam frames in, pictures of every open view out.

Two threads. One takes the newest webcam frame and turns it into a drive frame; the other renders the newest drive frame for
the open views, or eases the avatar to rest while none comes. A one-slot mailbox lies between them, so that tracking the next
frame overlaps with rendering this one and nothing queues up. A third thread sends heartbeats while the avatar loads, and ends
the process when the server is gone, whatever the other two are doing. The messages are in `realtime.messages`.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from models.errors import VisavisError
from models.types import DriveFrame
from realtime.mailbox import Mailbox
from realtime.messages import Failed, Heartbeat, Message, Ready, Rendered, RenderedView, encode
from realtime.pipeline import Pipeline, Pixels, load_factory
from realtime.rest import REST, STEP, Resting
from realtime.schedule import Job, ViewSchedule
from realtime.shared import SharedBlock

BEAT = 0.5
"""Seconds between two heartbeats."""
IDLE = 1 / 60
"""Seconds between two reads of the view table while no drive frame comes."""
HUNG = 75
"""Status with which the process ends when tracking hangs."""
ORPHAN = 1.0
"""Seconds that the process has to end by itself when the server is gone."""
_WAKES = 65_536


@dataclass(frozen=True)
class Setup:
    """Plain start arguments. factory: 'module:callable' that makes a `Pipeline` from `options`, width and height, and
    `avatar` (bytes) when the worker was given an avatar file."""

    factory: str
    options: dict[str, Any] = field(default_factory=dict)
    width: int = 512
    height: int = 512


@dataclass(frozen=True)
class _Driven:
    """A drive frame on its way to the renderer. number: counts from 1. made: when, `time.monotonic`.
    arrival: the webcam frame's stamp, 0 for a picture that no webcam frame made. stages: milliseconds so far."""

    drive: DriveFrame
    number: int
    made: float
    arrival: float
    stages: dict[str, float]


class HungError(Exception):
    """Tracking one webcam frame takes longer than `SupervisorTimeouts.stuck`."""


def main(setup: Setup, block: SharedBlock, line: socket.socket, stuck: float) -> None:
    """The process's entry point. line: its end of the line to the server. stuck: see `realtime.worker.SupervisorTimeouts`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the server decides when we stop
    line.setblocking(True)
    loading = threading.Event()
    loading.set()
    threading.Thread(target=_watch_server, args=(line, loading), name="lifeline", daemon=True).start()
    avatar = {"avatar": block.avatar.tobytes()} if block.layout.avatar_bytes else {}
    try:
        pipeline = load_factory(setup.factory)(**setup.options, **avatar, width=setup.width, height=setup.height)
    except VisavisError as error:
        line.sendall(encode(Failed(str(error))))
        return
    finally:
        loading.clear()
    try:
        _RenderLoop(pipeline, block, line, stuck).run()
    except HungError:
        os._exit(HUNG)  # an orderly end would wait for what hangs
    except (BrokenPipeError, ConnectionResetError):
        return  # the server is gone


def _watch_server(line: socket.socket, loading: threading.Event) -> None:
    poll = select.poll()
    poll.register(line, 0)  # a closed line is always reported
    while not poll.poll(BEAT * 1000):
        if loading.is_set():
            with suppress(OSError):
                line.sendall(encode(Heartbeat()))
    time.sleep(ORPHAN)
    os._exit(0)


class _RenderLoop:
    def __init__(self, pipeline: Pipeline, block: SharedBlock, line: socket.socket, stuck: float) -> None:
        self._pipeline, self._block, self._line, self._stuck = pipeline, block, line, stuck
        self._drives: Mailbox[_Driven] = Mailbox()
        self._resting = Resting()
        self._shown = _Driven(REST, 0, 0.0, 0.0, {})
        self._tracked = 0
        self._schedule = ViewSchedule(time.monotonic)
        self._stopping = threading.Event()
        self._crash: BaseException | None = None
        self._tracking = 0
        self._watched, self._tracked_for, self._looked = 0, 0.0, time.monotonic()
        self._last_beat = 0.0
        shape = (block.layout.height, block.layout.width, 3)
        self._canvas: Pixels = np.zeros(shape, np.uint8)

    def run(self) -> None:
        """Work until told to stop. Raises `HungError`."""
        tracking = threading.Thread(target=self._track, name="track", daemon=True)
        tracking.start()
        self._send(Ready())
        while not self._is_stopping():
            self._beat()
            self._watch_tracking()
            is_new = self._update(self._drives.get(IDLE))
            rows, shown = self._block.views.open_rows(), self._shown
            if is_new:
                jobs = self._schedule.round(rows, shown.number, shown.made)
            else:
                jobs = self._schedule.moved(rows, settled=shown.drive is REST)
            for job in jobs:
                self._render(shown, job, fresh=is_new)
            if self._crash is not None:
                raise self._crash
        tracking.join(ORPHAN)

    def _is_stopping(self) -> bool:
        return self._stopping.is_set() or self._block.flags.stopping

    def _update(self, driven: _Driven | None) -> bool:
        """Update `_shown` with the drive frame that has just come, if any; returns whether it has changed."""
        now, last, resting = time.monotonic(), self._shown, self._resting
        if driven is not None and resting.see(driven.drive, driven.made):
            number = last.number + max(1, driven.number - self._tracked)
            self._tracked = driven.number
            self._shown = replace(driven, drive=resting.show(now), number=number)
            return True
        pace = 2 * STEP if resting.driven else STEP
        if now - last.made < pace or (drive := resting.show(now)) is last.drive:
            return False
        self._shown = _Driven(drive, last.number + 1, now, 0.0, {})
        return True

    def _track(self) -> None:
        sequence = number = 0
        wake = select.poll()
        wake.register(self._line, select.POLLIN)
        try:
            while not self._is_stopping():
                if not wake.poll(BEAT * 1000):
                    continue
                if not self._line.recv(_WAKES):  # one look serves all the frames announced so far
                    self._stopping.set()
                    return
                if self._block.flags.take_recalibrate() and not self._pipeline.calibrating:
                    self._pipeline.recalibrate()
                frame = self._block.webcam.copy(after=sequence)
                if frame is None:
                    continue
                sequence = frame.sequence
                number += 1
                self._tracking = number
                drive = self._pipeline.step(frame.pixels, frame.stamp)
                self._tracking = 0
                self._drives.put(_Driven(drive, number, time.monotonic(), frame.stamp, dict(self._pipeline.timings)))
        except BaseException as error:  # the other thread raises it, and so ends the process
            self._crash = error

    def _render(self, shown: _Driven, job: Job, *, fresh: bool) -> None:
        self._pipeline.render(shown.drive, job.view, self._canvas)
        stages = {**shown.stages, **self._pipeline.timings}
        height, width = self._canvas.shape[:2]
        for row in job.rows:
            self._block.pictures[row.slot].write(
                height, width, shown.arrival if fresh else 0.0, lambda out: np.copyto(out, self._canvas)
            )
        views = [RenderedView(row.slot, row.generation) for row in job.rows]
        self._send(Rendered(views, stages, self._resting.driven, self._pipeline.calibrating))

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._last_beat >= BEAT:
            self._last_beat = now
            self._send(Heartbeat(self._resting.driven, self._pipeline.calibrating))

    def _watch_tracking(self) -> None:
        """Raise `HungError` when one frame is tracked for longer than `stuck`. Time in which this thread does not run either, on
        a busy or suspended machine, counts as little."""
        now, tracking = time.monotonic(), self._tracking
        if not tracking or tracking != self._watched:
            self._watched, self._tracked_for = tracking, 0.0
        else:
            self._tracked_for += min(now - self._looked, BEAT)
        self._looked = now
        if self._tracked_for > self._stuck:
            raise HungError

    def _send(self, message: Message) -> None:
        self._line.sendall(encode(message))
