"""A call as a page makes one: the signalling socket, the connection for media, what is sent and what comes back."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import av
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCIceServer, RTCIceTransportPolicy
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from models.errors import ProtocolError
from server.call.protocol import Bye, Failure, Hello, IceServer, Join, Lobby, Ping, Pong, Stats, decode_from_server, encode
from server.call_check.findings import CheckError, limited
from server.call_check.link import RoomLink
from server.call_client import CallClient, RefusedError

MAX_SAID = 1 << 20
"""Bytes of a message of the server's."""
CLOSE_TIMEOUT = 2.0
"""Seconds that the socket has to close in good order."""
JOIN = Join("Connection test", watch=True)
NO_PLACE = ("full", "busy", "locked")
SILENT = "the server takes the socket but says nothing; start it again, and let a proxy before it pass messages on"
BLOCKED = (
    "no UDP packet gets through; open the server's UDP ports in its firewall (--ice-ports says which), or add a TURN server with "
    "--ice-servers"
)

UNRELAYED = "the relay answers, but does not reach the server; let it send to the server's address and UDP ports"


class NoPlaceError(Exception):
    """The room has no place for the test: nothing is wrong, but nothing can be tested."""


@asynccontextmanager
async def signalling(link: RoomLink, tls: ssl.SSLContext | None) -> AsyncIterator[ClientConnection]:
    """The open socket. Raises `CheckError`."""
    try:
        async with limited("the socket does not open; let a proxy before the server pass WebSockets on at /ws"):
            socket = await connect(link.socket, ssl=tls, max_size=MAX_SAID, close_timeout=CLOSE_TIMEOUT, proxy=None)
    except (InvalidHandshake, InvalidMessage, ConnectionClosed, OSError, EOFError):
        raise CheckError("no WebSocket opens at /ws; let a proxy before the server pass WebSockets on there") from None
    try:
        yield socket
    finally:
        await socket.close()


async def greet(socket: ClientConnection, key: str) -> Lobby:
    """What the room is like. Raises `CheckError`."""
    try:
        async with limited(SILENT):
            await socket.send(encode(Hello(key)))
            answer = decode_from_server(await socket.recv())
            await socket.send(encode(Bye()))
    except ConnectionClosed:
        raise CheckError(SILENT) from None
    except ProtocolError:
        raise CheckError(
            "the server says what no Visavis of this version says; install the same version here and there"
        ) from None
    if isinstance(answer, Failure):
        raise CheckError(_clause(answer.message))
    if not isinstance(answer, Lobby):
        raise CheckError("the server answers out of order; install the same version here and there")
    return answer


@asynccontextmanager
async def call(
    socket: str, key: str, servers: list[IceServer], tls: ssl.SSLContext | None, *, relay: bool
) -> AsyncIterator[CallClient]:
    """A viewer's connection for media, which is open. Raises `CheckError`, and `NoPlaceError`."""
    ice = RTCConfiguration(
        [RTCIceServer(urls=s.urls, username=s.username or None, credential=s.credential or None) for s in servers],
        iceTransportPolicy=RTCIceTransportPolicy.RELAY if relay else RTCIceTransportPolicy.ALL,
        bundlePolicy=RTCBundlePolicy.MAX_BUNDLE,
    )
    page = CallClient(socket, key, JOIN, ice=ice, tls=tls)
    try:
        try:
            async with limited("the server does not answer the offer; look at its log, and at its TURN servers"):
                await page.enter()
                await page.offer()
            async with limited(UNRELAYED if relay else BLOCKED):
                await page.open.wait()
        except RefusedError as error:
            sentence = _clause(error.failure.message)
            raise (NoPlaceError if error.failure.code in NO_PLACE else CheckError)(sentence) from None
        except (ConnectionClosed, InvalidHandshake, OSError, ProtocolError):
            raise CheckError("the connection to the server was lost; run the check again") from None
        yield page
    finally:
        await page.leave()


async def check_sending(page: CallClient) -> str:
    """That what is sent comes back. Raises `CheckError`."""
    async with limited("the connection stands, but nothing comes back; look at the server's log"):
        while Pong not in page.said:
            start = time.monotonic()
            page.say(Ping(start))
            await asyncio.sleep(0.05)
    return "what is sent arrives and is answered"


async def check_receiving(page: CallClient) -> str:
    """That a picture comes and can be decoded. Raises `CheckError`."""
    try:
        async with limited(""):
            while page.last_picture is None:
                await asyncio.sleep(0.05)
    except CheckError:
        stats = page.said.get(Stats)
        if stats is not None and not stats.ready:
            raise CheckError("the server makes no pictures yet; wait until it has started, then run the check again") from None
        raise CheckError("the connection stands, but no picture comes; look at the server's log") from None
    frame: av.VideoFrame = page.last_picture
    return f"a picture of {frame.width} x {frame.height} came and was decoded"


def _clause(sentence: str) -> str:
    """A sentence of the server's, behind a colon; not longer than a line, whatever answered."""
    text = " ".join(sentence.split())[:300].rstrip(".")
    return text[:1].lower() + text[1:] if text else "the server refuses without a reason"
