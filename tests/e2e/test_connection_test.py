"""The connection test in a real browser, against the real server: where all is well, where UDP is blocked, and with relays."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from server.call.protocol import IceServer
from tests.client_web.conftest import CLIENT, built_page, chromium
from tests.network.bottleneck import Line
from tests.network.relay import Relay
from tests.network.turn import TurnServer, turn_server
from tests.server.call.serving import Running, running, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(120)]
__all__ = ["built_page", "chromium"]

DEAD_RELAY = IceServer(["turn:127.0.0.1:9?transport=tcp"], "user", "secret-credential")
BLOCKED = Line(loss=1.0)


@contextmanager
def serving(ice: Callable[[TurnServer], tuple[IceServer, ...]] = lambda _: (), **settings: Any) -> Iterator[Running]:
    """The real server with flat pictures and a TURN server beside it, on a thread of their own. ice: what pages are told."""
    started, stop = threading.Event(), asyncio.Event()
    parts: list[Any] = []

    async def live() -> None:
        async with turn_server() as turn, running(CLIENT / "dist", ice_servers=ice(turn), **settings) as server:
            await until(lambda: server.room.ready)
            parts.extend([asyncio.get_running_loop(), server])
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(live()), name="server", daemon=True)
    thread.start()
    assert started.wait(60)
    loop, server = parts
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)


class BlockedRelay(Relay):
    """Nothing gets through, but what goes by a TURN server does not come here."""

    async def _rewritten(self, sdp: str, *args: Any, **named: Any) -> str:
        kept = [line for line in sdp.split("\r\n") if line.startswith("a=candidate:") and " typ relay" in line]
        text = await super()._rewritten(sdp, *args, **named)
        first, rest = text.split("a=candidate:", 1)
        return first + "".join(line + "\r\n" for line in kept) + "a=candidate:" + rest
