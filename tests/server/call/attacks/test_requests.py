"""Requests for rooms and previews: of whom, how many, and with what behind the header."""

from __future__ import annotations

import asyncio
import time

import pytest

from server.call.rules import RoomKeys
from tests.models.makers import png
from tests.server.call.attacks.conftest import ROOMS
from tests.server.call.attacks.stage import AVATAR_ID, Stage

pytestmark = pytest.mark.timeout(240)
SECRETS = ("/etc/passwd", "log", "me.avatar")


async def test_previews_are_for_pages_and_nothing_else_is_behind_them(server: Stage) -> None:
    assert server.ask("GET", f"/avatars/{AVATAR_ID}.png")[0] == 404
    _, _, headers = server.ask("GET", f"/room/{server.keys.viewer}")
    cookie = {"Cookie": headers["set-cookie"].partition(";")[0]}
    wrong = {"Cookie": cookie["Cookie"][:-1] + ("0" if cookie["Cookie"][-1] != "0" else "1")}
    assert server.ask("GET", f"/avatars/{AVATAR_ID}.png", wrong)[0] == 404
    status, body, headers = server.ask("GET", f"/avatars/{AVATAR_ID}.png", cookie)
    assert (status, body, headers["content-type"]) == (200, png(), "image/png")
    for path in SECRETS:
        for way in ("../../../../../..", "..%2f..%2f..%2f..", "%2e%2e/%2e%2e/%2e%2e", "..\\..\\", "/", f"{AVATAR_ID}/../.."):
            for end in ("", ".png", "%00.png", "?.png"):
                status, body, _ = server.ask("GET", f"/avatars/{way}{path}{end}", cookie)
                assert status == 404 and b"root:" not in body and b"safetensors" not in body
    for name in ("", ".", "..", "%00", "%ff", "x" * 7000, "*", AVATAR_ID.upper() + "A"):
        assert server.ask("GET", f"/avatars/{name}.png", cookie)[0] == 404
    assert server.ask("POST", f"/avatars/{AVATAR_ID}.png", cookie)[0] in (400, 403, 404)


async def _raw(server: Stage, *lines: str, body: bytes = b"") -> bytes:
    """The reply to a request for a room, with these lines and with what follows them; empty when there is none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    header = "".join(f"{line}\r\n" for line in ("POST /rooms HTTP/1.1", "Host: a", *lines))
    try:
        writer.write(header.encode() + b"\r\n" + body)
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_so_many_rooms_are_made_and_what_follows_the_header_is_not_read(server: Stage, other: RoomKeys) -> None:
    host = f"Authorization: Bearer {other.host}"
    for _ in range(ROOMS + 1):
        status, body = server.create(server.keys.host)
    assert status == 409 and body.count(b".") == 1 and body.endswith(b".") and b"--max-rooms" in body
    memory, start = server.memory, time.monotonic()
    for body, *lines in (
        (b"x" * 20, "Content-Length: 20"),
        (b"x" * 1_000_000, "Content-Length: 1000000"),
        (b"x", "Content-Length: 99999999999999"),
        (b"", "Content-Length: 1e3"),
        (b"", "Content-Length: -1"),
        (b"xx", "Content-Length: 1", "Content-Length: 2"),
        (b"5\r\nrooms\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
        (b"fffffffffffffff\r\n" + b"x" * 100_000, "Transfer-Encoding: chunked"),
        (b"", "Expect: 100-continue", "Content-Length: 10"),
    ):
        reply = await _raw(server, host, *lines, body=body)
        assert reply == b"" or reply.startswith((b"HTTP/1.1 409 ", b"HTTP/1.1 400 ")), reply[:80]
    for line in ("", "Authorization: Bearer", f"Authorization: Basic {other.host}", f"Authorization: Bearer {other.host}x"):
        assert (await _raw(server, *([line] if line else []))).startswith(b"HTTP/1.1 403 ")
    assert server.memory - memory < 20_000_000 and time.monotonic() - start < 30
    assert await asyncio.to_thread(server.status) == "ok"
