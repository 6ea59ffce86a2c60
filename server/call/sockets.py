"""The signalling sockets, from the handshake on (RFC 6455, without extensions; the rules are the `websockets` package's).

The door makes the handshake itself, because an answer costs little and a stranger gets no further: what a socket says first
tells whether it is a page's (`server.call.passes`). Only then is it given to the call.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from server.call.protocol import MAX_MESSAGE

log = logging.getLogger(__name__)

SLICE, WAITING = 1024, 8
"""Bytes that are looked through at once, and messages that may wait; the rest of a flood stays with its sender."""
MAX_UNREAD = 4 * MAX_MESSAGE
"""Bytes that the other end may leave unread."""
ALIVE = 20.0
"""Seconds of silence after which the other end is asked whether it is there, and after as many more is given up."""
SEND_TIMEOUT, CLOSE_TIMEOUT = 5.0, 1.0
"""Seconds that the other end may take to read what was sent, and to close."""


Serve = Callable[["SignallingSocket"], Awaitable[None]]


class SignallingSocket(asyncio.Protocol):
    """One WebSocket, as `server.call.wire.Wire`. Made from the header of its request; `reply` is to be sent then.

    `refused`: the connection ends with the reply. `feed` takes what comes until it becomes a transport's protocol;
    `first` is the first message, once it is there, and `ended` tells that there will be none.
    """

    def __init__(
        self, header: bytes, network: str, serve: Serve, gone: Callable[[], None] = lambda: None, public_url: str = ""
    ) -> None:
        """serve: what to do with it once it has a transport; at its end the socket ends. gone: called when it has closed."""
        self.network = network
        self._serve, self._on_gone = serve, gone
        self._rules = ServerProtocol(max_size=MAX_MESSAGE)
        self._messages: deque[str | bytes] = deque()
        self._parts: list[bytes] = []
        self._is_text = True
        self._rest = b""
        self._arrived, self._gone, self._writable = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard = self._asked = self._hung_up = False
        self.refused, self.reply = self._greet(header, public_url)

    def _greet(self, header: bytes, public_url: str) -> tuple[bool, bytes]:
        end = header.index(b"\r\n\r\n") + 4
        self._rules.receive_data(header[:end])
        self._rest = header[end:]
        requests = self._rules.events_received()
        if not requests or not isinstance(requests[0], Request):
            return True, b"".join(self._rules.data_to_send())
        request = requests[0]
        if _same_origin(request, public_url):
            response = self._rules.accept(request)
        else:
            response = self._rules.reject(HTTPStatus.FORBIDDEN, "Pages of other sites may not use this socket.\n")
        self._rules.send_response(response)
        return response.status_code != 101, b"".join(self._rules.data_to_send())

    @property
    def first(self) -> str | bytes | None:
        """The first message, if it has come."""
        return self._messages[0] if self._messages else None

    @property
    def ended(self) -> bool:
        """Whether no more messages can come."""
        return self._rules.state is not State.OPEN

    def feed(self, data: bytes) -> None:
        """Bytes have come from the other end."""
        self._rest += data
        self._parse()

    # As an asyncio protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=MAX_MESSAGE)
        self._parse()
        self._task = asyncio.create_task(self._live())
        self._timer = asyncio.get_running_loop().call_later(ALIVE, self._check)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        self.feed(data)

    def connection_lost(self, _: Exception | None) -> None:
        self._rules.receive_eof()
        self._gone.set()
        self._arrived.set()
        self._writable.set()
        if self._timer is not None:
            self._timer.cancel()
        self._on_gone()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # As a wire

    async def receive(self) -> str | bytes | None:
        """The next message, `None` when the socket has closed."""
        while not self._messages:
            if self.ended:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        message = self._messages.popleft()
        self._parse()
        return message

    async def send(self, text: str) -> None:
        """Send one message. Raises `ConnectionError` when the socket has closed or the other end does not read."""
        if self.ended:
            raise ConnectionError("the socket has closed")
        self._rules.send_text(text.encode())
        self._flush()
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await self._writable.wait()
        except TimeoutError:
            self._abort()
            raise ConnectionError("the other end does not read") from None

    async def close(self, code: int = 1000) -> None:
        """Close the socket and wait a moment for the other end to do so; what it still says is not read."""
        self._hung_up = True
        self._messages.clear()
        self._parse()
        if not self.ended:
            self._rules.send_close(code)
            self._flush()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._gone.wait()
        self._abort()

    # Inside

    async def _live(self) -> None:
        try:
            await self._serve(self)
        except Exception:
            log.exception("a socket ended with an error")
        finally:
            self._abort()

    def _parse(self) -> None:
        """Look through what has come, until enough messages wait; the first one alone before it is a transport's."""
        most = WAITING if self._transport is not None else 1
        while self._rest and len(self._messages) < most and not self._gone.is_set():
            part, self._rest = self._rest[:SLICE], self._rest[SLICE:]
            self._rules.receive_data(part)
            for event in self._rules.events_received():
                if isinstance(event, Frame):
                    self._take(event)
        if self._transport is not None and not self._transport.is_closing():
            if self._rest:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()
            self._flush()
        self._arrived.set()

    def _take(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if frame.opcode is not Opcode.CONT:
            self._parts, self._is_text = [], frame.opcode is Opcode.TEXT
        self._parts.append(bytes(frame.data))
        if frame.fin and not self._hung_up:
            message = b"".join(self._parts)
            self._parts = []
            self._messages.append(message.decode(errors="replace") if self._is_text else message)

    def _flush(self) -> None:
        if self._transport is None:
            return
        for data in self._rules.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()
        if self._transport.get_write_buffer_size() > MAX_UNREAD:
            self._transport.abort()  # it asks (RFC 6455, 5.5.2) and does not read the answers
        if self.ended:
            self._arrived.set()

    def _check(self) -> None:
        if self._asked and not self._heard:
            self._abort()
            return
        self._asked, self._heard = not self._heard, False
        if self._asked and not self.ended:
            self._rules.send_ping(b"")
            self._flush()
        self._timer = asyncio.get_running_loop().call_later(ALIVE, self._check)

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _same_origin(request: Request, public_url: str) -> bool:
    """Pages elsewhere may not use the socket (RFC 6455, 10.2); programs send no origin and need the key all the same."""
    origins, hosts = request.headers.get_all("Origin"), request.headers.get_all("Host")
    if not origins:
        return True
    return len(origins) == 1 and urlsplit(origins[0]).netloc in {*hosts, urlsplit(public_url).netloc} - {""}
