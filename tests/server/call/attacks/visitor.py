"""Sockets without media, for whoever has a link and means no good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from server.call.protocol import Bye, Failure, FromPage, Hello, Join, ToPage, Welcome, decode_from_server, encode
from tests.server.call.attacks.stage import Stage

TIMEOUT = 10.0
"""Seconds for an answer, on a machine that has much else to do."""
Message = TypeVar("Message", bound=ToPage)


class Visitor:
    """A socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, *messages: FromPage) -> None:
        """Send these. Raises `ConnectionClosed`."""
        for message in messages:
            await self.socket.send(encode(message))

    async def hear(self, kind: type[Message]) -> Message:
        """The next message of that kind; others are passed over. Raises `ConnectionClosed`, `TimeoutError`."""
        async with asyncio.timeout(TIMEOUT):
            while True:
                said = decode_from_server(await self.socket.recv())
                if isinstance(said, kind):
                    return said

    async def refused(self, *messages: FromPage) -> Failure:
        """Send these; returns what the server says against it."""
        await self.say(*messages)
        return await self.hear(Failure)

    async def join(self, join: Join) -> Welcome:
        """Come in."""
        await self.say(join)
        return await self.hear(Welcome)


@asynccontextmanager
async def visit(server: Stage, key: str = "", *, resume: str = "", leaves: bool = True) -> AsyncIterator[Visitor]:
    """A socket that has said hello with that key; one that has said nothing without. leaves: with a bye, and when the block has
    ended the server has heard it; else as one that vanishes."""
    async with connect(server.socket, max_size=None, close_timeout=0.1) as socket:
        visitor = Visitor(socket)
        if key:
            await visitor.say(Hello(key, resume))
        yield visitor
        if leaves:
            with suppress(ConnectionClosed):
                await visitor.say(Bye())
            await asyncio.wait_for(socket.wait_closed(), TIMEOUT)
