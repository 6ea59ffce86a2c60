"""The checks of `visavis doctor --call` against the real server, real and wrong neighbours, all on this machine."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from server import cli
from server.call.protocol import IceServer
from server.call_check import findings, media, relays, web
from server.call_check.findings import CheckError, Finding
from server.call_check.link import read_link
from server.call_check.run import check_call, summary, works
from server.call_client import CallClient
from tests.network.bottleneck import Line
from tests.network.relay import Relay, shaped_socket
from tests.network.turn import TurnServer, turn_server
from tests.server.call.serving import Running, running, until

pytestmark = pytest.mark.timeout(240)
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PAGE = "<html><title>Visavis</title>"


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text(PAGE)
    return tmp_path


async def checked(link: str) -> dict[str, Finding]:
    return {finding.check: finding async for finding in check_call(read_link(link))}


def states(found: dict[str, Finding]) -> dict[str, str]:
    return {check: finding.state for check, finding in found.items()}


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[int]:
    """A server that is no Visavis; the port."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def saying(reply: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(reply)
        writer.close()

    return handler


async def test_links_of_every_role_work(pages: Path) -> None:
    async with running(pages) as server:
        await until(lambda: server.room.ready)
        for link in (server.addresses.host, server.addresses.viewer.replace("/room/", "/connection-test/") + "?autojoin=1"):
            found = await checked(link)
            assert set(states(found).values()) == {"passed"} and works(list(found.values())), found
        assert list(found) == ["address", "page", "WebSocket", "room", "UDP to the server", "sending", "receiving"]
        assert found["room"].text.endswith("viewer") and "128 x 128" in found["receiving"].text
        assert summary(list(found.values())) == "calls work from this machine"
        await until(lambda: server.room.is_empty)
        await _wrong_links(server)


async def _wrong_links(server: Running) -> None:
    host = server.addresses.host
    for link, check, words in (
        (host + "x", "page", "there is no room at this link"),
        (host.replace("http:", "https:"), "https", "use http:// in the link"),
    ):
        found = await checked(link)
        assert found[check].state == "failed" and words in found[check].text and found["sending"].state == "untested"
        assert server.key("host") not in repr(found)
        assert summary(list(found.values())).startswith("calls do not work from this machine; first mend this: ")


async def test_a_self_signed_certificate_is_told_and_http_is_no_way_there(pages: Path, tmp_path: Path) -> None:
    async with running(pages, tls=True, state=tmp_path / "state") as server:
        await until(lambda: server.room.ready)
        found = await checked(server.addresses.viewer)
        assert works(list(found.values())) and "self-signed" in found["certificate"].text
        found = await checked(server.addresses.viewer.replace("https:", "http:"))
        assert "use https://" in found["page"].text


async def test_relays_are_asked_and_a_full_room_leaves_media_untested(pages: Path) -> None:
    async with turn_server() as turn, running(pages, ice_servers=_servers(turn), max_viewers=0) as server:
        found = await checked(server.addresses.person)
        assert states(found) | {"address": "passed"} == {
            "address": "passed", "page": "passed", "WebSocket": "passed", "room": "passed",
            f"stun:127.0.0.1:{turn.port}": "passed",
            f"turn:127.0.0.1:{turn.port}?transport=udp": "passed",
            f"turn:127.0.0.1:{turn.port}?transport=tcp": "failed",
            "turn:127.0.0.1:9?transport=tcp": "failed",
            "UDP to the server": "untested", "sending": "untested", "receiving": "untested",
        }  # fmt: skip
        assert "password" in found[f"turn:127.0.0.1:{turn.port}?transport=tcp"].text
        assert "nothing listens" in found["turn:127.0.0.1:9?transport=tcp"].text
        assert "viewers' places are taken" in found["sending"].text
        assert "secret" not in repr(found) and not works(list(found.values()))


def _servers(turn: TurnServer) -> tuple[IceServer, ...]:
    dead = IceServer(["turn:127.0.0.1:9?transport=tcp"], "user", "secret-credential")
    return (IceServer([f"stun:127.0.0.1:{turn.port}"]), turn.ice("udp"), turn.ice("tcp", "wrong-secret"), dead)


