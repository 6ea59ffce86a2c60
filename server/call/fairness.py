"""Bounded groups and rates, so that one who asks for much does not keep others out."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Generic, TypeVar

Member = TypeVar("Member")


class Crowd(Generic[Member]):
    """At most `limit` members in groups. One too many puts out the oldest of the largest group, never the newcomer.

    With an address as the group, whoever opens many connections loses his own; who shares his address keeps his place
    for as long as the flood needs to fill all places once.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._groups: dict[str, dict[Member, None]] = {}
        self._group_of: dict[Member, str] = {}

    def __len__(self) -> int:
        return len(self._group_of)

    def __contains__(self, member: Member) -> bool:
        return member in self._group_of

    def add(self, member: Member, group: str) -> Member | None:
        """Take a newcomer in; returns who has to go for it."""
        self._group_of[member] = group
        self._groups.setdefault(group, {})[member] = None
        return self.put_out() if len(self._group_of) > self._limit else None

    def put_out(self) -> Member | None:
        """Remove and return the oldest of the largest group (of the oldest such group); None when nobody is there."""
        if not self._groups:
            return None
        largest = max(self._groups, key=lambda group: len(self._groups[group]))
        member = next(iter(self._groups[largest]))
        self.discard(member)
        return member

    def discard(self, member: Member) -> None:
        """Remove a member; does nothing when it is not there."""
        group = self._group_of.pop(member, None)
        if group is not None:
            members = self._groups[group]
            del members[member]
            if not members:
                del self._groups[group]


@dataclass
class Pace:
    """A token bucket: `burst` at once, then `rate` a second. Times in seconds, any monotonic clock."""

    rate: float
    burst: float
    spent: float = 0.0
    at: float = 0.0

    def ready(self, now: float) -> bool:
        """Whether one more is allowed now."""
        self.spent = max(0.0, self.spent - self.rate * max(0.0, now - self.at))
        self.at = max(self.at, now)
        return self.spent + 1 <= self.burst

    def take(self, count: float = 1.0) -> None:
        """Count one, or one that took as long as `count`."""
        self.spent += count


class Turns(Generic[Member]):
    """Who waits for a turn, in lines, before a `Pace`.

    The lines take turns; of one line the newest member is next, because in a flood most are never served, and a newcomer
    should not wait behind those. Every second turn is for members that are known, as long as there are any.
    """

    def __init__(self, rate: float, burst: float) -> None:
        """rate, burst: turns, as for `Pace`."""
        self._pace = Pace(rate, burst)
        self._lines: dict[bool, dict[str, dict[Member, None]]] = {True: {}, False: {}}
        self._place: dict[Member, tuple[bool, str]] = {}
        self._known_next = True

    def __len__(self) -> int:
        return len(self._place)

    def add(self, member: Member, line: str, *, known: bool) -> None:
        """Let it wait in the line of that name, among the known or the unknown."""
        self._place[member] = known, line
        self._lines[known].setdefault(line, {})[member] = None

    def charge(self, count: float) -> None:
        """The last turn took as long as `count` more."""
        self._pace.take(max(0.0, count))

    def discard(self, member: Member) -> None:
        """It does not wait any more; does nothing when it is not there."""
        known, line = self._place.pop(member, (False, ""))
        members = self._lines[known].get(line, {})
        if member in members:
            del members[member]
            if not members:
                del self._lines[known][line]

    def next(self, now: float) -> Member | None:
        """Remove and return whose turn it is at `now`, seconds; None when it is nobody's yet."""
        if not self._place or not self._pace.ready(now):
            return None
        self._pace.take()
        lines = self._lines[self._known_next] or self._lines[not self._known_next]
        self._known_next = not self._known_next
        name = next(iter(lines))
        members = lines.pop(name)
        member, _ = members.popitem()
        del self._place[member]
        if members:
            lines[name] = members  # at the end
        return member


def network_of(host: str) -> str:
    """The group of an address: itself, or its /64 for IPv6, which is what one customer is given (RFC 6177)."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)
