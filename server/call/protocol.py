"""The wire protocol between page and server, defined once. `client_web/src/protocol.ts` is generated from this file
(`python -m server.call.generate_protocol`) and a test fails when the two drift apart.

Two carriers, both JSON objects with a `type` that names the message:
- the WebSocket (`/ws`): `Hello`, `Offer`, `Bye` up; `Welcome`, `Answer`, `Failure`, `RoomState` down;
- the data channel `control` (ordered, reliable): `Camera`, `Ping`, `Recalibrate` up; `Pong`, `Stats` down.
A message nobody here knows is refused with `ProtocolError`; an unknown key is ignored, so that newer peers can add some.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import typing
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from models.errors import ProtocolError

VERSION = 1
MAX_MESSAGE = 96 * 1024
"""Bytes; a longer message is refused before it is parsed. An SDP of a page with sound and video takes about 8 KB."""

Role = Literal["person", "viewer"]


@dataclass(frozen=True)
class IceServer:
    """As RTCIceServer of W3C webrtc."""

    urls: list[str]
    username: str = ""
    credential: str = ""


@dataclass(frozen=True)
class Hello:
    """First message on the socket. `key` is the last part of the page's address; `resume` a token from an earlier `Welcome`.
    `keep_media`: the peer connection of that place is well, only its socket was lost; leave it as it is.
    """

    TYPE: ClassVar[str] = "hello"
    role: Role
    key: str = ""
    resume: str = ""
    version: int = VERSION
    keep_media: bool = False


@dataclass(frozen=True)
class Offer:
    """The page's complete SDP offer (candidates included)."""

    TYPE: ClassVar[str] = "offer"
    sdp: str


@dataclass(frozen=True)
class Bye:
    """The page leaves on purpose: its place is freed at once."""

    TYPE: ClassVar[str] = "bye"


@dataclass(frozen=True)
class Welcome:
    """The place was given. `viewer_url`: address for others, empty for a viewer. `heartbeat`: seconds between pings.
    `media_kept`: the peer connection goes on, as `Hello.keep_media` asked; else an offer is awaited.
    """

    TYPE: ClassVar[str] = "welcome"
    resume: str
    viewer_url: str = ""
    ice_servers: list[IceServer] = field(default_factory=list)
    heartbeat: float = 1.0
    media_kept: bool = False


@dataclass(frozen=True)
class Answer:
    """The server's complete SDP answer."""

    TYPE: ClassVar[str] = "answer"
    sdp: str


@dataclass(frozen=True)
class Failure:
    """One sentence for the person. `code`: taken, full, not_found, bad_message, media, internal. `final`: do not reconnect.
    `retry_after`: when not final, seconds to wait before the next attempt; 0 leaves it to the page's own schedule.
    """

    TYPE: ClassVar[str] = "failure"
    code: str
    message: str
    final: bool = True
    retry_after: float = 0.0


@dataclass(frozen=True)
class RoomState:
    """Who is here; sent when it changes."""

    TYPE: ClassVar[str] = "room_state"
    person: bool
    viewers: int


@dataclass(frozen=True)
class Camera:
    """Where this page looks from: orbit angles in radians (yaw 0 faces the avatar, positive towards its left), metres."""

    TYPE: ClassVar[str] = "camera"
    yaw: float
    pitch: float
    distance: float


@dataclass(frozen=True)
class Ping:
    """Heartbeat; `sent` is the page's clock in milliseconds and comes back as it is."""

    TYPE: ClassVar[str] = "ping"
    sent: float


@dataclass(frozen=True)
class Recalibrate:
    """Take the person's face in the next second as neutral."""

    TYPE: ClassVar[str] = "recalibrate"


@dataclass(frozen=True)
class Pong:
    """Answer to `Ping`."""

    TYPE: ClassVar[str] = "pong"
    sent: float


@dataclass(frozen=True)
class Stats:
    """Once a second. `fps`: avatar frames rendered for this page. `stages`: stage name -> milliseconds, median of the last
    second (decode, track, solve, pose, splat, encode, total). `bitrate`: bits a second sent to this page.
    `face`: whether a face is seen. `calibrating`: whether the neutral face is being taken. `ready`: whether the avatar is
    loaded; without it no picture changes.
    """

    TYPE: ClassVar[str] = "stats"
    fps: float
    stages: dict[str, float]
    bitrate: float
    face: bool
    calibrating: bool = False
    ready: bool = True


Message = Hello | Offer | Bye | Welcome | Answer | Failure | RoomState | Camera | Ping | Recalibrate | Pong | Stats
MESSAGES: dict[str, type] = {cls.TYPE: cls for cls in typing.get_args(Message)}


def encode(message: Message) -> str:
    """A message as JSON text."""
    return json.dumps({"type": message.TYPE, **dataclasses.asdict(message)}, separators=(",", ":"))


def decode(text: str | bytes) -> Message:
    """JSON text as a message. Raises `ProtocolError` for anything that is not exactly one."""
    if not isinstance(text, str | bytes) or len(text) > MAX_MESSAGE:
        raise ProtocolError(f"a message of at most {MAX_MESSAGE} bytes was expected; send a shorter one")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise ProtocolError("a JSON object was expected, the message is not JSON") from None
    if not isinstance(data, dict) or not isinstance(data.get("type"), str) or data["type"] not in MESSAGES:
        raise ProtocolError(f"a message with one of the types {', '.join(sorted(MESSAGES))} was expected")
    return typing.cast(Message, _build(MESSAGES[data["type"]], data))


def _build(cls: type, data: dict[str, Any]) -> Any:
    hints = _hints(cls)
    values = {}
    for f in dataclasses.fields(cls):
        if f.name in data:
            values[f.name] = _check(hints[f.name], data[f.name], f"{f.name!r} of a message")
        elif f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            raise ProtocolError(f"a message with {f.name!r} was expected, it is missing")
    return cls(**values)


_hints = functools.cache(typing.get_type_hints)  # half a millisecond each time


def _check(hint: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal and isinstance(value, str) and value in args:
        return value
    if origin is list and isinstance(value, list):
        return [_check(args[0], item, where) for item in value]
    if origin is dict and isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {k: _check(args[1], item, where) for k, item in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _build(typing.cast(type, hint), value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    elif hint in (int, str, bool) and type(value) is hint:
        return value
    raise ProtocolError(f"{where} should be {_in_words(hint)}; it is not")


def _in_words(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return " or ".join(f"{choice!r}" for choice in typing.get_args(hint))
    plain = {float: "a finite number", int: "a whole number", str: "text", bool: "true or false"}
    return plain.get(hint, "a list" if typing.get_origin(hint) is list else "an object")
