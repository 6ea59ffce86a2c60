"""Attacks that need no key: the call goes on, newcomers come in, and the log stays short.

The figures themselves are measured by `python -m tests.server.call.attacks.figures`; here are bounds for a busy machine.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.server.call.attacks.attackers import FLOODS
from tests.server.call.attacks.figures import newcomer
from tests.server.call.attacks.stage import Stage, stage
from tests.server.call.attacks.unharmed import MAX_LOG, unharmed_call
from tests.server.call.serving import until

pytestmark = pytest.mark.timeout(240)
SECONDS = 0.6
"""Of each attack."""
KEPT_OUT = 3.0
"""Seconds that a newcomer may take longer than without an attack."""


async def test_datagrams_from_anywhere_do_not_end_a_call(server: Stage) -> None:
    async with unharmed_call(server):
        for kind in ("empty", "short", "stun", "dtls", "rtp", "rtcp"):
            with server.under("udp", kind, told=server.media_ports):
                await asyncio.sleep(SECONDS)


async def _comes_in(server: Stage, usual: float) -> None:
    took, tries = await newcomer(server)
    assert took < KEPT_OUT + usual, (took, tries, usual)


@pytest.mark.parametrize(
    "openings",
    [
        ("silent", "half a request", "half a handshake"),
        ("tls", "a huge header", "many headers", "a body that never comes", "no http", "pipelined garbage"),
        ("a silent socket", "an idle connection that was served", "old http", "a chunked body"),
    ],
    ids=["no request", "no http", "requests"],
)
async def test_two_thousand_connections_keep_nobody_out(server: Stage, openings: Sequence[str]) -> None:
    async with unharmed_call(server):
        usual, _ = await newcomer(server)
        for opening in openings:
            count, rate = (2000, 2000) if openings[0] == "silent" else (200, 200)
            with server.under("tcp", opening, count, 3, rate):
                await asyncio.sleep(SECONDS)
                if opening in (openings[0], openings[-1]):
                    await _comes_in(server, usual)


async def test_floods_of_whole_requests_from_a_newcomers_own_address_do_not_keep_it_out(server: Stage) -> None:
    async with unharmed_call(server):
        usual, _ = await newcomer(server)
        for flood in FLOODS:
            with server.under("tcp", flood, 1000, 1, 670):
                await asyncio.sleep(SECONDS)
                await _comes_in(server, usual)


async def test_a_flood_from_the_other_protocol_and_slow_bytes_keep_nobody_out(server: Stage) -> None:
    async with unharmed_call(server):
        usual, _ = await newcomer(server)
        with ExitStack() as attacks:
            if server.has_ipv6:
                attacks.enter_context(server.under("tcp", "requests of every kind", 1000, 1, 300, "::1"))
            attacks.enter_context(server.under("drip", 100, 200))
            await asyncio.sleep(SECONDS)
            await _comes_in(server, usual)


async def test_a_server_under_attack_obeys_sigterm(tmp_path: Path) -> None:
    with stage(tmp_path) as server, ExitStack() as attacks:
        async with server.page("person") as person:
            await until(lambda: person.pictures > 3)
            attacks.enter_context(server.under("tcp", "requests of every kind", 1000, 1, 300))
            attacks.enter_context(server.under("tcp", "silent", 1000, 3, 300))
            attacks.enter_context(server.under("udp", "stun", told=server.media_ports))
            await asyncio.sleep(SECONDS)
            server.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(server.process.wait, 5 + 3) == 0  # 3: for a busy machine
        assert server.log.stat().st_size < MAX_LOG
