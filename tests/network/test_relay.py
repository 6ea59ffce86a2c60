"""The relay with real datagrams: a viewer whose line it is."""

from __future__ import annotations

import pytest

from tests.network.bottleneck import Line
from tests.network.relay import Relay, shaped_socket
from tests.server.call.serving import running, shows, until

pytestmark = pytest.mark.timeout(240)
OFFER = "\r\n".join(
    (
        "v=0",
        "a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host",
        "a=candidate:2 1 udp 1 192.0.2.2 5001 typ srflx raddr 0 rport 0",
        "",
    )
)


async def test_candidates_lead_to_the_relay_and_others_are_left_out() -> None:
    async with Relay(address="127.0.0.1") as relay:
        once, again = await relay.offer(OFFER), await relay.offer(OFFER)
        assert once == again and "192.0.2" not in once and once.count("candidate") == 1 and " 127.0.0.1 " in once


async def test_a_viewers_media_go_through_the_relay_and_follow_its_line() -> None:
    async with (
        running() as server,
        server.page("person") as person,
        Relay(down=Line(delay=0.03)) as relay,
        shaped_socket(server.socket, relay) as url,
    ):
        await until(lambda: shows(person, server.brightness))
        viewer = server.page("viewer")
        viewer._url = url
        async with viewer:
            await until(lambda: shows(viewer, server.brightness))
            assert relay.down.passed > 10 and relay.up.passed > 5
            relay.down.line = Line(loss=1.0)
            before = relay.down.lost
            await until(lambda: relay.down.lost > before + 20)  # all of the server's packets meet their end here
            seen = viewer.pictures
            await until(lambda: relay.down.lost > before + 40)
            assert viewer.pictures <= seen + 1
