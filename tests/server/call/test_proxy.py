"""Behind a reverse proxy that was told no more than where the server is."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import astuple
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from server.call.protocol import Hello, Lobby, decode_from_server, encode
from tests.server.call.serving import running

pytestmark = pytest.mark.timeout(240)
PUBLIC = "https://call.example.org"


@asynccontextmanager
async def nginx(port: int) -> AsyncIterator[int]:
    """As nginx with `proxy_pass http://localhost:port;`: `Host` is that name, no header says for whom; yields its port.

    Without WebSocket settings it speaks HTTP/1.0 and closes; with them (a request that has `Upgrade`) HTTP/1.1.
    """

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        header = await reader.readuntil(b"\r\n\r\n")
        upgrade = b"upgrade: websocket" in header.lower()
        header = re.sub(rb"(?i)\r\n(host|connection):[^\r]*", b"", header)
        connection = b"upgrade" if upgrade else b"close"
        first, _, rest = header.partition(b"\r\n")
        first = first if upgrade else first.replace(b"HTTP/1.1", b"HTTP/1.0")
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        up_writer.write(first + b"\r\nHost: localhost:%d\r\nConnection: %s\r\n" % (port, connection) + rest)
        await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def ask(port: int, path: str, *headers: str) -> tuple[bytes, bytes]:
    """Header and body of the reply."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = "".join(f"{line}\r\n" for line in ("Host: call.example.org", "Connection: close", *headers))
    writer.write(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
    reply = await reader.read()
    writer.close()
    header, _, body = reply.partition(b"\r\n\r\n")
    return header, body


async def test_nobody_is_given_a_secret_address_and_who_has_one_gets_in(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<html>the page</html>")
    (tmp_path / "assets" / "app-1.js").write_text("let x = 1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        behind = free.getsockname()[1]
    async with running(tmp_path, public_url=PUBLIC, port=behind) as server, nginx(behind) as port:
        keys = [key.encode() for key in astuple(server.rooms.first)]
        for path in (
            "/",
            "/?a",
            "//",
            "/room",
            "/room/",
            "/rooms",
            "/avatars/",
            "/index.html",
            "/ws",
            "/healthz",
            "/assets/",
            "http://localhost/",
        ):
            for headers in ((), ("Sec-Fetch-Site: none",), ("Host: localhost",), ("X-Forwarded-Host: localhost",)):
                header, body = await ask(port, path, *headers)
                assert not any(key in header + body for key in keys) and b"location:" not in header.lower(), path
                assert b"the page" not in body and header.startswith(b"HTTP/1.1 "), path
        cookie = ""
        for path in (f"/room/{server.key('person')}", f"/room/{server.key('viewer')}?autojoin=1"):
            header, body = await ask(port, path)
            assert header.startswith(b"HTTP/1.1 200 ") and body == b"<html>the page</html>"
            found = re.search(rb"set-cookie: ([^;]*); Path=/; HttpOnly; SameSite=Strict", header)
            assert found is not None
            cookie = found[1].decode()
            assert not any(key in found[1] for key in keys)
        assert (await ask(port, "/assets/app-1.js", f"Cookie: a=b; {cookie}"))[1] == b"let x = 1"

        with pytest.raises(InvalidStatus, match="403"):
            await connect(f"ws://127.0.0.1:{port}/ws", origin="https://elsewhere.example")
        async with connect(f"ws://127.0.0.1:{port}/ws", origin=PUBLIC) as page:
            await page.send(encode(Hello(server.key("viewer"))))
            assert isinstance(decode_from_server(await page.recv()), Lobby)
