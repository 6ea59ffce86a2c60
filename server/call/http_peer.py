"""Peers of those who come by HTTP alone: a camera (WHIP, RFC 9725), and a player (WHEP, draft-ietf-wish-whep).

They have no data channel, so no heartbeat comes from them. Packets do: media, or reports about ours (RFC 3550, 6.2). Who sends
nothing for a heartbeat is asked by a STUN check (RFC 8445, 7), which every ICE agent answers, so whoever vanishes is lost as
soon as a page would be.
"""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import suppress
from typing import Any

from aiortc import RTCDataChannel, RTCPeerConnection, RTCRtpTransceiver
from aiortc.sdp import candidate_from_sdp

from realtime.room.sound import SoundLine
from server.call.actions import StartMedia
from server.call.offer import MAX_CANDIDATES, CheckedOffer, IceFragment, useful_candidates
from server.call.peer import NoPortError, PeerEvents, RoomMedia, RoomPeer

ANSWERED = 0.5
"""Seconds after which the other end has our answer."""


class HttpPeer(RoomPeer):
    """What both have in common. is_out_of_ports: whether that was why there is no answer."""

    def __init__(self, start: StartMedia, room: RoomMedia, events: PeerEvents) -> None:
        super().__init__(start, room, events)
        self.is_out_of_ports = False
        self._watching = False
        self._packets = self._candidates = 0

    async def answer(self, sdp: str) -> str:
        """As a page's. Its addresses are checked a little later: libnice, before it has our answer, refuses checks, and all
        refused is the end of ICE (RFC 8445, 7.2.5.3.4)."""
        lines = sdp.splitlines()
        held = tuple(line for line in lines if line.startswith("a=candidate:"))
        rest = "".join(f"{line}\r\n" for line in lines if not line.startswith("a=candidate:"))
        try:
            answer = await super().answer(rest)
            self._spawn(self._check_later(useful_candidates(held)))
            return answer
        except NoPortError:
            self.is_out_of_ports = True
            raise

    async def add_candidates(self, fragment: IceFragment) -> None:
        """Addresses of the other end that it learned after its offer; no more than an offer may name."""
        pc = self._pc
        leader = next((t for t in pc.getTransceivers() if not t._bundled), None) if pc is not None else None
        if pc is None or leader is None or self._closed:
            return
        for line in fragment.candidates:
            if self._candidates < MAX_CANDIDATES:
                self._candidates += 1
                with suppress(ValueError):  # what follows the address may be anything
                    candidate = candidate_from_sdp(line.removeprefix("a=candidate:"))
                    candidate.sdpMid = leader.mid
                    await pc.addIceCandidate(candidate)

    async def _check_later(self, candidates: tuple[str, ...]) -> None:
        await asyncio.sleep(ANSWERED)
        await self.add_candidates(IceFragment("", candidates))

    def _on_channel(self, channel: RTCDataChannel) -> None:
        """Nothing is said there."""

    def _on_state(self) -> None:
        super()._on_state()
        if self._pc is not None and self._pc.connectionState == "connected" and not self._watching:
            self._watching = True
            self._spawn(self._watch())

    async def _watch(self) -> None:
        """Take what comes for a heartbeat."""
        while not self._closed:
            if self._has_heard() or await self._asked():
                self._events.ping()
            await asyncio.sleep(self._room.settings.heartbeat)

    def _has_heard(self) -> bool:
        """Whether packets have come since the last time."""
        transport = self._transport()
        if transport is None:
            return False
        before, self._packets = self._packets, sum(stats.packetsReceived for stats in transport._get_stats().values())
        return self._packets > before

    async def _asked(self) -> bool:
        """Whether the other end answers a check."""
        ice = self._ice()
        if ice is None or not ice.remote_password:
            return False
        for pair in list(ice._nominated.values()):
            request, key = ice.build_request(pair, nominate=False), ice.remote_password.encode()
            try:
                await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=1)
            except Exception:  # aioice: no answer, a wrong one, or a connection that closes meanwhile
                return False
            return True
        return False

    def _transport(self) -> Any:
        transceivers = [] if self._pc is None else self._pc.getTransceivers()
        return transceivers[0].receiver.transport if transceivers else None

    def _ice(self) -> Any:
        transport = self._transport()
        return None if transport is None else transport.transport._connection


class WhipPeer(HttpPeer):
    """A camera and microphone: nothing is sent back."""

    def _add_lines(self, pc: RTCPeerConnection, offer: CheckedOffer) -> RTCRtpTransceiver | None:
        lines = tuple(dataclasses.replace(line, page_receives=False) for line in offer.lines)
        return super()._add_lines(pc, dataclasses.replace(offer, lines=lines))


class WhepPeer(HttpPeer):
    """A player: the spectators' view, and all voices on one track."""

    def _add_lines(self, pc: RTCPeerConnection, offer: CheckedOffer) -> RTCRtpTransceiver | None:
        lines = tuple(dataclasses.replace(line, page_sends=False) for line in offer.lines)
        return super()._add_lines(pc, dataclasses.replace(offer, lines=lines))

    def _open_sound(self, count: int) -> list[SoundLine]:
        return [self._room.sound.open_mix(self.member)] if count else []
