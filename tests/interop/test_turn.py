"""Media through nothing but a TURN relay, with Debian's coturn."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCIceServer, RTCIceTransportPolicy, RTCPeerConnection

from server.benchmarks.call_client import BenchPage
from server.call.protocol import IceServer
from tests.interop.chromium import Chromium
from tests.interop.probe import seen
from tests.interop.turn_server import TURNSERVER, TurnServer, coturn
from tests.server.call.serving import running, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest_asyncio.fixture
async def turn() -> AsyncIterator[TurnServer]:
    """A TURN server."""
    if TURNSERVER is None:
        pytest.skip("turnserver is not installed (apt-get install coturn): nothing was tried through a relay")
    async with coturn() as server:
        yield server


@pytest.mark.e2e
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_chromium_behind_a_relay(turn: TurnServer, chromium_pages: Chromium, transport: str) -> None:
    relayed = {"iceTransportPolicy": "relay"}
    async with running(ice_servers=(turn.ice_server(transport),)) as server, chromium_pages.page(configuration=relayed) as page:
        await page.open(server.addresses.host + "?autojoin=1")
        moment = await seen(page, lambda m: m["phase"] == "live" and m["decoded"] > 10 and m["messages"] > 0)
        assert (moment["local"], moment["relay"]) == ("relay", transport)
        await until(lambda: bool(server.room.worker.driven))


class RelayPage(BenchPage):
    """A `BenchPage` that has no address but its relay's."""

    def through(self, server: IceServer) -> RelayPage:
        """The page, whose media go through this TURN server."""
        servers = [RTCIceServer(server.urls, server.username, server.credential)]
        self.pc = RTCPeerConnection(RTCConfiguration(servers, RTCIceTransportPolicy.RELAY, RTCBundlePolicy.MAX_BUNDLE))
        self.pc.on("track", self._on_track)
        return self


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_aiortc_behind_a_relay(turn: TurnServer, transport: str) -> None:
    ice_server = turn.ice_server(transport)
    async with running(ice_servers=(ice_server,)) as server:
        async with RelayPage(server.socket, server.key("viewer")).through(ice_server) as page:
            await until(lambda: page.pictures > 5)
            assert "typ host" not in page.pc.localDescription.sdp and "typ relay" in page.pc.localDescription.sdp
            assert "typ relay" in page.pc.remoteDescription.sdp, "the server has a relay of its own"
