"""HTTPS by the server itself: page, socket and call as without, and nobody holds the handshakes up."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from server.call import certificate, tls
from server.call.protocol import Hello, Lobby, decode_from_server, encode
from tests.server.call.serving import Running, running

pytestmark = pytest.mark.timeout(240)


def _trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=folder / certificate.FILE)


async def _get(server: Running, path: str, context: ssl.SSLContext | None) -> bytes:
    port, name = int(server.base.rpartition(":")[2]), "localhost" if context else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer


async def test_page_files_and_sockets_are_encrypted_and_plain_http_is_sent_there(tmp_path: Path) -> None:
    web = tmp_path / "dist"
    (web / "assets").mkdir(parents=True)
    (web / "index.html").write_text("<html>the page</html>")
    (web / "assets" / "app-1.js").write_bytes(b"x" * 2_000_000)
    async with running(web, tls=True, state=tmp_path) as server:
        context = _trusting(tmp_path)
        assert server.addresses.host.startswith("https://localhost:") and "SHA-256" in server.addresses.note
        assert b"the page" in await _get(server, f"/room/{server.key('viewer')}", context)
        assert (await _get(server, "/assets/app-1.js", context)).count(b"x") >= 2_000_000
        assert b" 404 " in (await _get(server, "/room/nothing", context)).splitlines()[0]
        plain = await _get(server, "/room/x?autojoin=1", None)
        assert plain.startswith(b"HTTP/1.1 308 ") and f"location: {server.base}/room/x?autojoin=1\r\n".encode() in plain
        async with connect(server.socket, ssl=context, origin=server.base) as page:
            await page.send(encode(Hello(server.key("viewer"))))
            assert isinstance(decode_from_server(await page.recv()), Lobby)
            server.stop()
            await page.wait_closed()


async def test_those_who_say_nothing_or_nonsense_keep_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "MAX_SILENT", 20)
    monkeypatch.setattr(tls, "HANDSHAKE_TIMEOUT", 1.0)
    async with running(tls=True, state=tmp_path) as server:
        port = int(server.base.rpartition(":")[2])
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
        begun = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        for index, sock in enumerate(begun):
            sock.sendall(b"\x16\x03\x01" if index % 2 else b"\x16" + bytes(300))
        assert b"Visavis" in await asyncio.wait_for(_get(server, "/", _trusting(tmp_path)), 30)
        deadline = time.monotonic() + 60
        left = [*silent, *begun]
        while left and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
            left = [sock for sock in left if not _closed(sock)]
        assert not left
        for sock in (*silent, *begun):
            sock.close()


def _closed(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        while sock.recv(4096):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
