"""Which rooms a server keeps, and which of them a link's key opens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from server.call.kept_rooms import KeptRoom
from server.call.protocol import Role


class RoomLinks:
    """Lives on the event loop."""

    def __init__(self, rooms: Iterable[KeptRoom]) -> None:
        self._rooms: dict[str, KeptRoom] = {}
        self._roles: dict[bytes, tuple[KeptRoom, Role]] = {}
        for room in rooms:
            self.enter(room)

    def __len__(self) -> int:
        return len(self._rooms)

    @property
    def rooms(self) -> list[KeptRoom]:
        """All of them."""
        return list(self._rooms.values())

    def get(self, room: str) -> KeptRoom | None:
        """The room of an id."""
        return self._rooms.get(room)

    def of(self, key: str) -> tuple[KeptRoom, Role] | None:
        """The room that a link's key opens, and what it allows there."""
        return self._roles.get(_digest(key))

    def enter(self, room: KeptRoom) -> None:
        """Its links open it from now on."""
        self._rooms[room.id] = room
        self._roles |= {_digest(key): (room, role) for role, key in _keys(room)}

    def forget(self, room: KeptRoom) -> None:
        """Its links open nothing any more."""
        del self._rooms[room.id]
        for _, key in _keys(room):
            self._roles.pop(_digest(key), None)

    def changes(self, now: Iterable[KeptRoom]) -> list[tuple[KeptRoom | None, KeptRoom | None]]:
        """What is to be forgotten and what entered, in pairs, so that these are the rooms. now: as they are kept."""
        there = {room.id: room for room in now}
        found: list[tuple[KeptRoom | None, KeptRoom | None]] = [
            (room, there.get(room.id)) for room in self.rooms if (same := there.get(room.id)) is None or same.keys != room.keys
        ]
        return found + [(None, room) for room in there.values() if room.id not in self._rooms]


def _keys(room: KeptRoom) -> list[tuple[Role, str]]:
    return [("host", room.keys.host), ("person", room.keys.person), ("viewer", room.keys.viewer)]


def _digest(key: str) -> bytes:
    """What keys are looked up by, so that the time tells nothing about them."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
