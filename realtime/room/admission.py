"""Who may still come into a room, by what people and pictures cost on this machine, as measured."""

from __future__ import annotations

from dataclasses import dataclass

MOST_RATE = 30.0
USABLE = 0.85
"""Part of the cores that the room may be expected to get."""
PERSON_MS, VIEW_MS = 14.0, 16.0
"""What a webcam picture and a drawn picture are taken to cost before any was measured."""


@dataclass(frozen=True)
class Load:
    """What a room does. people, views: how many. person_ms: of a core for one webcam picture (decode, track, solve). view_ms: for
    one drawn picture (pose, splat, encode). cores: of the machine, for all rooms; busy: part of them that other rooms take."""

    people: int
    views: int
    person_ms: float = PERSON_MS
    view_ms: float = VIEW_MS
    cores: int = 2
    busy: float = 0.0

    @property
    def rate(self) -> float:
        """Pictures a second that each view can be expected to have."""
        each = self.people * self.person_ms + self.views * self.view_ms
        return MOST_RATE if each <= 0 else min(MOST_RATE, 1000.0 * USABLE * (1.0 - self.busy) * self.cores / each)

    def admits(self, *, person: bool, least: float) -> bool:
        """Whether one more may come in: everybody keeps `least` pictures a second. A person is drawn and sees, a viewer sees."""
        people = self.people + person
        more = Load(people, self.views + 1, self.person_ms, self.view_ms, self.cores, self.busy)
        return more.rate >= least
