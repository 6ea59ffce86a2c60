"""The rooms of a server that runs, for the API, whose endpoints are in threads of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from server.accounts.tokens import InvalidTokenError
from server.api.directory import RoomInfo
from server.api.problems import ProblemError
from server.call.addresses import links_of
from server.call.kept_rooms import KeptRoom
from server.call.protocol import Act, Moderate, Role, RoomState
from server.call.rooms import Rooms
from server.call.rules import room_link

Result = TypeVar("Result")
TIMEOUT = 10.0
"""Seconds after which an event loop that does not come to it is given up."""


class LiveRooms:
    """As `server.api.directory.RoomDirectory`."""

    def __init__(self, rooms: Rooms, loop: asyncio.AbstractEventLoop) -> None:
        self._rooms, self._loop = rooms, loop

    def role_of(self, key: str) -> Role | None:
        """See `RoomDirectory`."""
        try:
            _, visitor = self._wait(self._rooms.admit(key))
        except InvalidTokenError:
            return None
        return None if visitor.is_late else visitor.role

    def room_of(self, key: str) -> tuple[str, Role] | None:
        """See `RoomDirectory`."""
        try:
            kept, visitor = self._wait(self._rooms.admit(key))
        except InvalidTokenError:
            return None
        return None if visitor.token else (kept.id, visitor.role)

    def all(self) -> list[RoomInfo]:
        """See `RoomDirectory`."""
        return self._wait(_later(lambda: sorted(map(self._info, self._rooms.kept), key=lambda room: room.id)))

    def create(self, name: str, owner: str, most: int) -> RoomInfo:
        """See `RoomDirectory`."""
        return self._info(self._wait(self._rooms.create(name, owner, most)))

    def remove(self, room: str) -> None:
        """See `RoomDirectory`."""
        self._wait(self._rooms.remove(room))

    def renew(self, room: str) -> RoomInfo | None:
        """See `RoomDirectory`."""
        made = self._wait(self._rooms.renew(room))
        return None if made is None else self._info(made)

    def end(self, room: str) -> None:
        """See `RoomDirectory`."""
        self.moderate(room, "end")

    def hosted_by(self, key: str) -> str:
        """See `RoomDirectory`."""
        try:
            kept, visitor = self._wait(self._rooms.admit(key))
        except InvalidTokenError:
            return ""
        return kept.id if visitor.role == "host" and not visitor.is_late else ""

    def state_of(self, room: str) -> RoomState:
        """See `RoomDirectory`."""
        found = self._wait(_later(lambda: self._rooms.open_room(room)))
        return RoomState() if found is None else found.state

    def moderate(self, room: str, act: Act, participant: int = -1) -> bool:
        """See `RoomDirectory`."""

        def moderate() -> bool:
            found = self._rooms.open_room(room)
            return found is not None and found.moderate(Moderate(act, participant))

        return self._wait(_later(moderate))

    def link(self, key: str) -> str:
        """See `RoomDirectory`."""
        return room_link(self._rooms.base_url, key)

    def erase_avatar(self, avatar: str) -> None:
        """See `RoomDirectory`."""
        self._loop.call_soon_threadsafe(self._rooms.erase_avatar, avatar)

    def put_out(self, person: str) -> None:
        """See `RoomDirectory`."""
        self._loop.call_soon_threadsafe(self._rooms.put_out, person)

    def _info(self, kept: KeptRoom) -> RoomInfo:
        room, links = self._rooms.open_room(kept.id), links_of(self._rooms.base_url, kept.keys)
        first = self._rooms.is_first(kept.id)
        info = RoomInfo(kept.id, kept.name, kept.owner, kept.created, links, first)
        if room is None:
            return info
        now = {"is_open": True, "is_ready": room.ready, "people": room.people, "viewers": room.viewers, "pictures": room.pictures}
        return RoomInfo(**vars(info) | now)

    def _wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT)
        except TimeoutError:
            raise ProblemError(503, "the rooms do not answer now; try again in a moment", retry_after=5) from None


async def _later(act: Callable[[], Result]) -> Result:
    return act()
