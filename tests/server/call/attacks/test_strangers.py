"""Attacks that need no key: the call goes on, newcomers come in, and the log stays short."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.server.call.attacks.stage import Stage, longest_gap, pictures
from tests.server.call.serving import until

pytestmark = pytest.mark.timeout(60)
SECONDS = 0.7
"""Of each attack."""
MAX_GAP = 2.0
"""Seconds without a picture, on a machine that has much else to do; a lost connection needs longer to be made again."""


@asynccontextmanager
async def unharmed_call(server: Stage) -> AsyncIterator[None]:
    """A person and a viewer, whose connections and pictures must live through what happens in the block."""
    log = server.log.stat().st_size
    async with server.page("person") as person, server.page("viewer") as viewer:
        await until(lambda: viewer.pictures > 3 and person.pictures > 3)
        start = time.monotonic()
        yield
        gap, came = longest_gap(viewer, start), pictures(viewer, start)
        assert person.pc.connectionState == viewer.pc.connectionState == "connected"
        assert gap < MAX_GAP and came > 5 * (time.monotonic() - start), (gap, came)
    assert server.log.stat().st_size - log < 10_000, server.log.read_text()[-3000:]


async def test_datagrams_from_anywhere_do_not_end_a_call(server: Stage) -> None:
    async with unharmed_call(server):
        for kind in ("empty", "short", "stun", "dtls", "rtp", "rtcp"):
            with server.under("udp", kind, told=server.media_ports):
                await asyncio.sleep(SECONDS)


async def _enter(server: Stage) -> None:
    """A newcomer from the attacker's own address; tries again as a browser does."""
    for wait in (0.0, 0.3, 0.9, 1.5, 2.0, 2.0):
        await asyncio.sleep(wait)
        try:
            await asyncio.to_thread(server.status, 3.0)
            async with asyncio.timeout(5), server.page("viewer"):
                return
        except (OSError, EOFError, TimeoutError):
            continue
    raise AssertionError("a newcomer was kept out")


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
        for opening in openings:
            count, rate = (2000, 2000) if openings[0] == "silent" else (200, 200)
            with server.under("tcp", opening, count, 3, rate):
                await asyncio.sleep(SECONDS)
                if opening in (openings[0], openings[-1]):
                    await _enter(server)
