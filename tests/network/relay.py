"""A relay for WebRTC's datagrams on this machine that makes the line between a page and the server narrow, late and lossy.

`tc netem` needs rights that a test does not have, so the network is shaped in the process. ICE candidates in the offer and
in the answer are rewritten to ports of the relay, and media then flow page -> relay -> server and back. Give the offer to
`Relay.offer` on its way to the server and the answer to `Relay.answer` on its way to the page; nothing else is needed. Works
for any page: an aiortc one (`shaped_socket` is a signalling socket that rewrites what passes), and a browser (`RelayThread`
with Playwright's `route_web_socket`, see `route`).

    async with Relay(down=Line(rate=500_000, delay=0.02)) as relay, shaped_socket(url, relay) as narrow_url: ...

    with RelayThread(down=Line(rate=500_000, delay=0.02)) as relay:
        relay.route(playwright_page)

`down` shapes server to page, `up` page to server; both can be changed while media flow (`relay.down.line = Line()`). The
pattern of losses and jitter follows from `seed`. A relay is one page's line: it takes any number of offers of that page.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import re
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from aioice.ice import get_host_addresses
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.network.bottleneck import Bottleneck, Line

MAX_FLOWS = 64
"""Sockets of one relay; more means that something goes wrong."""
_CANDIDATE = re.compile(r"^a=candidate:(\S+) (\d) udp (\d+) (\S+) (\d+) typ host.*$", re.IGNORECASE | re.MULTILINE)
Address = tuple[str, int]


def is_media(data: bytes) -> bool:
    """Whether a datagram is RTP or RTCP, and not STUN or DTLS (RFC 7983, 7)."""
    return 128 <= data[0] <= 191


class _Port(asyncio.DatagramProtocol):
    """A socket of the relay; whatever comes is given to `received`."""

    def __init__(self, received: Callable[[bytes, Address], None]) -> None:
        self._received = received
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._received(data, addr)


class Relay:
    """See the module. Lives on one event loop; `async with` closes its sockets."""

    def __init__(self, *, down: Line | None = None, up: Line | None = None, seed: int = 0, address: str = "") -> None:
        """address: of this machine, for the relay's ports; left out, one that pages use."""
        self.down, self.up = Bottleneck(down, seed), Bottleneck(up, seed + 1)
        self.drops: Callable[[bytes], bool] = lambda _: False
        """What is lost whatever the line, such as `is_media`."""
        self._address = address or next(iter(get_host_addresses(True, False)), "127.0.0.1")
        self._stand_ins: dict[Address, int] = {}
        self._ports: list[_Port] = []
        self._flows: dict[tuple[Address, Address], asyncio.Future[_Port]] = {}
        self._due: list[tuple[float, int, Any, bytes, Address]] = []
        self._count = itertools.count()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Relay:
        self._task = asyncio.create_task(self._deliver())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        for port in self._ports:
            port.transport.close()

    async def offer(self, sdp: str) -> str:
        """A page's offer as the server is to see it."""
        return await self._rewritten(sdp, inwards=self.down, outwards=self.up)

    async def answer(self, sdp: str) -> str:
        """The server's answer as the page is to see it."""
        return await self._rewritten(sdp, inwards=self.up, outwards=self.down)

    async def _rewritten(self, sdp: str, inwards: Bottleneck, outwards: Bottleneck) -> str:
        """Host candidates lead to the relay; others, which would go around it, are left out."""
        lines = []
        for line in sdp.split("\r\n"):
            if not line.startswith("a=candidate:"):
                lines.append(line)
            elif (found := _CANDIDATE.match(line)) and ":" not in found[4] and not found[4].endswith(".local"):
                port = await self._stand_in((found[4], int(found[5])), inwards, outwards)
                lines.append(f"a=candidate:{found[1]} {found[2]} udp {found[3]} {self._address} {port} typ host")
        return "\r\n".join(lines)

    async def _stand_in(self, target: Address, inwards: Bottleneck, outwards: Bottleneck) -> int:
        """The relay's port that leads to `target`."""
        if target not in self._stand_ins:
            port = await self._open(lambda data, source: self._forward(port, data, source, target, inwards, outwards))
            self._stand_ins[target] = port.transport.get_extra_info("sockname")[1]
        return self._stand_ins[target]

    async def _open(self, received: Callable[[bytes, Address], None]) -> _Port:
        if len(self._ports) >= MAX_FLOWS:
            raise RuntimeError(f"the relay has {MAX_FLOWS} sockets already; make another one")
        loop = asyncio.get_running_loop()
        _, port = await loop.create_datagram_endpoint(lambda: _Port(received), local_addr=(self._address, 0))
        self._ports.append(port)
        return port

    def _forward(
        self, entry: _Port, data: bytes, source: Address, target: Address, inwards: Bottleneck, outwards: Bottleneck
    ) -> None:
        """From `source` to `target` by a socket of this pair's own; what comes back to that goes to `source` from `entry`."""
        key = (entry.transport.get_extra_info("sockname"), source)
        if key not in self._flows:
            way_back = self._open(lambda reply, _: self._send(outwards, entry, reply, source))
            self._flows[key] = asyncio.ensure_future(way_back)
        exit_ = self._flows[key]
        if exit_.done():
            self._send(inwards, exit_.result(), data, target)
        else:
            exit_.add_done_callback(lambda opened: self._send(inwards, opened.result(), data, target))

    def _send(self, bottleneck: Bottleneck, port: _Port, data: bytes, target: Address) -> None:
        due = None if self.drops(data) else bottleneck.send(len(data), time.monotonic())
        if due is not None:
            heapq.heappush(self._due, (due, next(self._count), port.transport, data, target))
            self._wake.set()

    async def _deliver(self) -> None:
        while True:
            wait = self._due[0][0] - time.monotonic() if self._due else None
            if wait is not None and wait <= 0:
                _, _, transport, data, target = heapq.heappop(self._due)
                transport.sendto(data, target)
                continue
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):  # `wait_for` of Python 3.11 may swallow a cancellation
                    await self._wake.wait()


