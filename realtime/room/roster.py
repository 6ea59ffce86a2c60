"""Who sits in a room, and what the render process has still to be told about it: avatars, one at a time, and who has left.

Avatars are kept as open handles of their bytes, so they outlive files that are moved, replaced or erased. A new avatar of
somebody who is seated is kept beside the old one until the process shows it. Not locked: the room's worker does that.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from av.video.reformatter import VideoReformatter

from models.errors import VisavisError
from realtime.room.messages import Join, Leave, Replace, ServerEnd

DEATHS = 2
"""Deaths of the process over one avatar after which that avatar is not shown again."""


@dataclass(frozen=True)
class AvatarBytes:
    """An avatar file's bytes. handle: open, of the memory that they lie in."""

    handle: int
    size: int


@dataclass
class Seated:
    """Somebody with a seat. better: takes the place of `avatar` once the process shows it. next: takes its turn after that."""

    slot: int
    order: int
    avatar: AvatarBytes
    better: AvatarBytes | None = None
    next: AvatarBytes | None = None
    told: bool = False
    told_better: bool = False
    joined: bool = False
    to_rgb: VideoReformatter = field(default_factory=VideoReformatter)


class Roster:
    """The seats of a room."""

    def __init__(self, seats: int) -> None:
        self.people: dict[int, Seated] = {}
        self._seats = seats
        self._left: list[int] = []  # participants that the process has still to be told of
        self._loading: int | None = None  # the one whose avatar the process loads: none wait there when people come and go
        self._deaths: Counter[int] = Counter()

    def add(self, participant: int, avatar: AvatarBytes, order: int) -> Seated:
        """Give somebody a seat. Raises `VisavisError` when all are taken."""
        taken = {person.slot for person in self.people.values()}
        slot = next((i for i in range(self._seats) if i not in taken), None)
        if slot is None:
            raise VisavisError(f"at most {self._seats} people can sit in a room; wait until one has left")
        self.people[participant] = Seated(slot, order, avatar)
        return self.people[participant]

    def remove(self, participant: int) -> None:
        """The seat goes. Nothing happens when there is none."""
        person = self.people.pop(participant, None)
        if person is None:
            return
        _close(person.avatar, person.better, person.next)
        if person.told:
            self._left.append(participant)
        self._deaths.pop(participant, None)

    def improve(self, participant: int, avatar: AvatarBytes) -> None:
        """Another avatar of somebody is to be shown; the newest, when more than one comes. Nothing happens without a seat."""
        person = self.people.get(participant)
        if person is None:
            _close(avatar)
            return
        if not person.told_better:
            _close(person.better)
            person.better = avatar
        else:  # one is being loaded
            _close(person.next)
            person.next = avatar

    def clear(self) -> None:
        """Everybody goes."""
        for person in self.people.values():
            _close(person.avatar, person.better, person.next)
        self.people.clear()

    def tell(self, line: ServerEnd) -> None:
        """Tell the process who has come and gone; what finds no room on the line is said again later."""
        while self._left:
            if not line.send(Leave(self._left[0])):
                return
            self._left.pop(0)
        for participant, person in self.people.items():
            if self._loading is None and not person.told and self._deaths[participant] < DEATHS:
                self._loading = participant  # before it can answer
                join = Join(participant, person.slot, person.order, person.avatar.size)
                if not line.send(join, person.avatar.handle):
                    self._loading = None
                    return
                person.told = True
            if self._loading is None and person.joined and person.better is not None:
                self._loading, person.told_better = participant, True
                if not line.send(Replace(participant, person.better.size), person.better.handle):
                    self._loading, person.told_better = None, False
                    return

    # What the process says

    def joined(self, participant: int) -> bool:
        """The avatar is shown; returns whether its owner is still here."""
        self._loading = None
        person = self.people.get(participant)
        if person is not None:
            person.joined = True
        return person is not None

    def refused(self) -> None:
        """An avatar cannot be shown."""
        self._loading = None

    def replaced(self, participant: int, *, is_shown: bool) -> bool:
        """The better avatar is shown, or never will be; returns whether its owner is still here."""
        self._loading = None
        person = self.people.get(participant)
        if person is None or person.better is None:
            return False
        if is_shown:
            person.avatar, person.better = person.better, person.avatar
        _close(person.better)
        person.better, person.next, person.told_better = person.next, None, False
        return True

    # When it dies

    def restart(self) -> None:
        """A new process knows nobody."""
        self._left.clear()
        self._loading = None
        for person in self.people.values():
            person.told = person.joined = person.told_better = False

    @property
    def is_suspicious(self) -> bool:
        """Whether the process has died over somebody who is here."""
        return bool(self._deaths)

    def blame(self, participants: Iterable[int]) -> tuple[list[int], list[int]]:
        """The process died while it worked on these. Returns whose better avatar is given up, as it was being loaded, and whose
        avatar is not shown any more."""
        kept, refused = [], []
        for participant in participants:
            person = self.people.get(participant)
            if person is not None and person.told_better:
                self.replaced(participant, is_shown=False)
                kept.append(participant)
                continue
            self._deaths[participant] += 1
            if self._deaths[participant] == DEATHS and person is not None:
                refused.append(participant)
        return kept, refused


def _close(*avatars: AvatarBytes | None) -> None:
    for avatar in avatars:
        if avatar is not None:
            os.close(avatar.handle)
