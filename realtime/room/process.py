"""The inside of a room's render process: webcam pictures of everybody in, the pictures of all open views out.

Threads: one reads what the server says; one loads avatars; some track faces, each those of its own participants; the main one
draws. One-slot mailboxes lie between them, so tracking the next picture overlaps with drawing this one and nothing waits in
line. A last one gives signs of life and ends the process when the server is gone, whatever the others are doing.
"""

from __future__ import annotations

import math
import os
import queue
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from models.errors import VisavisError
from realtime.quality import QualityControl
from realtime.rest import STEP
from realtime.room import messages, seating
from realtime.room.blame import Blame
from realtime.room.drive_exchange import DriveExchange
from realtime.room.framing import ANY, Framing
from realtime.room.hang import HangWatch, HungError
from realtime.room.layout import Layout, Shot, ViewRequest
from realtime.room.memory import RoomMemory
from realtime.room.messages import Beat, Failed, Join, Joined, Leave, ProcessEnd, Ready, Refused, Rendered, Replace, Replaced
from realtime.room.person import TrackedPerson
from realtime.room.picture_schedule import Job, PictureSchedule, RestPace
from realtime.room.pipeline import PictureOrder, Pixels, RoomPipeline, Shown, load_factory
from realtime.room.supervision import SupervisorTimeouts
from realtime.room.tracking import FIRST_TRACKER, MOST_TRACKERS, Trackers, TrackingRoom

BEAT = 0.5
"""Seconds between two signs of life."""
IDLE = 1 / 60
"""Seconds between two looks at the requests while nothing moves."""
HUNG = 75
"""Status with which the process ends when a thread hangs."""
ORPHAN = 1.0
"""Seconds that the process has to end by itself when the server is gone."""
QUIET = 0.3
"""Seconds in which nobody came after which it is looked whether pictures can be made cheaper."""
LOADING, DRAWING = range(FIRST_TRACKER)
"""Workers, as `Flags.work_on` counts them."""


@dataclass(frozen=True)
class RoomSetup:
    """Plain start arguments. factory: 'module:callable' that makes a `RoomPipeline` from `options`, width and height.
    trackers: threads; 0: one for every two cores."""

    factory: str = "realtime.room.pipeline:LiveRoomPipeline"
    options: dict[str, Any] = field(default_factory=dict)
    width: int = 512
    height: int = 512
    trackers: int = 0