async def rewritten(relay: Relay, text: str) -> str:
    """A signalling message with its offer or answer, if it is one, led through the relay."""
    message = json.loads(text)
    change = {"offer": relay.offer, "answer": relay.answer}.get(message.get("type"))
    return text if change is None else json.dumps(message | {"sdp": await change(message["sdp"])})


@asynccontextmanager
async def shaped_socket(url: str, relay: Relay) -> AsyncIterator[str]:
    """The address of a signalling socket that passes everything on to the one at `url`, with media led through the relay."""

    async def copy(source: Any, target: Any) -> None:
        with suppress(ConnectionClosed):
            async for text in source:
                await target.send(await rewritten(relay, text) if isinstance(text, str) else text)
        await target.close()

    async def passing(page: ServerConnection) -> None:
        async with connect(url, max_size=None) as server:
            await asyncio.gather(copy(page, server), copy(server, page))

    async with serve(passing, "127.0.0.1", 0, max_size=None) as listening:
        yield f"ws://127.0.0.1:{next(iter(listening.sockets)).getsockname()[1]}"


class RelayThread:
    """A relay on a thread with a loop of its own, for tests without one (Playwright's synchronous interface)."""

    def __init__(self, **settings: Any) -> None:
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self.relay: Relay

    def __enter__(self) -> RelayThread:
        self._thread.start()
        self.relay = self._run(self._made())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self.relay.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _made(self) -> Relay:
        return await Relay(**self._settings).__aenter__()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def route(self, page: Any) -> None:
        """Lead the media of a Playwright page's calls through the relay; before it opens its signalling socket."""

        def passing(socket: Any) -> None:
            server = socket.connect_to_server()
            socket.on_message(lambda text: server.send(self._run(rewritten(self.relay, text))))
            server.on_message(lambda text: socket.send(self._run(rewritten(self.relay, text))))

        page.route_web_socket(re.compile(r"/ws$"), passing)
