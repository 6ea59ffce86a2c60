"""Which views to render for a drive frame when there is not time for all of them.

Views with the same camera are one piece of work. The first view (lowest priority number) is rendered for every drive frame.
The others follow, the one that waited longest first, for as long as the estimated cost still fits before the next drive
frame is due. A view that has waited longer than `starving` gets its turn even if it does not fit, one a round: so the
rest rotate, and cost the first view at most one late frame in each `starving` seconds and other view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from realtime.shared import ViewRow
from realtime.view import ViewRequest

_SMOOTHING = 0.1
_OVERRUN = 0.15


@dataclass(frozen=True)
class Job:
    """One picture to render, for all the rows that share its camera."""

    view: ViewRequest
    rows: tuple[ViewRow, ...]


class ViewSchedule:
    """Keeps when each view was last rendered, and an estimate of the time that a picture takes."""

    def __init__(self, clock: Callable[[], float], *, starving: float = 0.25, interval: float = 1 / 30) -> None:
        self._clock = clock
        self._starving = starving
        self._interval = interval
        self._cost = 0.0
        self._last: tuple[int, float] | None = None
        self._done: dict[tuple[int, int], tuple[float, ViewRequest, int]] = {}

    def round(self, rows: list[ViewRow], number: int, made: float) -> Iterator[Job]:
        """The jobs for drive frame `number`, made at `made`; the caller renders each one before it asks for the next.

        Some numbers may be left out: those drive frames were overtaken before they were rendered.
        """
        if self._last is not None and number > self._last[0]:
            gap = min((made - self._last[1]) / (number - self._last[0]), 0.2)
            self._interval += _SMOOTHING * (gap - self._interval)
        self._last = number, made
        next_due = made + self._interval * (1 + _OVERRUN)
        self._forget_closed(rows)
        jobs = _shared(rows)
        if not jobs:
            return
        yield from self._measured(jobs[0])
        rescued = False
        for job in sorted(jobs[1:], key=self._last_time):
            now = self._clock()
            fits = now + self._cost <= next_due
            starves = not rescued and now - self._last_time(job) > self._starving
            if fits or starves:
                rescued = rescued or not fits
                yield from self._measured(job)

    def moved(self, rows: list[ViewRow], *, settled: bool = False) -> Iterator[Job]:
        """The jobs while no drive frame comes: views that are new or whose camera has moved since their last picture.

        settled: no drive frame will come soon; then also views that there was no time for in the last round.
        """
        self._forget_closed(rows)
        number = self._number if settled else None
        changed = [row for row in rows if self._is_old(self._done.get(_key(row)), row.view, number)]
        for job in _shared(changed):
            yield from self._measured(job)

    def _measured(self, job: Job) -> Iterator[Job]:
        before = self._clock()
        yield job
        after = self._clock()
        self._cost += (after - before - self._cost) * (_SMOOTHING if self._cost else 1.0)
        for row in job.rows:
            self._done[_key(row)] = (after, row.view, self._number)

    @property
    def _number(self) -> int:
        return 0 if self._last is None else self._last[0]

    @staticmethod
    def _is_old(done: tuple[float, ViewRequest, int] | None, view: ViewRequest, number: int | None) -> bool:
        return done is None or done[1] != view or (number is not None and done[2] != number)

    def _last_time(self, job: Job) -> float:
        return min(self._done[_key(row)][0] if _key(row) in self._done else float("-inf") for row in job.rows)

    def _forget_closed(self, rows: list[ViewRow]) -> None:
        open_keys = {_key(row) for row in rows}
        self._done = {key: value for key, value in self._done.items() if key in open_keys}


def _key(row: ViewRow) -> tuple[int, int]:
    return row.slot, row.generation


def _shared(rows: list[ViewRow]) -> list[Job]:
    groups: dict[ViewRequest, list[ViewRow]] = {}
    for row in rows:
        groups.setdefault(row.view.rounded(), []).append(row)
    return [Job(group[0].view, tuple(group)) for group in groups.values()]
