"""Which pictures of a room to draw next.

Views that show the same share a picture. A picture is due when what it shows has changed since it was drawn last and its
interval is over; of those that are due, those that waited longest are next. So each view gets an equal share of a machine
that is too slow for all, and nothing is drawn that has not changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from realtime.rest import STEP

SINGLE, SEVERAL = 1 / 50, 1 / 31
"""Seconds between two pictures of the same view at the least: of one person, whose drive frames give the beat, and of several,
whose drive frames come at different times."""
REST_SHARE, LONGEST_STEP = 0.25, 0.2
"""Part of the time that pictures of people who all rest may take, and seconds between two of them at the most."""
SMOOTHING = 0.3


@dataclass(frozen=True)
class Job:
    """One picture. key: what is shown, and how; views with the same key share it. state: changes when the picture would.
    people: how many are shown. rows: (slot, generation) of the views."""

    key: Hashable
    state: Hashable
    people: int
    rows: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class _Drawn:
    when: float
    state: Hashable
    rows: frozenset[tuple[int, int]]


_NEVER = _Drawn(-math.inf, None, frozenset())


class PictureSchedule:
    """Remembers when each picture was drawn last, and of what."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._drawn: dict[Hashable, _Drawn] = {}

    def due(self, jobs: list[Job], most: int = 1) -> tuple[list[Job], float]:
        """The jobs to do now, together, `most` of them; or none and the seconds until one is due (infinite when nothing has
        changed)."""
        self._drawn = {job.key: self._drawn.get(job.key, _NEVER) for job in jobs}
        now, found, wait = self._clock(), list[Job](), math.inf
        for job in jobs:
            last = self._drawn[job.key]
            if last.state == job.state and last.rows.issuperset(job.rows):
                continue
            when = last.when + (SINGLE if job.people <= 1 else SEVERAL)
            if when > now:
                wait = min(wait, when - now)
            else:
                found.append(job)
        found.sort(key=lambda job: self._drawn[job.key].when)
        return found[:most], 0.0 if found else wait

    def done(self, job: Job) -> None:
        """The job's picture has been drawn."""
        self._drawn[job.key] = _Drawn(self._clock(), job.state, frozenset(job.rows))


class RestPace:
    """How often people who rest are drawn while they move: 30 times a second, or less often where that would take more than
    `REST_SHARE` of the time. A busy machine is left to those who speak or come in. Times are seconds of one clock.

    step: between two pictures. steps: counts them.
    """

    def __init__(self) -> None:
        self.step, self.steps = STEP, 0
        self._drawing, self._stepped = 0.0, -math.inf

    def drew(self, seconds: float) -> None:
        """A picture took so long."""
        self._drawing += SMOOTHING * (seconds - self._drawing)

    def advance(self, now: float, pictures: int, *, driven: bool) -> None:
        """pictures: different ones that show the room now. driven: whether somebody does not rest."""
        self.step = STEP if driven else min(max(STEP, pictures * self._drawing / REST_SHARE), LONGEST_STEP)
        if now - self._stepped >= self.step:
            self.steps += 1
            self._stepped = max(self._stepped + self.step, now - self.step)  # what is late is made up for
