"""Where media may flow: which addresses and ports of this machine the server offers (RFC 8445).

aioice takes every address but loopback, and any port. `install` replaces that for this process: only the configured
addresses; loopback when there is no other (a laptop without a network, a test machine); ports from a range, for firewalls
and containers. aioice offers no setting for either, so its two functions that decide are replaced, by name. What has to be
mended in aioice and aiortc besides is in `server/call/aiortc_fixes.py` and `light_channel.py`, and comes with it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import aioice.ice

from realtime import playout_delay
from server.call import aiortc_fixes, light_channel

LOOPBACK = "127.0.0.1"
_all_addresses = aioice.ice.get_host_addresses


def install(addresses: tuple[str, ...] = (), ports: tuple[int, int] | None = None) -> None:
    """Decide for all peer connections made in this process from now on; without arguments, as described above."""

    def host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return list(addresses) or _all_addresses(use_ipv4, use_ipv6) or [LOOPBACK]

    aiortc_fixes.install()
    light_channel.install()
    playout_delay.install()
    aioice.ice.get_host_addresses = host_addresses
    vars(aioice.ice)["asyncio"] = _PortRange(*ports) if ports else asyncio


class _PortRange:
    """Stands in for the `asyncio` module inside `aioice.ice`: as it, but the loop binds datagram sockets in the range."""

    def __init__(self, first: int, last: int) -> None:
        self._ports = range(first, last + 1)
        self._next = itertools.count()

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    def get_running_loop(self) -> Any:
        return _RangeLoop(asyncio.get_running_loop(), self)

    def candidates(self) -> Iterator[int]:
        """Every port of the range once, starting after the one that was tried last."""
        for _ in self._ports:
            yield self._ports[next(self._next) % len(self._ports)]


class _RangeLoop:
    def __init__(self, loop: asyncio.AbstractEventLoop, range_: _PortRange) -> None:
        self._loop, self._range = loop, range_

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    async def create_datagram_endpoint(self, factory: Any, local_addr: tuple[str, int], **options: Any) -> Any:
        host, port = local_addr
        if port:
            return await self._loop.create_datagram_endpoint(factory, local_addr=local_addr, **options)
        for candidate in self._range.candidates():
            try:
                return await self._loop.create_datagram_endpoint(factory, local_addr=(host, candidate), **options)
            except OSError:
                continue  # in use: the next one
        raise OSError("every port of the configured range is in use")
