"""What a room's state machine (`server/call/signalling.py`) knows of each socket and each member."""

from __future__ import annotations

from dataclasses import dataclass, field

from server.call.fairness import Pace
from server.call.protocol import Offer, Participant, Role
from server.call.rules import Visitor, member_pace


@dataclass
class Socket:
    """A page's socket, in the lobby until it is a `member`'s. opened: when, seconds. malformed: messages that made no sense."""

    opened: float
    visitor: Visitor
    member: int | None = None
    malformed: int = 0

    @property
    def role(self) -> Role:
        """The most that is allowed."""
        return self.visitor.role


@dataclass
class Member:
    """A page that has joined. token: to come back with. order: of its seat. deadline: when it is lost without a sign of life.
    media: its peer connection; `opening` until that is answered, `alive` once it has shown a sign of life. waiting: its next
    offer."""

    number: int
    visitor: Visitor
    is_person: bool
    token: str
    order: int
    name: str
    socket: int | None
    deadline: float
    seated: bool = False
    muted: bool = False
    camera: bool = True
    media: int | None = None
    opening: bool = False
    alive: bool = False
    waiting: Offer | None = None
    pace: Pace = field(default_factory=member_pace)

    @property
    def role(self) -> Role:
        """The most that is allowed."""
        return self.visitor.role

    def why_lost(self, dead_after: float, media_timeout: float) -> str:
        """A sentence for the page whose deadline is over."""
        if self.alive:
            return f"nothing was heard of this page for {dead_after:g} s, so its place was given up; it connects again"
        return f"picture and sound did not connect within {media_timeout:g} s; it is tried again"

    def shown(self, web_avatar: str) -> Participant:
        """What the others are told of somebody with a seat."""
        return Participant(self.number, self.name, self.role == "host", self.seated, self.muted, self.camera, web_avatar)

    def is_of(self, visitor: Visitor) -> bool:
        """Whether the visitor may take the member over; one whose token has expired only what that token was for."""
        return self.role == visitor.role and (self.visitor.token == visitor.token or not visitor.is_late)
