"""What a room's state machine (`server/call/signalling.py`) wants done."""

from __future__ import annotations

from dataclasses import dataclass

from server.call.protocol import ToPage


@dataclass(frozen=True)
class Send:
    """Send `message` on the socket."""

    socket: int
    message: ToPage


@dataclass(frozen=True)
class HangUp:
    """Close the socket, after what was sent on it."""

    socket: int


@dataclass(frozen=True)
class StartMedia:
    """Answer the offer with a new peer connection; report with `answered` or `media_failed`. member: whose it is.
    participant: the same number for somebody with a seat, else -1. muted: whether the voice is kept back."""

    media: int
    member: int
    participant: int
    sdp: str
    muted: bool = False


@dataclass(frozen=True)
class StopMedia:
    """Close the peer connection."""

    media: int


@dataclass(frozen=True)
class GiveSeat:
    """Give the participant a seat with that avatar (its id); report with `seated` or `avatar_refused`. order: of the seats."""

    participant: int
    avatar: str
    order: int


@dataclass(frozen=True)
class FreeSeat:
    """The participant's seat goes."""

    participant: int


@dataclass(frozen=True)
class MuteVoice:
    """Keep the participant's voice back, or no longer."""

    participant: int
    muted: bool


@dataclass(frozen=True)
class Revoke:
    """Whoever shows this room token (its id) was removed and may not come in again. until: seconds since 1970, when it ends."""

    token: str
    until: float


Action = Send | HangUp | StartMedia | StopMedia | GiveSeat | FreeSeat | MuteVoice | Revoke
