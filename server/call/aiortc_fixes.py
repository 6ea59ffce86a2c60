"""What aiortc 1.16 and aioice 0.13 let a stranger or one page do to everybody, mended in one place.

Both are written for peers who mean well. `install` replaces, for this process, the functions named below; each line says
what happens without it. Needed up to and including aiortc 1.16 and aioice 0.13, which is why pyproject.toml allows no newer
ones: look through this list, and run tests/server/call/attacks, before that line is changed.

- `StunProtocol.datagram_received`: takes a packet from any address. An empty one ends the call (`data[0]` of nothing in
  `RTCDtlsTransport._recv_next`), a STUN message with a short attribute is a traceback in the log, and what a closed DTLS
  transport no longer reads is kept for ever.
- `Connection.get_component_candidates`: a STUN or TURN server that does not answer holds up everybody who comes in for 5 s.
- `RTCDtlsTransport._recv_next`: an error while one packet is read ends the connection.
- `RTCCertificate._create_ssl_context`: only ciphers for ECDSA certificates, GStreamer's are RSA.
- `RtpRouter.route_rtp`: any number of SSRCs; with more than 255 the receiver's RTCP task dies and `close` never returns.
- `RtpRouter.route_rtcp`: one NACK packet may ask for some 6,000 retransmissions, one after the other.
- `RTCSctpTransport._receive_data_chunk`, `_data_channel_receive`: any number of streams, fragments, gaps, data channels and
  any length of their names, each looked through for every packet.
- `RTCPeerConnection.__connect`: who leaves during the DTLS handshake leaves a traceback in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from aioice.ice import Candidate, Connection, StunProtocol
from aiortc import InvalidStateError, RTCPeerConnection, RTCSctpTransport
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsTransport, RtpRouter
from aiortc.rtcsctptransport import DATA_CHANNEL_OPEN, WEBRTC_DCEP
from aiortc.rtp import RtcpRtpfbPacket

SHORTEST = 13
"""Bytes of the shortest packet there is: the header of a DTLS record (RFC 6347, 4.1); STUN and SRTP have more."""
LONGEST_STUN = 1280
COOKIE = bytes.fromhex("2112a442")
WAITING = 1024
"""Packets of one connection that may wait to be read."""
MAX_REMOTE = 64
"""Addresses of one page, from its offer and learned from its checks (RFC 8445, 7.3.1.3)."""
GATHER_LIMIT = 2
"""Seconds for STUN and TURN servers to say what our addresses are: three attempts over UDP. Pages wait as long."""
CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:"
    b"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305"
)
"""aiortc's, and such for RSA certificates, which are checked by their fingerprint just as well (RFC 8827, 6.5)."""
MAX_SSRCS = 31
"""As many as one RTCP receiver report can hold (RFC 3550, 6.4.2)."""
MAX_RETRANSMISSIONS = 128
"""For one NACK packet: as many as aiortc remembers."""
MAX_STREAMS = 32
MAX_CHANNELS = 16
MAX_LABEL = 256
MAX_FRAGMENTS = 1024
"""Pieces of a message, and gaps between pieces, that one stream may hold; the largest message has 218 pieces."""

_handle_stun = StunProtocol.datagram_received
_get_component_candidates = Connection.get_component_candidates
_recv_next = RTCDtlsTransport._recv_next
_create_ssl_context = RTCCertificate._create_ssl_context
_route_rtp = RtpRouter.route_rtp
_route_rtcp = RtpRouter.route_rtcp
_receive_data_chunk = RTCSctpTransport._receive_data_chunk
_data_channel_receive = RTCSctpTransport._data_channel_receive
_CONNECT = "_RTCPeerConnection__connect"
_connect = getattr(RTCPeerConnection, _CONNECT)


def install() -> None:
    """Mend aiortc and aioice for this process. May be called again."""
    StunProtocol.datagram_received = _datagram_received  # type: ignore[method-assign, assignment]
    Connection.get_component_candidates = _get_candidates_soon  # type: ignore[method-assign, assignment]
    RTCDtlsTransport._recv_next = _recv_next_or_skip  # type: ignore[method-assign, assignment]
    RTCCertificate._create_ssl_context = _create_open_context  # type: ignore[method-assign, assignment]
    RtpRouter.route_rtp = _route_few_sources  # type: ignore[method-assign, assignment]
    RtpRouter.route_rtcp = _route_short_nacks  # type: ignore[method-assign, assignment]
    RTCSctpTransport._receive_data_chunk = _receive_bounded_chunk  # type: ignore[method-assign, assignment]
    RTCSctpTransport._data_channel_receive = _receive_few_channels  # type: ignore[method-assign, assignment]
    setattr(RTCPeerConnection, _CONNECT, _connect_unless_closed)


