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

    def take(self) -> None:
        """Count one."""
        self.spent += 1


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
