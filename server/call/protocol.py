"""Messages between a page and the server, version 2: a room of several people.

Two carriers, both JSON objects with a `type` that names the message:
- the WebSocket (`/ws`): `Hello`, `Join`, `Offer`, `Presence`, `Moderate`, `Bye` up; `Lobby`, `Welcome`, `Answer`, `Failure`,
  `RoomState`, `SoundLines` down;
- the data channel `control` (ordered, reliable): `ViewerCamera`, `ViewerFrame`, `Ping`, `Recalibrate`, `PictureHeld` up;
  `Pong`, `Stats`, `Labels`, `Speaking` down.
On the data channel `drive` (unordered, unreliable) go drive frames, binary: models/exchange/drive_frames.py, docs/protocol.md.

    page                           server
    Hello (key of the link)   ->
                              <-   Lobby (role, avatars)            or Welcome, where the page shows the token of its seat
    Join (name, avatar)       ->
                              <-   Welcome (participant, token, links), RoomState
    Offer                     ->
                              <-   Answer, then SoundLines and RoomState whenever they change
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from models.errors import ProtocolError
from realtime.room.framing import MAX_ROOM

VERSION = 2
MAX_MESSAGE = 96 * 1024
"""Bytes; a longer message is refused before it is parsed. An SDP of a page with sound and video takes about 10 KB."""
MAX_NAME = 40
"""Characters of a participant's name."""
MAX_SOUND_LINES = 7
"""Sound lines that a page offers: voices that it can hear at the same time."""
CONNECT_LIMIT = 15.0
"""Seconds that joining may take, until media come both ways: then the page tries again, and the server frees the place."""
SILENCE_LIMIT = 6.0
"""Seconds that a page waits for the answer to a `Ping` before it connects anew."""
PICTURE_LIMIT = 8.0
"""Seconds that a page in the call waits for its picture before it says why there is none, and for the next one before it connects
anew."""

Role = Literal["host", "person", "viewer"]
Act = Literal["mute", "remove", "lock", "unlock", "end"]
Key = Annotated[str, msgspec.Meta(max_length=256)]
Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
Sdp = Annotated[str, msgspec.Meta(max_length=MAX_MESSAGE)]
Number = Annotated[int, msgspec.Meta(ge=-1, le=1 << 40)]
Pixels = Annotated[int, msgspec.Meta(ge=0, le=MAX_ROOM)]
Background = Literal["white", "dark", "grey", "sand", "sage", "sky"]


class IceServer(msgspec.Struct, frozen=True):
    """As RTCIceServer of W3C webrtc."""

    urls: list[str]
    username: str = ""
    credential: str = ""


class AvatarInfo(msgspec.Struct, frozen=True):
    """An avatar of this server. preview: address of its picture, empty without one."""

    id: str
    name: str
    preview: str = ""


class Participant(msgspec.Struct, frozen=True):
    """Somebody with a seat. seated: the avatar is loaded and can be seen. web_avatar: address of what a page needs to draw it,
    while it is in the room; it changes with the avatar, and is empty where there is none."""

    id: int
    name: str
    host: bool = False
    seated: bool = False
    muted: bool = False
    camera: bool = True
    web_avatar: str = ""


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """First message on the socket. `key` is the last part of the page's address, a link's key or a room token; `resume` a token
    from an earlier `Welcome`. `keep_media`: the peer connection of that seat is well, only its socket was lost; leave it as it
    is. `token`: of an account or a guest, whose own avatars are offered too."""

    key: Annotated[str, msgspec.Meta(max_length=2048)]
    resume: Key = ""
    version: int = VERSION
    keep_media: bool = False
    token: Annotated[str, msgspec.Meta(max_length=2048)] = ""


class Lobby(msgspec.Struct, frozen=True, tag="lobby"):
    """The link is right. `role`: what it allows. `heartbeat`: seconds between pings. `account`: whether the token of the hello is
    valid. `enrolls`: whether avatars can be made here."""

    role: Role
    avatars: list[AvatarInfo] = []
    ice_servers: list[IceServer] = []
    heartbeat: float = 1.0
    account: bool = False
    enrolls: bool = False


class Join(msgspec.Struct, frozen=True, tag="join"):
    """Come in: with an avatar (its id), or to watch. `order`: where the page's seat was before the server was started again,
    -1 at first."""

    name: Name = ""
    avatar: Key = ""
    watch: bool = False
    order: Number = -1
    muted: bool = False


class Place(msgspec.Struct, frozen=True):
    """Where the page shows its picture. width, height: pixels of the screen, 0: the configured size. background: what is behind
    the people. mask: whether the page puts something else there, and needs to know where the people are; below the picture is
    then a band of half its height with their opacity, every second row of it, from black to white. seen: whether anybody looks;
    no pictures are made else. draws: the page draws by itself, from drive frames; no pictures are made for it meanwhile."""

    width: Pixels = 0
    height: Pixels = 0
    background: Background = "white"
    mask: bool = False
    seen: bool = True
    draws: bool = False


ANYWHERE = Place()


class Offer(msgspec.Struct, frozen=True, tag="offer"):
    """The page's complete SDP offer (candidates included). place: of the picture, at first."""

    sdp: Sdp
    place: Place = ANYWHERE


class Presence(msgspec.Struct, frozen=True, tag="presence"):
    """Whether the participant's own microphone and camera are on. The server keeps a muted voice back."""

    muted: bool = False
    camera: bool = True