async def close(pc: RTCPeerConnection, seconds: float) -> None:
    """`pc.close()`; when it has not returned after `seconds`, its sockets and threads are closed by hand.

    aiortc closes one part after the other, and waits without a limit for each.
    """
    try:
        await asyncio.wait_for(pc.close(), seconds)
    except TimeoutError:
        pass
    else:
        return
    transports = {t.sender.transport for t in pc.getTransceivers()} | {t.receiver.transport for t in pc.getTransceivers()}
    if pc.sctp is not None:
        transports.add(pc.sctp.transport)
    for transceiver in pc.getTransceivers():
        transceiver.receiver._handle_disconnect()  # ends the decoder's thread
    stops: list[Awaitable[Any]] = [t.sender.stop() for t in pc.getTransceivers()]
    stops += [dtls.stop() for dtls in transports]
    stops += [dtls.transport.stop() for dtls in transports]
    for stop in stops:
        try:
            await asyncio.wait_for(stop, seconds)
        except (TimeoutError, ConnectionError):
            continue


async def _connect_unless_closed(pc: RTCPeerConnection) -> None:
    """Connect all transports, or as many as there are until the connection is closed."""
    try:
        await _connect(pc)
    except InvalidStateError:
        if pc.signalingState != "closed":
            raise


# ICE


def _datagram_received(protocol: StunProtocol, data: bytes | str, addr: tuple[Any, ...]) -> None:
    """Hand on what may be for us (RFC 7983 tells kinds by the first byte); drop the rest without a word."""
    if not isinstance(data, bytes) or len(data) < SHORTEST:
        return
    connection = protocol.receiver
    if data[0] < 4:
        if _is_our_stun(protocol, data) and (_is_known(connection, addr) or len(connection._remote_candidates) < MAX_REMOTE):
            try:
                _handle_stun(protocol, data, addr)
            except Exception:  # parsing: struct.error and more, for attributes that are too short
                return
    elif (19 < data[0] < 64 or 127 < data[0] < 192) and _is_known(connection, addr) and _has_room(connection):
        connection.data_received(data, protocol.local_candidate.component)


def _is_our_stun(protocol: StunProtocol, data: bytes) -> bool:
    """Whether it is worth parsing: the answer to our own request, or a request that names our user (RFC 8445, 7.1.1)."""
    if not 20 <= len(data) <= LONGEST_STUN or data[4:8] != COOKIE or int.from_bytes(data[2:4], "big") != len(data) - 20:
        return False
    if data[0] & 1:  # a response or an error
        return data[8:20] in protocol.transactions
    connection = protocol.receiver
    return isinstance(connection, Connection) and f"{connection.local_username}:".encode() in data


def _is_known(connection: Connection, addr: tuple[Any, ...]) -> bool:
    """Whether the address is one of the page's candidates, from its offer or from its checks."""
    host, port = addr[0], addr[1]
    for pair in connection._nominated.values():
        if pair.remote_addr == (host, port):
            return True
    return any(c.port == port and c._network_host == host for c in connection._remote_candidates)


def _has_room(connection: Connection) -> bool:
    return connection._queue.qsize() < WAITING


async def _get_candidates_soon(connection: Connection, component: int, addresses: list[str]) -> list[Candidate]:
    return await _get_component_candidates(connection, component, addresses, GATHER_LIMIT)


# DTLS and RTP


async def _recv_next_or_skip(transport: RTCDtlsTransport) -> None:
    try:
        await _recv_next(transport)
    except ConnectionError:
        raise
    except Exception:  # one packet that cannot be read is as good as lost
        await asyncio.sleep(0)


def _create_open_context(certificate: RTCCertificate, srtp_profiles: Any) -> Any:
    context = _create_ssl_context(certificate, srtp_profiles)
    context.set_cipher_list(CIPHERS)
    return context


def _route_few_sources(router: RtpRouter, packet: Any) -> Any:
    if packet.ssrc not in router.ssrc_table and len(router.ssrc_table) >= MAX_SSRCS:
        return None
    return _route_rtp(router, packet)


def _route_short_nacks(router: RtpRouter, packet: Any) -> Any:
    if isinstance(packet, RtcpRtpfbPacket):
        packet.lost = list(dict.fromkeys(packet.lost))[:MAX_RETRANSMISSIONS]
    return _route_rtcp(router, packet)


# SCTP


async def _receive_bounded_chunk(sctp: RTCSctpTransport, chunk: Any) -> None:
    """Too much at once is as good as lost: it is not acknowledged, so a page that means well sends it again."""
    stream = sctp._inbound_streams.get(chunk.stream_id)
    if stream is None and len(sctp._inbound_streams) >= MAX_STREAMS:
        return
    if stream is not None and len(stream.reassembly) >= MAX_FRAGMENTS:
        return
    if len(sctp._sack_misordered) >= MAX_FRAGMENTS:
        return
    await _receive_data_chunk(sctp, chunk)


async def _receive_few_channels(sctp: RTCSctpTransport, stream_id: int, pp_id: int, data: bytes) -> None:
    if pp_id == WEBRTC_DCEP and data[:1] == bytes([DATA_CHANNEL_OPEN]):
        label = int.from_bytes(data[8:10], "big") + int.from_bytes(data[10:12], "big")
        if stream_id in sctp._data_channels or len(sctp._data_channels) >= MAX_CHANNELS or label > MAX_LABEL:
            return
    await _data_channel_receive(sctp, stream_id, pp_id, data)
