"""A call that must live through an attack."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.call_client import CallClient
from tests.server.call.attacks.stage import Stage, longest_gap, pictures
from tests.server.call.serving import until

USUAL = 0.6
"""Seconds without an attack in which the pictures are counted."""
MAX_GAP = 2.0
"""Seconds without a picture, on a machine that has much else to do; a lost connection needs longer to be made again."""
LEFT = 0.5
"""Part of the pictures before the attack that must still come, on such a machine; 0.9 on one that is idle."""
MAX_LOG = 10_000
"""Bytes that an attack may add to the log."""


async def _rate(page: CallClient) -> float:
    """Pictures a second while nobody attacks."""
    start = time.monotonic()
    await asyncio.sleep(USUAL)
    return pictures(page, start) / (time.monotonic() - start)


@asynccontextmanager
async def unharmed_call(server: Stage) -> AsyncIterator[CallClient]:
    """In the first room a person, who is yielded, and a viewer, whose connections and pictures must live through the block."""
    log = server.log.stat().st_size
    async with server.page("person") as person, server.page("viewer") as viewer:
        await until(lambda: viewer.pictures > 3 and person.pictures > 3)
        before = await _rate(viewer)
        start = time.monotonic()
        yield person
        gap, rate = longest_gap(viewer, start), pictures(viewer, start) / (time.monotonic() - start)
        usual = before if rate > LEFT * before else min(before, await _rate(viewer))  # others may be at work by now
        assert person.pc.connectionState == viewer.pc.connectionState == "connected"
        assert gap < MAX_GAP and rate > LEFT * usual, (gap, rate, usual)
    assert server.log.stat().st_size - log < MAX_LOG, server.log.read_text()[-3000:]
