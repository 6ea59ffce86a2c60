from __future__ import annotations

import asyncio
import errno
import resource
import select
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from server.call import door
from server.call.door import Door, raise_file_limit
from server.call.origins import Origins
from server.call.sockets import SignallingSocket
from tests.server.call.serving import running, until

pytestmark = pytest.mark.timeout(240)
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Echo(asyncio.Protocol):
    """Stands for uvicorn's protocol: answers with the header that it was given, and stays open."""

    def __init__(self, header: bytes, _peer: str, gone: Callable[[], None]) -> None:
        self._header, self._gone = header, gone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._header + data)
        self._header = b""

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone()


class Reception:
    """Knows whoever asks for /room/key and says hello with it; what a socket said is in `said`."""

    http = Echo

    def __init__(self) -> None:
        self.said: list[str | bytes | None] = []
        self.sockets: list[SignallingSocket] = []

    def instant(self, header: bytes) -> bytes | None:
        return b"HTTP/1.1 200 OK\r\n\r\n" if header.startswith(b"GET /healthz ") else None

    def is_known(self, header: bytes) -> bool:
        return header.startswith(b"GET /room/key ")

    def origin(self, header: bytes, peer: str) -> str:
        return Origins(("127.0.0.1",)).of(peer, header)

    def is_known_hello(self, text: str | bytes) -> bool:
        return text == "key"

    def socket(self, header: bytes, network: str, gone: Callable[[], None]) -> SignallingSocket:
        return SignallingSocket(header, network, self._serve, gone)

    async def _serve(self, socket: SignallingSocket) -> None:
        self.sockets.append(socket)
        while (message := await socket.receive()) is not None:
            self.said.append(message)
            await socket.send("heard")


@asynccontextmanager
async def opened(limit: int = 8, sock: socket.socket | None = None) -> AsyncIterator[tuple[Door, int]]:
    with sock or socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        guarded = Door(listening, Reception(), limit)
        try:
            yield guarded, listening.getsockname()[1]
        finally:
            guarded.close()
            for guest in list(guarded._guests):
                guarded._end(guest)
            await asyncio.sleep(0)


async def knock(port: int, words: bytes = b"", address: str = "127.0.0.1") -> asyncio.StreamReader:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    writer.write(words)
    reader.writer = writer  # type: ignore[attr-defined] # or it is closed
    return reader


async def test_a_request_goes_on_once_its_header_is_whole() -> None:
    async with opened() as (_, port):
        visitor = await knock(port, REQUEST[:9])
        await asyncio.sleep(0.05)
        visitor.writer.write(REQUEST[9:] + b"more")  # type: ignore[attr-defined]
        assert await visitor.readexactly(len(REQUEST) + 4) == REQUEST + b"more"


async def test_the_silent_go_for_newcomers_the_oldest_of_the_busiest_address_first() -> None:
    async with opened(limit=8) as (guarded, port):
        other = await knock(port, b"GET ", "127.0.0.2")
        await until(lambda: len(guarded._silent) == 1)
        crowd = [await knock(port, b"GET ") for _ in range(20)]
        for gone in crowd[:13]:
            assert await gone.read() == b""
        for kept in (crowd[-1], other):
            kept.writer.write(b"/ HTTP/1.1\r\n\r\n")  # type: ignore[attr-defined]
            assert (await kept.readuntil(b"\r\n\r\n")).startswith(b"GET / ")


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.0.0.2"], ids=["a proxy", "a liar"])
async def test_who_comes_by_a_trusted_proxy_counts_by_the_own_address(peer: str) -> None:
    """Sockets that say nothing: those of one address go, however many it claims; the proxy's others stay."""
    async with opened(limit=8) as (guarded, port):
        other = await knock(port, handshake().replace(b"Host", b"X-Forwarded-For: 203.0.113.7\r\nHost"))
        await other.readuntil(b"\r\n\r\n")
        crowd = []
        for number in range(20):
            claimed = b"X-Forwarded-For: 198.51.100.%d\r\nHost" % (1 if peer == "127.0.0.1" else number)
            crowd.append(await knock(port, handshake().replace(b"Host", claimed), peer))
            await crowd[-1].readuntil(b"\r\n\r\n")
        assert len(guarded._silent) == 8
        for kept in (other, crowd[-1]):
            kept.writer.write(handshake(b"key")[len(handshake()) :])  # type: ignore[attr-defined]
            assert await kept.readexactly(7) == b"\x81\x05heard"


async def test_what_is_served_is_bounded_too() -> None:
    async with opened(limit=4) as (guarded, port):
        visitors = [await knock(port, REQUEST) for _ in range(9)]
        for gone in visitors[:5]:
            await gone.read()
        assert await visitors[-1].readexactly(len(REQUEST)) == REQUEST
        assert len(guarded._served) == len(guarded._guests) == 4


@pytest.mark.parametrize(
    "words",
    [b"\x16\x03\x01\0\xc8" + bytes(200), b"POST / HTTP/1.1\r\n\r\n", b"POST /rooms/x HTTP/1.1\r\n\r\n",
     b"PUT /rooms HTTP/1.1\r\n\r\n", b"EHLO x\r\n\r\n", b"GET / HTTP/2.0\r\n\r\n",
     b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200, b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000, b"\r\n\r\n"],
)  # fmt: skip
async def test_what_is_no_request_is_closed_at_once(words: bytes) -> None:
    async with opened() as (guarded, port):
        visitor = await knock(port, words)
        try:
            reply = await visitor.read()
        except ConnectionResetError:
            reply = b""
        assert reply in (b"", door._REFUSAL) and not guarded._guests