class Moderate(msgspec.Struct, frozen=True, tag="moderate"):
    """The host acts: mute or remove a participant; lock, unlock or end the room (participant -1)."""

    act: Act
    participant: Number = -1


class Bye(msgspec.Struct, frozen=True, tag="bye"):
    """The page leaves on purpose: its seat is freed at once."""


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """The page is in. `participant`: its number in `RoomState`, -1 for a viewer. `order`: of its seat. `person_link`,
    `viewer_link`: addresses for others, empty where the role may not invite. `media_kept`: the peer connection goes on; else an
    offer is awaited. `synthetic`: the people in the pictures are AI-generated (EU AI Act, Article 50)."""

    resume: str
    role: Role
    participant: int = -1
    order: int = -1
    person_link: str = ""
    viewer_link: str = ""
    ice_servers: list[IceServer] = []
    heartbeat: float = 1.0
    media_kept: bool = False
    synthetic: bool = True


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """The server's complete SDP answer."""

    sdp: str


class Failure(msgspec.Struct, frozen=True, tag="failure"):
    """One sentence for the person. `code`: full, busy, locked, removed, ended, avatar, not_found, not_allowed, bad_message,
    media, lost, restarting, internal. `final`: do not reconnect. `retry_after`: when not final, seconds to wait before the next
    attempt; 0 leaves it to the page's own schedule. `may_watch`: joining as a viewer would work."""

    code: str
    message: str
    final: bool = True
    retry_after: float = 0.0
    may_watch: bool = False


class RoomState(msgspec.Struct, frozen=True, tag="room_state"):
    """Who is here; sent when it changes. people: in the order of their seats."""

    people: list[Participant] = []
    viewers: int = 0
    locked: bool = False


class SoundLines(msgspec.Struct, frozen=True, tag="sound_lines"):
    """Whose voice comes on which media line of the page's offer: mid -> participant."""

    lines: dict[str, int] = {}


class ViewerCamera(msgspec.Struct, frozen=True, tag="viewer_camera"):
    """What the page wants to see. orbit: from a camera around the table, or around `focus`; else from the own seat. yaw and
    pitch: radians (yaw 0 faces the avatar, positive towards its left); distance: metres. focus: a participant, or -1."""

    orbit: bool = False
    focus: Number = -1
    yaw: float = 0.0
    pitch: float = 0.0
    distance: float = 0.9


class ViewerFrame(msgspec.Struct, frozen=True, tag="viewer_frame"):
    """The page shows its picture in another place, or on another background."""

    place: Place = ANYWHERE


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """Heartbeat; `sent` is the page's clock in milliseconds and comes back as it is."""

    sent: float


class Recalibrate(msgspec.Struct, frozen=True, tag="recalibrate"):
    """Take the person's face in the next second as neutral."""


class PictureHeld(msgspec.Struct, frozen=True, tag="picture_held"):
    """Whether the page holds the picture back from now on, for voices that come late; until then it shows each at once."""

    held: bool


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    """Answer to `Ping`."""

    sent: float


class Label(msgspec.Struct, frozen=True):
    """Where a participant is in the page's picture: a box in parts of its width and height, from the top left corner."""

    participant: int
    left: float
    top: float
    width: float
    height: float


class Labels(msgspec.Struct, frozen=True, tag="labels"):
    """Everybody in the page's picture; sent when it changes. width, height: of the picture, pixels, without its mask. mask:
    whether it has one."""

    labels: list[Label] = []
    width: int = 0
    height: int = 0
    mask: bool = False


class Speaking(msgspec.Struct, frozen=True, tag="speaking"):
    """The participants who speak now; sent when it changes."""

    participants: list[int] = []


class Stats(msgspec.Struct, frozen=True, tag="stats"):
    """Once a second. `fps`: pictures rendered for this page. `stages`: stage name -> milliseconds, median of the last second.
    `bitrate`: bits a second sent to this page. `face`: whether the participant's own face is seen. `calibrating`: whether the
    neutral face is being taken. `ready`: whether pictures are made at all."""

    fps: float
    stages: dict[str, float]
    bitrate: float
    face: bool
    calibrating: bool = False
    ready: bool = True


FromPage = Hello | Join | Offer | Presence | Moderate | Bye | ViewerCamera | ViewerFrame | Ping | Recalibrate | PictureHeld
ToPage = Lobby | Welcome | Answer | Failure | RoomState | SoundLines | Pong | Labels | Speaking | Stats

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(FromPage)
_page_decoder = msgspec.json.Decoder(ToPage)


def encode(message: FromPage | ToPage) -> str:
    """A message as JSON text."""
    return _encoder.encode(message).decode()


def decode(text: str | bytes) -> FromPage:
    """What a page said. Raises `ProtocolError` for anything that is not exactly one message; unknown keys are ignored, so that
    newer pages can add some."""
    return _decoded(text, _decoder)


def decode_from_server(text: str | bytes) -> ToPage:
    """What a server said, for programs that join as a page does. Raises `ProtocolError`."""
    return _decoded(text, _page_decoder)


def _decoded(text: str | bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    if not isinstance(text, str | bytes) or len(text) > MAX_MESSAGE:
        raise ProtocolError(f"a message of at most {MAX_MESSAGE} bytes was expected; send a shorter one")
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        reason = "".join(c for c in str(error)[:120] if c.isprintable())  # it may repeat what was said
        raise ProtocolError(f"a message of this protocol was expected; {reason}") from None
