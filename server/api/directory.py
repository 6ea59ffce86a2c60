"""The rooms as the API sees them: what it may ask of those who keep them, from any thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from server.call.protocol import Act, Role, RoomState


@dataclass(frozen=True)
class RoomInfo:
    """A room now. owner: id of an account or empty. links: address for each role. is_open: whether it has a render
    process; is_ready: whether that can draw. people: seats that are taken. viewers: pages without a seat. pictures: drawn a
    second, for all pages together."""

    id: str
    name: str
    owner: str
    created: float
    links: dict[str, str]
    is_first: bool = False
    is_open: bool = False
    is_ready: bool = False
    people: int = 0
    viewers: int = 0
    pictures: float = 0.0


class RoomDirectory(Protocol):
    """All rooms of a server. Blocks, so not on the event loop. Those of none are those of `NoRooms`."""

    def role_of(self, key: str) -> Role | None:
        """What a link's key, or a room token that still holds, allows in whichever room it is of."""

    def room_of(self, key: str) -> tuple[str, Role] | None:
        """The id of the room that a link's key is of, and what it allows."""

    def all(self) -> list[RoomInfo]:
        """The rooms, by id."""

    def create(self, name: str, owner: str, most: int) -> RoomInfo:
        """A new room. most: in all. Raises `VisavisError`."""

    def remove(self, room: str) -> None:
        """The room is no more; whoever is there goes. Not of the first room."""

    def renew(self, room: str) -> RoomInfo | None:
        """Other links for a room, whose old ones open nothing any more; whoever is there goes. `None` where it is not there."""

    def end(self, room: str) -> None:
        """End the meeting; the room stays."""

    def hosted_by(self, key: str) -> str:
        """The id of the room whose host shows that link's key, or that room token that still holds; empty for others."""

    def state_of(self, room: str) -> RoomState:
        """Who is in a room."""

    def moderate(self, room: str, act: Act, participant: int = -1) -> bool:
        """What a host may order; False when the participant, or the whole meeting, is not there any more."""

    def link(self, key: str) -> str:
        """The address of a room for whoever shows that key or room token."""

    def erase_avatar(self, avatar: str) -> None:
        """The avatar was erased: nobody shows it any more."""

    def put_out(self, person: str) -> None:
        """The account has ended: nobody is in a room with it any more."""


class NoRooms:
    """For programs that run no call."""

    def role_of(self, key: str) -> Role | None:
        """None."""
        return None

    def room_of(self, key: str) -> tuple[str, Role] | None:
        """None."""
        return None

    def all(self) -> list[RoomInfo]:
        """None."""
        return []

    def create(self, name: str, owner: str, most: int) -> RoomInfo:
        """Not here."""
        raise NotImplementedError

    def remove(self, room: str) -> None:
        """Nothing."""

    def renew(self, room: str) -> RoomInfo | None:
        """None."""
        return None

    def end(self, room: str) -> None:
        """Nothing."""

    def hosted_by(self, key: str) -> str:
        """None."""
        return ""

    def state_of(self, room: str) -> RoomState:
        """Nobody."""
        return RoomState()

    def moderate(self, room: str, act: Act, participant: int = -1) -> bool:
        """Nothing."""
        return False

    def link(self, key: str) -> str:
        """Not here."""
        raise NotImplementedError

    def erase_avatar(self, avatar: str) -> None:
        """Nothing."""

    def put_out(self, person: str) -> None:
        """Nothing."""
