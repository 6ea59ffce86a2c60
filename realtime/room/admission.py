"""Who may still come into a room, by what people and pictures cost on this machine, as measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

MOST_RATE = 30.0
USABLE = 0.85
"""Part of the cores that the room may be expected to get."""
PERSON_MS, PRIVATE_MS, VIEW_MS = 14.0, 3.0, 16.0
"""What a webcam picture, a message of landmarks and a drawn picture are taken to cost before any was measured."""


@dataclass(frozen=True)
class Load:
    """What a room does. people, views: how many. person_ms: of a core for one webcam picture (decode, track, solve). view_ms: for
    one drawn picture (pose, splat, encode). cores: of the machine, for all rooms; busy: part of them that other rooms take.
    private: those of `people` who send landmarks and no pictures; private_ms: of a core for one message of them."""

    people: int
    views: int
    person_ms: float = PERSON_MS
    view_ms: float = VIEW_MS
    cores: int = 2
    busy: float = 0.0
    private: int = 0
    private_ms: float = PRIVATE_MS

    @property
    def rate(self) -> float:
        """Pictures a second that each view can be expected to have."""
        seen = max(0, self.people - self.private)
        each = seen * self.person_ms + self.private * self.private_ms + self.views * self.view_ms
        return MOST_RATE if each <= 0 else min(MOST_RATE, 1000.0 * USABLE * (1.0 - self.busy) * self.cores / each)

    def admits(self, *, person: bool, least: float) -> bool:
        """Whether one more may come in: everybody keeps `least` pictures a second. A person is drawn and sees, a viewer sees;
        both are taken to need what most do, a webcam that is tracked here and pictures that are drawn here."""
        return replace(self, people=self.people + person, views=self.views + 1).rate >= least
