"""Each of the repairs in server/call/aiortc_fixes.py, on aiortc itself. A newer aiortc that makes one void fails here."""

from __future__ import annotations

import asyncio
import socket
import struct
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from aioice.ice import Connection
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver
from aiortc.rtcdtlstransport import RtpRouter
from aiortc.rtcsctptransport import DataChunk, RTCSctpTransport
from aiortc.rtp import RtcpRtpfbPacket, RtpPacket
from packaging.requirements import Requirement

from server.call import aiortc_fixes, ice
from server.call.aiortc_fixes import MAX_CHANNELS, MAX_FRAGMENTS, MAX_RETRANSMISSIONS, MAX_SSRCS, MAX_STREAMS
from server.call_client import CameraTrack
from tests.server.call.serving import until

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(autouse=True)
def mended() -> None:
    ice.install(("127.0.0.1",))


def test_only_versions_that_were_looked_at_are_allowed() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    wanted = {r.name: r.specifier for r in map(Requirement, project["dependencies"])}
    looked_at = {"aiortc": ("1.16.0", "1.17.0"), "aioice": ("0.13.0", "0.14.0"), "uvicorn": ("0.54.0", "0.55.0")}
    for name, (known, next_one) in looked_at.items():
        assert version(name) in wanted[name] and known in wanted[name] and next_one not in wanted[name], name


@pytest.mark.parametrize("server", ["stun_server", "turn_server"])
async def test_nobody_waits_for_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    monkeypatch.setattr(aiortc_fixes, "GATHER_LIMIT", 0.1)
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        options: dict[str, Any] = {server: silent.getsockname(), "turn_username": "u", "turn_password": "p"}
        connection = Connection(ice_controlling=False, **options)
        async with asyncio.timeout(4):  # aioice itself takes five seconds
            await connection.gather_candidates()
        assert [candidate.type for candidate in connection.local_candidates] == ["host"]
        await connection.close()


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[RTCPeerConnection, RTCPeerConnection, list[Any]]]:
    """Two peers and what the second has received on a data channel."""
    ours, theirs = (RTCPeerConnection(RTCConfiguration([])) for _ in range(2))
    heard: list[Any] = []
    theirs.on("datachannel", lambda channel: channel.on("message", heard.append))
    channel = ours.createDataChannel("control")
    await ours.setLocalDescription(await ours.createOffer())
    await theirs.setRemoteDescription(ours.localDescription)
    await theirs.setLocalDescription(await theirs.createAnswer())
    await ours.setRemoteDescription(theirs.localDescription)
    await until(lambda: channel.readyState == "open")
    ours.control = channel  # type: ignore[attr-defined]
    try:
        yield ours, theirs, heard
    finally:
        await asyncio.gather(ours.close(), theirs.close())


def stun(kind: int, name: int, value: bytes) -> bytes:
    attribute = struct.pack("!HH", name, len(value)) + value + bytes(-len(value) % 4)
    return struct.pack("!HHI", kind, len(attribute), 0x2112A442) + bytes(12) + attribute


def _named(user: bytes, name: int, size: int) -> bytes:
    """A request of one who knows the user's name, with a short attribute."""
    body = struct.pack("!HH", 6, len(user)) + user + bytes(-len(user) % 4)
    body += struct.pack("!HH", name, size) + bytes(size + -size % 4)
    return struct.pack("!HHI", 1, len(body), 0x2112A442) + bytes(12) + body


async def test_no_packet_from_anywhere_ends_a_connection_or_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with connected() as (ours, theirs, heard):
        connection = theirs.sctp.transport.transport._connection
        (protocol,) = connection._protocols
        known = next(iter(connection._nominated.values())).remote_addr
        user = connection.local_username.encode() + b":x"
        names = (0x24, 0x25, 3, 12, 13, 0x19, 0x8028, 0x8029, 0x802A, 1, 9, 0x20, 6)
        short = [stun(kind, name, bytes(n)) for kind in (1, 0x101, 0x111) for name in names for n in range(3)]
        short += [_named(user, name, n) for name in names for n in range(4)]
        junk = [b"", b"\0", b"\x16", bytes(12), bytes(20), b"\x80" * 13, b"\x16" * 60, b"\x81\xc9" + bytes(20), *short]
        for address in (("192.0.2.9", 9), known):
            for data in junk:
                protocol.datagram_received(data, address)
        depth = connection._queue.qsize()
        for _ in range(5000):
            protocol.datagram_received(b"\x80" * 50, ("192.0.2.9", 9))
        assert connection._queue.qsize() == depth
        for _ in range(5000):
            protocol.datagram_received(b"\x80" * 50, known)
        assert connection._queue.qsize() <= aiortc_fixes.WAITING
        await until(lambda: connection._queue.empty())
        ours.control.send("still here")  # type: ignore[attr-defined]
        await until(lambda: "still here" in heard)
        assert len(connection._remote_candidates) < 5
    assert "Traceback" not in caplog.text and not [r for r in caplog.records if r.levelname in ("WARNING", "ERROR")]


