"""What a room allows, and how it speaks to people."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from realtime.encoder import DEFAULT_BITRATE
from server.call.fairness import Pace
from server.call.protocol import CONNECT_LIMIT, AvatarInfo, IceServer, Role
from server.call.turn import Turn

OFFERS_PER_SECOND, OFFERS_AT_ONCE = 0.5, 3.0
"""Of one member."""
VIEWER_OFFERS_PER_SECOND, VIEWER_OFFERS_AT_ONCE = 5.0, 3.0
"""Of all viewers; faster where there are many, so that after a restart all are back within `RETURN` seconds."""
RETURN = 4.0
SEATS_PER_SECOND, SEATS_AT_ONCE = 1.0, 2.0
"""Taken in a room, the latter times its seats: each has an avatar to load, one after the other."""


def new_key() -> str:
    """A secret for an address: 128 random bits, safe in a URL."""
    return secrets.token_urlsafe(16)


@dataclass(frozen=True)
class RoomKeys:
    """The secrets in the links of a room."""

    host: str = field(repr=False)
    person: str = field(repr=False)
    viewer: str = field(repr=False)

    @staticmethod
    def new() -> RoomKeys:
        """Of a new room."""
        return RoomKeys(new_key(), new_key(), new_key())

    def role_of(self, key: str) -> Role | None:
        """What a link's key allows; `None` for a key of another room."""
        roles: list[tuple[Role, str]] = [("host", self.host), ("person", self.person), ("viewer", self.viewer)]
        found = [role for role, own in roles if same(key, own)]
        return found[0] if found else None


@dataclass(frozen=True)
class Visitor:
    """Who comes to a room, by a link or a room token. role: the most that this allows. person: id of the account, empty without
    one. name: what others see, the visitor's choice when empty. token, expires: id and end of the room token, empty by a link.
    subscribes: whether pictures and voices may be had. is_late: the token has expired, so only a seat that it has taken is open.
    """

    role: Role
    person: str = ""
    name: str = ""
    token: str = ""
    expires: float = 0.0
    subscribes: bool = True
    is_late: bool = False


@dataclass(frozen=True)
class RoomSettings:
    """How a room is set up. base_url: of the page, as others reach it. width, height: of the pictures, pixels, even. max_bitrate:
    bits a second for each page's picture. least_rate: pictures a second that everybody should still have when one more comes in.
    turn: makes credentials that run out. factory: makes the `RoomPipeline`, with `factory_options`. Times in seconds, as in
    `server.call.config.ServerConfig`."""

    max_people: int = 8
    max_viewers: int = 8
    base_url: str = ""
    width: int = 512
    height: int = 512
    max_bitrate: int = DEFAULT_BITRATE
    least_rate: float = 15.0
    heartbeat: float = 1.0
    dead_after: float = 3.0
    media_timeout: float = CONNECT_LIMIT
    ice_servers: tuple[IceServer, ...] = ()
    turn: Turn | None = None
    factory: str = "realtime.room.pipeline:LiveRoomPipeline"
    factory_options: dict[str, Any] = field(default_factory=dict)

    def ice_now(self) -> list[IceServer]:
        """STUN and TURN servers for one connection, with credentials of its own where they run out."""
        return [*self.ice_servers, *([self.turn.credentials()] if self.turn is not None else [])]


@dataclass(frozen=True)
class RoomRules:
    """What a room allows. Times in seconds. avatars: that a person may take, by the id of the account, which is empty for
    somebody without one. admits: whether the machine can take one more (a person, or else a viewer). enrolls: whether avatars
    can be made here. web_avatar: where a page finds that of a participant. ice_servers: for one page, now."""

    keys: RoomKeys
    base_url: str = ""
    avatars: Callable[[str], list[AvatarInfo]] = lambda _: []
    admits: Callable[[bool], bool] = lambda _: True
    web_avatar: Callable[[int], str] = lambda _: ""
    enrolls: bool = False
    max_people: int = 8
    max_viewers: int = 8
    max_lobby: int = 64
    heartbeat: float = 1.0
    dead_after: float = 3.0
    media_timeout: float = CONNECT_LIMIT
    ice_servers: Callable[[], list[IceServer]] = list

    def viewers_pace(self) -> Pace:
        """At which the offers of all viewers together are answered."""
        return Pace(max(VIEWER_OFFERS_PER_SECOND, self.max_viewers / RETURN), VIEWER_OFFERS_AT_ONCE)

    def seating_pace(self) -> Pace:
        """At which people may take a seat."""
        return Pace(SEATS_PER_SECOND, SEATS_AT_ONCE * self.max_people)


def member_pace() -> Pace:
    """At which the offers of one member are answered."""
    return Pace(OFFERS_PER_SECOND, OFFERS_AT_ONCE)


def as_sentence(text: str) -> str:
    """As people read it: a capital letter first, a full stop at the end."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def printable(name: str) -> str:
    """A name as others may be shown it: no control or direction characters, no runs of spaces."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())


def same(given: str, secret: str) -> bool:
    """Compare in a time that does not depend on where they differ."""
    return secrets.compare_digest(given.encode("utf-8", "surrogatepass"), secret.encode())


def room_link(base_url: str, key: str) -> str:
    """The address of a room, for whoever holds that key."""
    return f"{base_url}/room/{key}"


def rules_of(
    settings: RoomSettings,
    keys: RoomKeys,
    avatars: Callable[[str], list[AvatarInfo]],
    admits: Callable[[bool], bool],
    web_avatar: Callable[[int], str],
    *,
    enrolls: bool,
) -> RoomRules:
    """What the settings say of a room's signalling; the rest as in `RoomRules`."""
    return RoomRules(
        keys, settings.base_url, avatars=avatars, enrolls=enrolls, admits=admits, web_avatar=web_avatar,
        max_people=settings.max_people, max_viewers=settings.max_viewers, heartbeat=settings.heartbeat,
        dead_after=settings.dead_after, media_timeout=settings.media_timeout, ice_servers=settings.ice_now,
    )  # fmt: skip
