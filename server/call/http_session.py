"""A WHIP or WHEP session as a page of the room: in the place of a socket, it says what a page says and hears what a page hears.

So seats, paces, limits, muting, removing and locking are those of `server/call/signalling.py`, and nothing of them exists twice.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import re
import secrets

from server.call.actions import StartMedia
from server.call.http_peer import HttpPeer, WhepPeer, WhipPeer
from server.call.offer import IceFragment
from server.call.peer import PeerEvents, RoomMedia
from server.call.protocol import (
    Answer,
    AvatarInfo,
    Bye,
    Failure,
    FromPage,
    Hello,
    IceServer,
    Join,
    Lobby,
    Offer,
    Presence,
    Welcome,
    decode_from_server,
    encode,
)
from server.call.rules import new_key, same

CLOSED = Failure("busy", "The room was closed just now; try again in a moment.", final=False, retry_after=5.0)
_USER = re.compile(r"^a=ice-ufrag:(\S+)", re.MULTILINE)
_SENDS_VIDEO = re.compile(r"^m=video ", re.MULTILINE)


class HttpSession:
    """As `server.call.wire.Wire`, for `Rooms.serve`.

    id: of its address. etag: of its ICE session (RFC 9110, 8.8.3). outcome: the answer, or why there is none; once. ended:
    whether it is over. ice_servers: known with the answer.
    """

    def __init__(self, hello: Hello, sdp: str, *, watch: bool, name: str = "", avatar: str = "", credential: str = "") -> None:
        """hello: opens the room. watch: WHEP; else WHIP. avatar: id or name of one, the first of those that may be taken when
        left out. credential: what further requests must show, empty for nothing."""
        self.network = ""
        self.id, self.etag = new_key(), f'"{secrets.token_hex(8)}"'
        self.outcome: asyncio.Future[Answer | Failure] = asyncio.get_running_loop().create_future()
        self.ended = asyncio.Event()
        self.ice_servers: list[IceServer] = []
        self._watch, self._name, self._avatar, self._sdp = watch, name, avatar, sdp
        self._users = set(_USER.findall(sdp))
        self._credential = _digest(credential) if credential else ""
        self._peer: HttpPeer | None = None
        self._words: asyncio.Queue[str | None] = asyncio.Queue()
        self._send(hello)

    def make_peer(self, start: StartMedia, room: RoomMedia, events: PeerEvents) -> HttpPeer:
        """The peer for the session's offer."""

        def ended() -> None:
            events.ended()
            self.end()  # there is no second offer

        kind = WhepPeer if self._watch else WhipPeer
        self._peer = kind(start, room, dataclasses.replace(events, ended=ended))
        return self._peer

    @property
    def is_out_of_ports(self) -> bool:
        """Whether there is no answer because there was no UDP port."""
        return self._peer is not None and self._peer.is_out_of_ports

    def is_shown(self, credential: str) -> bool:
        """Whether a request brings the credential that the session began with."""
        return not self._credential or same(_digest(credential), self._credential)

    def is_restart(self, fragment: IceFragment) -> bool:
        """Whether another ICE user is named than the offer's (RFC 8445, 9)."""
        return fragment.user not in {"", *self._users}

    async def trickle(self, fragment: IceFragment) -> None:
        """More addresses of the other end."""
        if self._peer is not None:
            await self._peer.add_candidates(fragment)

    def end(self) -> None:
        """Leave the room."""
        self._send(Bye())

    # As a wire

    async def receive(self) -> str | bytes | None:
        """The next message to the room, `None` at the end."""
        return await self._words.get()

    async def send(self, text: str) -> None:
        """What the room says; answers it as a page would."""
        match decode_from_server(text):
            case Lobby(avatars=avatars):
                self._send(Join(self._name, "" if self._watch else self._chosen(avatars), self._watch))
            case Welcome(ice_servers=servers):
                self.ice_servers = servers
                if not self._watch and not _SENDS_VIDEO.search(self._sdp):
                    self._send(Presence(camera=False))
                self._send(Offer(self._sdp))
            case Answer() as answer:
                self._settle(answer)
            case Failure() as failure if not self.outcome.done():
                self._settle(failure)
                self.end()
            case _:
                return

    async def close(self, code: int = 1000) -> None:
        """The room has hung up."""
        self._settle(CLOSED)
        self._words.put_nowait(None)
        self.ended.set()

    def _chosen(self, avatars: list[AvatarInfo]) -> str:
        wanted = self._avatar
        found = [a for a in avatars if wanted in ("", a.id)] or [a for a in avatars if a.name == wanted]
        return found[0].id if found else wanted

    def _settle(self, outcome: Answer | Failure) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    def _send(self, message: FromPage) -> None:
        self._words.put_nowait(encode(message))


def _digest(credential: str) -> str:
    return hashlib.sha256(credential.encode("utf-8", "surrogatepass")).hexdigest()