async def test_the_slow_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEADER_TIMEOUT", "REPLY_TIMEOUT"):
        monkeypatch.setattr(door, name, 0.2)
    async with opened() as (_, port):
        silent, half, slow = await knock(port), await knock(port, b"GET / HTTP/1.1\r\nX: "), await knock(port, REQUEST)
        assert await silent.read() == await half.read() == b""
        assert await slow.read() == REQUEST


def handshake(hello: bytes = b"") -> bytes:
    """A socket's request (RFC 6455, 4.1) with its first message right behind, masked with zeros."""
    frame = bytes([0x81, 0x80 | len(hello)]) + bytes(4) + hello if hello else b""
    fields = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    return b"GET /ws HTTP/1.1\r\nHost: a\r\n" + fields + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + frame


@pytest.mark.parametrize("flood", [REQUEST, handshake(b"no")], ids=["files", "hellos"])
async def test_a_flood_leaves_its_own_address_short_answers_and_whoever_has_a_link(
    flood: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "STRANGERS_PER_SECOND", 0.01)
    monkeypatch.setattr(door, "TURN_TIMEOUT", 30.0)
    monkeypatch.setattr(door, "STRANGERS_AT_ONCE", 1.0)
    async with opened(limit=100) as (guarded, port):
        crowd = [await knock(port, flood) for _ in range(60)]
        await until(lambda: len(guarded._asking) > 40)
        probe = await knock(port, REQUEST.replace(b"/ ", b"/healthz "))
        assert (await probe.read()).startswith(b"HTTP/1.1 200 ")
        page = await knock(port, REQUEST.replace(b"/ ", b"/room/key "))
        assert b"/room/key" in await page.readuntil(b"\r\n\r\n")
        for words in (handshake(b"key"), handshake()):
            visitor = await knock(port, words)
            assert b" 101 " in await visitor.readuntil(b"\r\n\r\n")
            if words == handshake():
                visitor.writer.write(handshake(b"key")[len(words) :])  # type: ignore[attr-defined]
            assert await visitor.readexactly(7) == b"\x81\x05heard"
        assert len(guarded._asking) > 20 and len(crowd) == 60


async def test_who_waits_too_long_for_a_turn_is_told_when_to_ask_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "TURN_TIMEOUT", 0.2)
    monkeypatch.setattr(door, "STRANGERS_AT_ONCE", 1.0)
    monkeypatch.setattr(door, "STRANGERS_PER_SECOND", 1e-3)
    async with opened() as (_, port):
        served = await knock(port, b"GET /a HTTP/1.1\r\n\r\n")
        assert await served.readuntil(b"\r\n\r\n") == b"GET /a HTTP/1.1\r\n\r\n"
        late = await (await knock(port, b"GET /b HTTP/1.1\r\n\r\n")).read()
        head, _, body = late.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ") and b"\r\nretry-after: " in head
        assert f"content-length: {len(body)}".encode() in head and b'"detail"' in body


async def test_a_socket_that_is_silent_or_no_socket_comes_no_further_than_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "HEADER_TIMEOUT", 0.2)
    async with opened() as (guarded, port):
        silent = await knock(port, handshake())
        assert (await silent.read()).startswith(b"HTTP/1.1 101 ") and not guarded._guests
        for words, status in (
            (handshake().replace(b"Upgrade: websocket", b"X: y"), b"426"),
            (handshake().replace(b"Version: 13", b"Version: 12"), b"400"),
            (handshake().replace(b"Host: a", b"Host: a\r\nOrigin: http://b"), b"403"),
        ):
            assert (await (await knock(port, words)).read()).startswith(b"HTTP/1.1 " + status)
        for garbage in (b"\xff" * 8, b"\x88\x80" + bytes(4), b"\x01\x80" + bytes(4), handshake(b"x" * 100)[-106:-1]):
            visitor = await knock(port, handshake() + garbage)
            assert b" 101 " in await visitor.readuntil(b"\r\n\r\n")
            await visitor.read()
        assert not guarded._guests


async def test_no_handle_left_closes_the_idle_and_looks_again(caplog: pytest.LogCaptureFixture) -> None:
    class Short(socket.socket):
        left = 6

        def accept(self) -> tuple[socket.socket, Any]:
            if Short.left == 0 and select.select([self], [], [], 0)[0]:
                raise OSError(errno.EMFILE, "Too many open files")
            taken = super().accept()
            Short.left -= 1
            return taken

    async with opened(limit=100, sock=Short()) as (guarded, port):
        idle = [await knock(port) for _ in range(6)]
        await until(lambda: len(guarded._silent) == 6)
        late = await knock(port, REQUEST)
        assert [await visitor.read() for visitor in idle] == [b""] * 6
        Short.left = 6
        assert await late.readexactly(len(REQUEST)) == REQUEST
    assert len(caplog.records) < 10 and "Traceback" not in caplog.text


async def test_each_connection_serves_one_request_and_the_limit_of_files_is_raised() -> None:
    async with running() as server:
        port = int(server.base.rpartition(":")[2])
        visitor = await knock(port, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        assert (await asyncio.wait_for(visitor.read(), 4)).count(b"HTTP/1.1 200") == 1
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == hard and raise_file_limit() > 0