def main(setup: RoomSetup, memory: RoomMemory, line: socket.socket, timeouts: SupervisorTimeouts, careful: bool = False) -> None:
    """The process's entry point. line: its end of the line to the server. careful: whether one before died of somebody."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the server decides when we stop
    end, loading = ProcessEnd(line), threading.Event()
    loading.set()
    threading.Thread(target=_watch_server, args=(end, loading), name="lifeline", daemon=True).start()
    try:
        pipeline = load_factory(setup.factory)(**setup.options, width=setup.width, height=setup.height)
    except VisavisError as error:
        end.say(Failed(str(error)))
        return
    finally:
        loading.clear()
    try:
        _RoomLoop(pipeline, setup, memory, end, timeouts, careful=careful).run()
    except HungError:
        os._exit(HUNG)  # an orderly end would wait for what hangs
    except (BrokenPipeError, ConnectionResetError):
        return  # the server is gone


def _watch_server(end: ProcessEnd, loading: threading.Event) -> None:
    poll = select.poll()
    poll.register(end.line, 0)  # hanging up is always told
    while not poll.poll(BEAT * 1000):
        if loading.is_set():
            end.say(Beat())
    time.sleep(ORPHAN)
    os._exit(0)


class _RoomLoop:
    def __init__(
        self, pipeline: RoomPipeline, setup: RoomSetup, memory: RoomMemory, end: ProcessEnd, timeouts: SupervisorTimeouts, *,
        careful: bool = False,
    ) -> None:  # fmt: skip
        self._pipeline, self._memory, self._end = pipeline, memory, end
        self._layout = Layout(setup.width, setup.height)
        self._schedule = PictureSchedule(time.monotonic)
        self._quality = QualityControl()
        self._newest: dict[ViewRequest, float] = {}  # when the newest webcam picture came that each picture has shown
        self._wanted: dict[ViewRequest, dict[int, int]] = {}  # the version of each person that each picture should show
        self._drawn: dict[ViewRequest, dict[int, int]] = {}  # and shows
        self._people: dict[int, TrackedPerson] = {}
        self._lock = threading.Lock()  # guards `_people`
        self._saying = threading.Lock()
        self._loads: queue.SimpleQueue[tuple[Join | Leave | Replace, bytes]] = queue.SimpleQueue()
        self._leaving: queue.SimpleQueue[int] = queue.SimpleQueue()  # whom the drawing thread forgets between two pictures
        self._changed = threading.Event()
        self._tracker_count = setup.trackers or min(MOST_TRACKERS, max(1, (os.cpu_count() or 2) // 2))
        limits = [timeouts.avatar, math.inf, *[timeouts.stuck] * self._tracker_count]
        self._watch = HangWatch(limits, time.monotonic())
        self._blame = Blame(memory.flags, self._watch, careful=careful)
        tracking = TrackingRoom(pipeline, memory, self._blame, self._everybody, self._changed.set, lambda: self._stopping)
        self._trackers = Trackers(tracking, self._tracker_count)
        self._crash: BaseException | None = None
        self._closing = False
        self._last_beat = 0.0
        self._pace = RestPace()
        self._frames: dict[int, Framing] = {}  # of the picture that each participant sees from the own seat
        self._drives = DriveExchange(memory, lambda: self._send(messages.Moved()))

    def run(self) -> None:
        """Work until told to stop. Raises `HungError`."""
        self._start(self._read)
        self._start(self._load)
        for index in range(self._tracker_count):
            self._start(self._trackers.run, index)
        self._send(Ready())
        while not self._stopping:
            self._beat()
            now = time.monotonic()
            self._watch.check(now)
            self._advance(now)
            jobs = self._jobs(now)
            self._release()
            due, wait = self._schedule.due(jobs, self._pipeline.at_once)
            if due:
                self._draw(due)
            else:
                self._changed.wait(min(wait, IDLE))
            self._changed.clear()
            if self._crash is not None:
                raise self._crash

    @property
    def _stopping(self) -> bool:
        return self._closing or self._memory.flags.stopping

    def _everybody(self) -> list[TrackedPerson]:
        with self._lock:
            return list(self._people.values())

    def _start(self, work: Callable[..., None], *args: Any) -> None:
        def guarded() -> None:
            try:
                work(*args)
            except BaseException as error:  # the main thread raises it, and so ends the process
                self._crash = error
                self._changed.set()

        threading.Thread(target=guarded, name=work.__name__.strip("_"), daemon=True).start()

    # What the server says

    def _read(self) -> None:
        while (said := self._end.receive()) is not None:
            for message, avatar in said:
                self._loads.put((message, avatar))  # as many as people come and go: the server bounds them
            if self._drives.has_come():
                self._changed.set()
            self._trackers.wake()
        self._closing = True
        self._changed.set()

    def _load(self) -> None:
        while True:
            try:
                message, avatar = self._loads.get(timeout=QUIET if self._people else None)
            except queue.Empty:
                self._refine()
                continue
            if isinstance(message, Leave):
                self._remove(message.participant)
                continue
            is_new = isinstance(message, Join)
            refusal = ""
            with self._blame.working(LOADING, message.participant):
                try:
                    (self._pipeline.join if is_new else self._pipeline.replace)(message.participant, avatar)
                except VisavisError as error:
                    refusal = str(error)
            if refusal:
                self._send((Refused if is_new else Replaced)(message.participant, refusal))
                continue
            if isinstance(message, Replace):
                self._replaced(message.participant)
                continue
            with self._lock:
                self._people[message.participant] = TrackedPerson(message.participant, message.slot, message.order)
            self._send(Joined(message.participant))
            self._changed.set()

    def _refine(self) -> None:
        """One piece of work for whoever's pictures it makes cheaper."""
        with self._lock:
            people = list(self._people)
        for participant in people:
            with self._blame.working(LOADING, participant):
                made = self._pipeline.refine(participant)
            if made:
                return

    def _replaced(self, participant: int) -> None:
        """The next picture shows the new avatar, also of somebody who rests."""
        person = self._people.get(participant)
        if person is not None:
            person.is_new = True
            self._changed.set()
        self._send(Replaced(participant))

    def _remove(self, participant: int) -> None:
        person = self._people.get(participant)
        if person is not None:
            with person.tracking:
                person.gone = True
            self._leaving.put(participant)
            self._changed.set()

    # Drawing

    def _advance(self, now: float) -> None:
        """Bring seats and drive frames up to now."""
        while not self._leaving.empty():
            gone = self._leaving.get()
            with self._lock:
                del self._people[gone]
            self._pipeline.leave(gone)
        people = self._everybody()
        self._pace.advance(now, len(self._wanted), driven=any(person.resting.driven for person in people))
        here = {person.participant for person in people}
        for participant in self._layout.people:
            if participant not in here:
                self._layout.leave(participant, now)
        for person in people:
            self._layout.join(person.participant, person.order, now)
            if person.is_new:
                person.is_new = False
                person.version += 1
            arrival = self._drives.see(person, now)
            if arrival or now - person.made >= (2 * STEP if person.resting.driven else self._pace.step):
                self._show(person, now, arrival)
            self._drives.publish(person, now)
        self._drives.tell()

    def _show(self, person: TrackedPerson, now: float, arrival: float) -> None:
        told = person.resting.show(now)
        if told is person.told and not arrival and not person.attention.turning:
            return
        drive, seats = told, self._layout.seats(now)
        own = ViewRequest(person.participant, frame=self._frames.get(person.participant, ANY))
        shot = self._layout.shot(self._layout.fitted(own), now)
        if person.participant not in shot.people:
            eyes = np.array([seats[other].eye for other in shot.people])
            attends = person.parts.attends
            drive = person.attention(told, seats[person.participant], shot.arrangement.cells, eyes, now, attends=attends)
        person.told, person.drive, person.made = told, drive, now
        person.arrival = arrival or person.arrival
        person.version += 1

    def _jobs(self, now: float) -> list[Job]:
        rows: dict[ViewRequest, list[tuple[int, int]]] = {}
        open_views = self._memory.requests.open_views()
        self._frames = {row.request.owner: row.request.frame for row in open_views if row.request.owner >= 0}
        self._drives.is_awaited = not all(row.drawn for row in open_views)
        for slot, generation, request, _ in (row for row in open_views if row.drawn):
            rows.setdefault(self._layout.fitted(self._layout.shared(request.rounded())), []).append((slot, generation))
        self._newest = {request: self._newest[request] for request in rows if request in self._newest}
        self._drawn = {request: self._drawn[request] for request in rows if request in self._drawn}
        self._wanted = {}
        moving = self._pace.steps if self._layout.moving(now) else 0
        jobs = []
        for request, views in rows.items():
            shown = self._layout.shot(request, now).people
            versions = self._wanted[request] = {p: self._people[p].version for p in shown if p in self._people}
            state = (tuple(versions.items()), self._layout.people, moving)
            jobs.append(Job(request, state, len(shown), tuple(views)))
        return jobs

    def _release(self) -> None:
        """Let the next webcam picture of those be tracked whose last drive frame all their views show: where drawing is the
        slower of the two, frames that nobody would see take no time from it."""
        behind: set[int] = set()
        for request, versions in self._wanted.items():
            drawn = self._drawn.get(request, {})
            behind.update(p for p, version in versions.items() if drawn.get(p) != version)
        shown = [p for p in self._everybody() if p.shown != p.taken and p.participant not in behind]
        for person in shown:
            person.shown = person.taken
        if shown:
            self._trackers.wake()

    def _draw(self, jobs: list[Job]) -> None:
        now = time.monotonic()
        seats, orders, arrivals = self._layout.seats(now), [], []
        for job in jobs:
            request = cast(ViewRequest, job.key)
            shot, frame = self._layout.shot(request, now), request.frame
            shown, arrival = self._shown(shot, seats)
            driven = any(s.drive.confidence > 0 for s in shown)
            scale = self._quality.scale if driven else 1.0
            orders.append(PictureOrder(shown, shot.arrangement.camera, scale, frame.color, frame.mask))
            arrivals.append(0.0 if arrival == self._newest.get(request) else arrival)
        people = [s.participant for order in orders for s in order.shown]
        with self._blame.working(DRAWING, people[0] if len(people) == 1 else -1, patience=IDLE) as mine:
            if not mine:
                return
            drawn = self._pipeline.draw(orders)
        each = (time.monotonic() - now) / len(jobs)
        for job, picture, arrival in zip(jobs, drawn, arrivals, strict=True):
            self._pace.drew(each)
            self._deliver(job, picture, arrival)
            if arrival:
                self._quality.add(each * 1000 * len(self._newest))

    def _deliver(self, job: Job, picture: Pixels, arrival: float) -> None:
        """A picture to all of its views. arrival: of the newest webcam picture in it, 0 without a new one."""
        request = cast(ViewRequest, job.key)
        self._schedule.done(job)
        self._drawn[request] = self._wanted[request]
        if arrival:
            self._newest[request] = arrival
        height, width, pictures = request.frame.total_height, request.frame.width, self._memory.pictures
        planar = picture.ndim == 2
        rows = [
            (slot, generation, pictures[slot].write(height, width, arrival, lambda out: np.copyto(out, picture), planar=planar))
            for slot, generation in job.rows
        ]
        self._send(Rendered(rows, dict(self._pipeline.timings)))

    def _shown(self, shot: Shot, seats: dict[int, seating.Seat]) -> tuple[list[Shown], float]:
        """The avatars of a picture, and when the newest webcam picture in it came; 0 when none has."""
        camera = shot.arrangement.camera
        shown, arrival = [], 0.0
        for participant, transform, cell in zip(shot.people, shot.arrangement.transforms, shot.arrangement.cells, strict=True):
            person = self._people.get(participant)
            if person is not None:
                size = seating.pixels_per_metre(cell, camera.width, camera.height)
                shown.append(Shown(participant, person.drive, transform @ seats[participant].matrix, size))
                arrival = max(arrival, person.arrival)
        return shown, arrival

    # Signs of life

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._last_beat >= BEAT:
            self._last_beat = now
            people = self._everybody()
            driven = [p.participant for p in people if p.resting.driven]
            calibrating = [p.participant for p in people if self._pipeline.calibrating(p.participant)]
            self._send(Beat(driven, calibrating))

    def _send(self, message: messages.FromProcess) -> None:
        with self._saying:
            self._end.say(message)
