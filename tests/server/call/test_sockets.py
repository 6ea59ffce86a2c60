"""The signalling socket against the client of the `websockets` package, behind a door whose reception says "heard"."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from server.call import sockets
from server.call.protocol import MAX_MESSAGE
from tests.server.call.serving import until
from tests.server.call.test_door import handshake, knock, opened

pytestmark = pytest.mark.timeout(240)


async def test_messages_whole_and_in_parts_pings_and_the_end() -> None:
    async with opened() as (guarded, port), connect(f"ws://127.0.0.1:{port}/ws") as page:
        said = guarded._reception.said  # type: ignore[attr-defined]
        for message in ("key", ["in ", "three ", "parts"], b"\0\1", "é" * 30_000):
            await page.send(message)
            assert await page.recv() == "heard"
        assert said == ["key", "in three parts", b"\0\1", "é" * 30_000]
        assert await asyncio.wait_for(await page.ping("here"), 5) >= 0
        flood = [str(i) for i in range(500)]
        for message in flood:
            await page.send(message)
        for _ in flood:
            assert await page.recv() == "heard"
        assert said[4:] == flood
        await page.close(1000)
        assert page.close_code == 1000


@pytest.mark.parametrize("frame", [b"\xc1\x80" + bytes(4), b"\x81\x00", b"\x83\x80" + bytes(4), b"\x80\x80" + bytes(4)])
async def test_what_breaks_the_rules_ends_the_socket(frame: bytes) -> None:
    """A reserved bit, no mask, an unknown opcode, a part of nothing (RFC 6455, 5.2)."""
    async with opened() as (_, port):
        page = await knock(port, handshake(b"key"))
        assert b"heard" in await page.readuntil(b"heard")
        page.writer.write(frame)  # type: ignore[attr-defined]
        assert b"\x03\xea" in await page.read()  # 1002


async def test_a_message_that_is_too_long_ends_the_socket() -> None:
    async with opened() as (_, port), connect(f"ws://127.0.0.1:{port}/ws") as page:
        await page.send("key")
        assert await page.recv() == "heard"
        await page.send("x" * (MAX_MESSAGE + 1))
        with pytest.raises(ConnectionClosed) as closed:
            await page.recv()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009


async def test_who_does_not_answer_or_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "ALIVE", 0.1)
    monkeypatch.setattr(sockets, "SEND_TIMEOUT", 0.1)
    monkeypatch.setattr(sockets, "MAX_UNREAD", 1000)
    async with opened() as (_, port):
        mute = await knock(port, handshake(b"key"))
        assert (await mute.read()).endswith(b"\x81\x05heard\x89\x00")  # a ping, and the end
        deaf = await knock(port, handshake(b"key"))
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        pings = (b"\x89\xfd" + bytes(4 + 125)) * 1000
        with pytest.raises(ConnectionError):
            await _write_for_ever(deaf.writer, pings)  # type: ignore[attr-defined]
        monkeypatch.setattr(sockets, "ALIVE", 0.4)  # time for an answer on a machine that has much else to do
        async with connect(f"ws://127.0.0.1:{port}/ws", ping_interval=None) as alive:
            await alive.send("key")
            await asyncio.sleep(1.0)
            await alive.send("still here")
            assert [await alive.recv(), await alive.recv()] == ["heard", "heard"]


async def _write_for_ever(writer: asyncio.StreamWriter, data: bytes) -> None:
    while True:
        writer.write(data)
        await writer.drain()


async def test_a_socket_ends_when_the_call_is_done_with_it() -> None:
    async with opened() as (guarded, port), connect(f"ws://127.0.0.1:{port}/ws") as page:
        await page.send("key")
        assert await page.recv() == "heard"
        found = guarded._reception.sockets  # type: ignore[attr-defined]
        await until(lambda: len(found) == 1)
        await found[0].close(1012)
        with pytest.raises(ConnectionClosed) as closed:
            await page.recv()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012
