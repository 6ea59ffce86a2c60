"""Media through nothing but a TURN relay, with Debian's coturn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import ifaddr
import msgspec
import pytest
import pytest_asyncio
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCIceServer, RTCIceTransportPolicy, RTCPeerConnection

from server.call.certificate import FILE, self_signed
from server.call.protocol import IceServer
from server.call.turn import Turn
from server.call_check.findings import CheckError
from server.call_check.relays import check_ice_server
from server.call_client import CallClient
from tests.interop.chromium import Chromium
from tests.interop.firefox import Firefox
from tests.interop.probe import seen
from tests.interop.turn_server import HOST, TURNSERVER, TurnServer, coturn
from tests.server.call.serving import running, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def own_address() -> str:
    """Of this machine, IPv4, that others may reach. Skips the test where there is none."""
    found = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if isinstance(ip.ip, str)]
    own = next((ip for ip in found if not ip.startswith(("127.", "169.254."))), None)
    if own is None:
        pytest.skip("this machine has no address but loopback: nothing was tried through a relay with one")
    return own


TRANSPORTS = ["udp", "tcp", "tls"]


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TURN server's, which this process believes (OpenSSL reads SSL_CERT_FILE)."""
    if TURNSERVER is None:
        pytest.skip("turnserver is not installed (apt-get install coturn): nothing was tried through a relay")
    self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / FILE))
    return tmp_path / FILE


@pytest_asyncio.fixture
async def turn(certificate: Path) -> AsyncIterator[TurnServer]:
    """A TURN server."""
    async with coturn(certificate) as server:
        yield server


@pytest.mark.e2e
async def test_chromium_behind_a_relay(turn: TurnServer, chromium_pages: Chromium) -> None:
    """The host uses the TURN server that the room names, over UDP; viewers reach it over TCP and TLS."""
    async with running(ice_servers=(turn.ice_server("udp"),)) as server:
        for transport in TRANSPORTS:
            relayed: dict[str, Any] = {"iceTransportPolicy": "relay"}
            address = server.addresses.host
            if transport != "udp":
                relayed["iceServers"] = [msgspec.to_builtins(turn.ice_server(transport))]
                address = server.addresses.viewer
            async with chromium_pages.page(configuration=relayed) as page:
                await page.open(address + "?autojoin=1")
                moment = await seen(page, lambda m: m["phase"] == "live" and m["decoded"] > 5 and m["messages"] > 0)
                assert (moment["local"], moment["relay"]) == ("relay", transport)
                await until(lambda: transport != "udp" or bool(server.room.worker.driven))  # noqa: B023


@pytest.mark.e2e
async def test_chromium_and_the_server_each_behind_a_relay(chromium_pages: Chromium, certificate: Path) -> None:
    """As where the server has no public address. coturn refuses to send to loopback, the server's only address of its own: so the
    server has to try the page's relay from its own relay, or neither lets the other in."""
    async with (
        coturn(certificate, own_address()) as turn,
        running(ice_servers=(turn.ice_server("udp"),), ice_addresses=(HOST,)) as server,
        chromium_pages.page(configuration={"iceTransportPolicy": "relay"}) as page,
    ):
        await page.open(server.addresses.viewer + "?autojoin=1")
        moment = await seen(page, lambda m: m["phase"] == "live" and m["messages"] > 0)
        assert (moment["local"], moment["remote"]) == ("relay", "relay")


@pytest.mark.e2e
async def test_firefox_behind_a_relay(firefox: Firefox, certificate: Path) -> None:
    """Firefox uses no TURN server on loopback, and believes no self-signed certificate."""
    async with coturn(certificate, own_address()) as turn, running(ice_servers=(turn.ice_server("udp"),)) as server:
        for transport in ("udp", "tcp"):
            servers = [msgspec.to_builtins(turn.ice_server(transport))]
            async with firefox.page(configuration={"iceTransportPolicy": "relay", "iceServers": servers}) as page:
                await page.open(server.addresses.viewer + "?autojoin=1")
                moment = await seen(page, lambda m: m["phase"] == "live" and m["messages"] > 0)
                assert (moment["local"], moment["relay"]) == ("relay", transport)


class RelayPage(CallClient):
    """A `CallClient` that has no address but its relay's."""

    def through(self, server: IceServer) -> RelayPage:
        """The page, whose media go through this TURN server."""
        servers = [RTCIceServer(server.urls, server.username, server.credential)]
        self.pc = RTCPeerConnection(RTCConfiguration(servers, RTCIceTransportPolicy.RELAY, RTCBundlePolicy.MAX_BUNDLE))
        self.pc.on("track", self._on_track)
        return self


async def test_credentials_that_run_out(certificate: Path) -> None:
    """coturn takes those of the moment for both ends, and none that have run out or were made with another secret."""
    async with coturn(certificate, secret="north") as turn:
        urls = tuple(turn.ice_server("udp").urls)
        async with running(turn_urls=urls, turn_secret="north") as server:
            lobby = Turn(urls, "north").credentials()
            async with RelayPage(server.socket, server.key("viewer")).through(lobby) as page:
                await until(lambda: page.pictures > 0)
                assert "typ relay" in page.pc.remoteDescription.sdp
                given = page.welcome.ice_servers[0]
            assert await check_ice_server(given) == "relays for this machine"
        for stale in (Turn(urls, "north", -60.0), Turn(urls, "south")):
            with pytest.raises(CheckError, match="refuses the user name or the password"):
                await check_ice_server(stale.credentials())


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_aiortc_behind_a_relay(turn: TurnServer, transport: str) -> None:
    """Both ends: the server offers a relay of its own."""
    ice_server = turn.ice_server(transport)
    async with (
        running(ice_servers=(ice_server,)) as server,
        RelayPage(server.socket, server.key("viewer")).through(ice_server) as page,
    ):
        await until(lambda: page.pictures > 5)
        own, others = page.pc.localDescription.sdp, page.pc.remoteDescription.sdp
        assert "typ relay" in own and "typ host" not in own and "typ relay" in others
