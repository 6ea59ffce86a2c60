"""A page's WebSocket as the rooms see it, and the outbox in front of it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Protocol

log = logging.getLogger(__name__)

OUTBOX = 32
"""Messages waiting for a socket after which it is hung up."""


class Wire(Protocol):
    """A WebSocket. Sending on a closed one raises `ConnectionError`.

    network: where it comes from, as in `server.call.fairness.network_of`.
    """

    network: str

    async def receive(self) -> str | bytes | None:
        """The next message, `None` when the socket has closed."""

    async def send(self, text: str) -> None:
        """Send one message."""

    async def close(self, code: int = 1000) -> None:
        """Close the socket (RFC 6455, 7.4 for the code)."""


async def say_and_close(wire: Wire, text: str) -> None:
    """One last message."""
    with suppress(ConnectionError):
        await wire.send(text)
    await wire.close()


def close_outbox(outbox: asyncio.Queue[str | None] | None) -> None:
    """Let the writer finish what is there and close the socket."""
    if outbox is not None:
        while outbox.full():
            outbox.get_nowait()
        outbox.put_nowait(None)


async def write_outbox(wire: Wire, outbox: asyncio.Queue[str | None]) -> None:
    """Send what is put into the outbox until `None`; then close the socket."""
    try:
        while (text := await outbox.get()) is not None:
            await wire.send(text)
        await wire.close()
    except ConnectionError:
        log.debug("a page's socket closed while we wrote to it")
