"""Who sits where now, and the arrangement of each view; people who come and go make the others move softly."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from models.types import Array64
from realtime.rest import smoothstep
from realtime.room import framing, seating
from realtime.room.framing import ANY, Framing
from realtime.room.seating import Arrangement, Seat

MOVE = 0.8
"""Seconds in which people move to other seats."""
ARRIVES = 0.6
"""Part of the full size from which a newcomer grows."""
MAX_PITCH = math.radians(80)
MIN_DISTANCE, MAX_DISTANCE = 0.35, 3.0


@dataclass(frozen=True)
class ViewRequest:
    """What one page wants to see.

    owner: the participant who looks from the own seat, -1 for somebody without one. orbit: from a camera around the table, or
    around `focus`; else as one sees it from the seat. focus: a participant, -1 for nobody in particular. yaw, pitch: radians
    (yaw 0 faces the avatar, positive towards its left), distance: metres, both of the orbit camera. frame: the room that the page
    has for the picture; of what `Layout.fitted` returns, the picture's size.
    """

    owner: int = -1
    orbit: bool = False
    focus: int = -1
    yaw: float = 0.0
    pitch: float = 0.0
    distance: float = 0.9
    frame: Framing = ANY

    def within_limits(self) -> ViewRequest:
        """The nearest request that can be drawn: yaw in [-pi, pi], neither above the crown nor inside a head. Finite input."""
        return ViewRequest(
            self.owner, self.orbit, self.focus, math.remainder(self.yaw, 2 * math.pi),
            min(max(self.pitch, -MAX_PITCH), MAX_PITCH), min(max(self.distance, MIN_DISTANCE), MAX_DISTANCE),
            self.frame.within_limits(),
        )  # fmt: skip

    def snapped(self) -> ViewRequest:
        """To a degree and a centimetre: what a camera that rests may be moved to, so that those who look from nearly the same
        place share a picture."""
        yaw, pitch = (math.radians(round(math.degrees(angle))) for angle in (self.yaw, self.pitch))
        return replace(self, yaw=yaw, pitch=pitch, distance=round(self.distance, 2))

    def rounded(self) -> ViewRequest:
        """To a thousandth, and without what makes no difference: pages whose requests are equal then share a picture."""
        if not self.orbit and self.focus < 0:
            return ViewRequest(self.owner, frame=self.frame)
        if not self.orbit:
            return ViewRequest(-1, True, self.focus, frame=self.frame)
        owner = self.owner if self.focus < 0 else -1
        turned = round(self.yaw, 3), round(self.pitch, 3), round(self.distance, 3)
        return ViewRequest(owner, True, self.focus, *turned, self.frame)


@dataclass(frozen=True)
class Shot:
    """What a view shows: `people`, participants, as `arrangement` says, in the same order."""

    people: tuple[int, ...]
    arrangement: Arrangement


class Layout:
    """The seats of a room. width, height: of the pictures, unless a page asks for others. Times are seconds of one clock."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.people: tuple[int, ...] = ()
        """Participants in the order of their seats."""
        self._order: dict[int, int] = {}
        self._before: dict[int, Seat] = {}
        self._people_before: tuple[int, ...] = ()
        self._changed = -math.inf

    def join(self, participant: int, order: int, now: float) -> None:
        """Another seat, before those of a higher order."""
        if participant not in self.people:
            self._order[participant] = order
            self._change(tuple(sorted((*self.people, participant), key=lambda p: self._order[p])), now)

    def leave(self, participant: int, now: float) -> None:
        """The seat goes."""
        if participant in self.people:
            self._change(tuple(p for p in self.people if p != participant), now)
            del self._order[participant]

    def _change(self, people: tuple[int, ...], now: float) -> None:
        self._before, self._people_before = self.seats(now), self.people
        self.people, self._changed = people, now if self.people else -math.inf  # the first to come has nowhere to come from

    def moving(self, now: float) -> bool:
        """Whether somebody is on the way to another seat."""
        return now - self._changed < MOVE

    def _share(self, now: float) -> float:
        return smoothstep((now - self._changed) / MOVE)

    def seats(self, now: float) -> dict[int, Seat]:
        """Where everybody sits, or is on the way to."""
        goals = dict(zip(self.people, seating.seats(len(self.people)), strict=True))
        if not self.moving(now):
            return goals
        return {p: seating.in_between(self._before.get(p, goal), goal, self._share(now)) for p, goal in goals.items()}

    def shared(self, request: ViewRequest) -> ViewRequest:
        """The request itself, or the spectators' where it shows the same now: somebody alone, or without a seat, sees what they
        see."""
        without_others = request.owner not in self.people or len(self.people) == 1
        return ViewRequest(frame=request.frame) if without_others and not request.orbit and request.focus < 0 else request

    def fitted(self, request: ViewRequest) -> ViewRequest:
        """The request with the size that its picture has, which depends on the page's room for it and on who is in it."""
        focus, people, _ = self._shown(request)
        around, sides = request.orbit and focus < 0, {"width": self.width, "height": self.height}
        return replace(request, frame=framing.fitted(request.frame, len(people), around=around, **sides))

    def _shown(self, request: ViewRequest) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
        """The focus, if it is here; who is in the picture; and those beside the owner."""
        focus = request.focus if request.focus in self.people else -1
        others = tuple(p for p in self.people if p != request.owner)
        if request.orbit and focus < 0 and len(others or self.people) == 1:
            focus = (others or self.people)[0]
        if focus >= 0:
            return focus, (focus,), others
        seated = request.owner in self.people and not request.orbit
        return focus, (others if seated and others else self.people), others

    def shot(self, request: ViewRequest, now: float) -> Shot:
        """What a request shows. A focus that has left, or an owner without a seat, counts as none."""
        placed = self.seats(now)
        w, h = (request.frame.width, request.frame.height) if request.frame.width else (self.width, self.height)
        focus, people, others = self._shown(request)
        if focus >= 0:
            yaw, pitch, distance = (request.yaw, request.pitch, request.distance) if request.orbit else (0.0, 0.0, 0.9)
            return Shot(people, seating.around_person(placed[focus], yaw, pitch, distance, w, h))
        if request.orbit:
            around = seating.around_table(list(placed.values()), request.yaw, request.pitch, request.distance, w, h)
            return Shot(people, around)
        owner = request.owner if request.owner in placed and others else -1
        cells = self._cells(owner, w, h, now)
        if owner < 0:
            return Shot(people, seating.for_spectators(list(placed.values()), cells, w, h))
        return Shot(people, seating.from_seat(placed[owner], [placed[p] for p in people], cells, w, h))

    def _cells(self, owner: int, width: int, height: int, now: float) -> Array64:
        people, cells = self._goal_cells(self.people, owner, width, height)
        if not self.moving(now):
            return cells
        before = dict(zip(*self._goal_cells(self._people_before, owner, width, height), strict=True))
        share, out = self._share(now), cells.copy()
        for index, participant in enumerate(people):
            start = before.get(participant)
            if start is None:
                middle, size = cells[index, :2] + cells[index, 2:] / 2, ARRIVES * cells[index, 2:]
                start = np.concatenate([middle - size / 2, size])
            out[index] = start + share * (cells[index] - start)
        return out

    def _goal_cells(self, people: tuple[int, ...], owner: int, width: int, height: int) -> tuple[tuple[int, ...], Array64]:
        places = dict(zip(people, seating.seats(len(people)), strict=True))
        others = tuple(p for p in people if p != owner)
        if owner not in places or not others:
            return people, seating.spectator_cells(list(places.values()), width, height)
        return others, seating.seat_cells(places[owner], [places[p] for p in others], width, height)