async def test_an_error_in_one_packet_costs_that_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected() as (ours, theirs, heard):
        receive = RTCSctpTransport._receive_chunk
        failed: list[DataChunk] = []

        async def fail_once(self: RTCSctpTransport, chunk: Any) -> None:
            if self is theirs.sctp and isinstance(chunk, DataChunk) and not failed:
                failed.append(chunk)
                raise KeyError
            await receive(self, chunk)

        monkeypatch.setattr(RTCSctpTransport, "_receive_chunk", fail_once)
        ours.control.send("once more")  # type: ignore[attr-defined]
        await until(lambda: "once more" in heard)
        assert failed


async def test_a_router_knows_a_few_sources_and_short_nacks() -> None:
    router, receiver = RtpRouter(), RTCRtpReceiver("video", SimpleNamespace(state="new"))  # type: ignore[arg-type]
    router.register_receiver(receiver, ssrcs=[7], payload_types=[96])
    for ssrc in range(1000):
        router.route_rtp(RtpPacket(payload_type=96, ssrc=ssrc))
    assert len(router.ssrc_table) == MAX_SSRCS and router.route_rtp(RtpPacket(payload_type=96, ssrc=7)) is receiver
    nack = RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=2, lost=[*range(3), *range(3)] * 1000 + list(range(6000)))
    router.route_rtcp(nack)
    assert nack.lost == list(range(MAX_RETRANSMISSIONS))


async def test_streams_fragments_and_channels_are_bounded() -> None:
    async with connected() as (ours, theirs, _):
        sctp = theirs.sctp
        first = sctp._last_received_tsn

        async def data(tsn: int, stream: int, flags: int = 2) -> None:
            chunk = DataChunk(flags=flags)
            chunk.tsn, chunk.stream_id, chunk.stream_seq, chunk.protocol, chunk.user_data = tsn % 2**32, stream, 0, 51, b"x"
            await sctp._receive_data_chunk(chunk)

        for i in range(3 * MAX_STREAMS):
            await data(first + 10 + 2 * i, 100 + i)
        for i in range(3 * MAX_FRAGMENTS):
            await data(first + 1000 + 2 * i, 100)
        assert len(sctp._inbound_streams) <= MAX_STREAMS and len(sctp._sack_misordered) <= MAX_FRAGMENTS
        assert all(len(stream.reassembly) <= MAX_FRAGMENTS for stream in sctp._inbound_streams.values())
        for i in range(200):
            label = b"x" * (60_000 if i == 0 else 1)
            await sctp._data_channel_receive(300 + i, 50, struct.pack("!BBHLHH", 3, 0, 0, 0, len(label), 0) + label)
        assert len(sctp._data_channels) == MAX_CHANNELS
        assert max(len(channel.label) for channel in sctp._data_channels.values()) < 10
        ours.control.send("still here")  # type: ignore[attr-defined]
        await asyncio.sleep(0)


async def test_a_connection_that_never_closes_is_closed_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    async def dies(self: RTCRtpReceiver) -> None:
        self._RTCRtpReceiver__rtcp_started.set()  # type: ignore[attr-defined]
        raise struct.error

    monkeypatch.setattr(RTCRtpReceiver, "_run_rtcp", dies)
    process = psutil.Process()
    before = (process.num_fds(), process.num_threads())
    ours, theirs = (RTCPeerConnection(RTCConfiguration([])) for _ in range(2))
    ours.addTrack(CameraTrack(lambda _: None))  # type: ignore[arg-type, return-value]
    await ours.setLocalDescription(await ours.createOffer())
    await theirs.setRemoteDescription(ours.localDescription)
    await theirs.setLocalDescription(await theirs.createAnswer())
    await ours.setRemoteDescription(theirs.localDescription)
    await until(lambda: theirs.connectionState == "connected" and ours.connectionState == "connected")
    for pc in (ours, theirs):
        await aiortc_fixes.close(pc, 0.3)
    with suppress(TimeoutError):
        async with asyncio.timeout(30):
            await until(lambda: (process.num_fds(), process.num_threads()) <= before)
    assert process.num_fds() <= before[0] and process.num_threads() <= before[1] + 1


async def test_who_leaves_during_the_handshake_leaves_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    shaking, closing = asyncio.Event(), asyncio.Event()

    async def shake(_: object) -> None:
        """A handshake that ends while the connection is being closed."""
        shaking.set()
        await closing.wait()

    async def close(connection: Connection) -> None:
        if shaking.is_set():  # before, those that bundling leaves over are closed
            closing.set()
            await asyncio.sleep(0.05)
        await closed(connection)

    closed = Connection.close
    monkeypatch.setattr(Connection, "close", close)
    page, ours = RTCPeerConnection(), RTCPeerConnection()
    for kind in ("video", "audio"):
        page.addTransceiver(kind)
    await page.setLocalDescription(await page.createOffer())
    await ours.setRemoteDescription(page.localDescription)
    monkeypatch.setattr(ours.getTransceivers()[0].receiver.transport, "start", shake)
    await ours.setLocalDescription(await ours.createAnswer())
    connecting = [task for task in asyncio.all_tasks() if "connect" in str(task.get_coro())]
    await page.setRemoteDescription(ours.localDescription)
    await shaking.wait()
    await ours.close()
    await page.close()
    assert connecting and not any(await asyncio.gather(*connecting, return_exceptions=True))