async def test_blocked_udp_is_said_and_a_relay_goes_around_it(pages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "LIMIT", 3.0)
    blocked = Line(loss=1.0)
    async with running(pages) as server, Relay(up=blocked, down=blocked) as relay, shaped_socket(server.socket, relay) as narrow:
        with pytest.raises(CheckError, match="no UDP packet gets through; open the server's UDP ports"):
            async with media.call(narrow, server.key("viewer"), [], None, relay=False):
                pass
        async with turn_server(relay._address) as turn, _relayed(server, turn) as page:
            assert await media.check_sending(page) and turn.allocations == 1


def _relayed(server: Running, turn: TurnServer) -> AbstractAsyncContextManager[CallClient]:
    return media.call(server.socket, server.key("viewer"), [turn.ice("tcp")], None, relay=True)


async def test_a_server_without_ports_for_media_fails_with_its_words(pages: Path) -> None:
    async with running(pages, ice_addresses=("203.0.113.9",)) as server:
        found = await checked(server.addresses.host)
        assert found["UDP to the server"].state == "failed" and "no free UDP port" in found["UDP to the server"].text


@pytest.mark.parametrize(
    ("reply", "check", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<html>Welcome to nginx", "page", "no Visavis"),
        (b"HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\n\r\n", "page", "a proxy answers with 502"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "page", "does not speak HTTP"),
        (b"", "page", "does not speak HTTP"),
        (f"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{PAGE}".encode(), "WebSocket", "pass WebSockets on"),
    ],
)
async def test_what_is_no_visavis_is_said(reply: bytes, check: str, words: str) -> None:
    async with listening(saying(reply)) as port:
        found = await checked(f"http://127.0.0.1:{port}/room/key")
    assert found[check].state == "failed" and words in found[check].text
    assert found["receiving"].state == "untested"


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "LIMIT", 1.5)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with listening(silent) as port:
        found = await checked(f"http://127.0.0.1:{port}/room/key")
    assert "does not answer" in found["page"].text


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("http://127.0.0.1:9/room/key", "nothing listens at 127.0.0.1 port 9"),
        ("http://localhost:9/room/key", "own machine only"),
        ("https://no-such-name.invalid/room/key", "the name no-such-name.invalid is not known"),
        ("http://" + "a" * 80 + ".invalid/room/key", "is not known"),
    ],
)
async def test_an_address_without_a_server_is_said(link: str, words: str) -> None:
    found = await checked(link)
    assert found["address"].state == "failed" and words in found["address"].text
    assert list(found) == ["address", "UDP to the server", "sending", "receiving"]


@pytest.mark.parametrize("url", ["stun:127.0.0.1:9", "stun:no-such-name.invalid", "turn:127.0.0.1:9", "nonsense"])
async def test_a_server_for_ice_that_is_not_there_is_said(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "LIMIT", 1.0)
    with pytest.raises(CheckError) as error:
        await relays.check_ice_server(IceServer([url], "user", "secret"))
    assert "\n" not in str(error.value) and "secret" not in str(error.value)


async def test_a_relay_without_tls_is_said() -> None:
    async with listening(saying(b"SSH-2.0-OpenSSH_9.6\r\n")) as port:
        with pytest.raises(CheckError, match="no TLS is spoken"):
            await relays.check_ice_server(IceServer([f"turns:127.0.0.1:{port}"], "user", "secret"))


def test_the_command_prints_a_line_each_and_fails_without_a_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> tuple[Any, str]:
        monkeypatch.setattr(sys, "argv", ["visavis", "doctor", *words])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code, capsys.readouterr().out

    code, out = run("--call", "http://127.0.0.1:9/room/key")
    assert code == 2 and out.splitlines()[0].startswith("✗ address: nothing listens")
    code, out = run("--call", "http://127.0.0.1:9/room/key", "--json")
    said = json.loads(out)
    assert code == 2 and said["works"] is False and said["checks"][0]["state"] == "failed"
    assert run("--call", "nonsense")[0] == 2
