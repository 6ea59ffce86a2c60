"""TLS before the door: connections are decrypted here and go on to the door as plain ones, one socket pair each.

The door reads sockets itself (see `server.call.door`), so it gets one whose other end this module feeds. A connection that has
said nothing yet costs a handle; handshakes take turns, address by address; plain HTTP is told where HTTPS is.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from server.call.fairness import Crowd, Turns, network_of
from server.call.origins import plain_address

log = logging.getLogger(__name__)

ACCEPTS = 32
"""Connections taken in one round of the event loop."""
MAX_SILENT, MAX_OPEN = 1024, 1024
"""Connections before and after the handshake; one too many puts out the oldest of the address with the most."""
HANDSHAKES_PER_SECOND, HANDSHAKES_AT_ONCE = 100.0, 30.0
"""A handshake takes about a millisecond of the event loop, which carries all media."""
HANDSHAKE_TIMEOUT = 10.0
"""Seconds to begin the handshake, and to finish it."""
HIGH = 256 * 1024
"""Bytes waiting for one end above which the other is not read."""
_HANDSHAKE = b"\x16"
"""First byte of a TLS record that begins a handshake (RFC 8446, 5.1)."""
_PATH = re.compile(rb"(?:GET|HEAD) (/[!-~]*) HTTP/1\.[01]\r\n")
_HOST = re.compile(rb"\nhost: *([A-Za-z0-9.:\[\]_-]+) *\r", re.IGNORECASE)


class TlsFront:
    """Listens on a socket. admit: takes a plain socket and the address of its peer."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, admit: Callable[[socket.socket, str], None]) -> None:
        self._sock, self._context, self._admit = sock, context, admit
        self._silent: Crowd[socket.socket] = Crowd(MAX_SILENT)
        self._open: Crowd[_Relay] = Crowd(MAX_OPEN)
        self._turns: Turns[socket.socket] = Turns(HANDSHAKES_PER_SECOND, HANDSHAKES_AT_ONCE)
        self._peers: dict[socket.socket, str] = {}
        self._deadlines: dict[socket.socket, asyncio.TimerHandle] = {}
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._later: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        self._loop.add_reader(sock, self._accept)

    def close(self) -> None:
        """Take nobody in any more; connections that are open go on."""
        self._loop.remove_reader(self._sock)
        if self._later is not None:
            self._later.cancel()
        for sock in list(self._peers):
            self._drop(sock)

    def _accept(self) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log.warning("no more connections can be opened (%s); idle ones are closed", error.strerror)
                self._drop(self._silent.put_out())
                self._loop.remove_reader(self._sock)
                self._loop.call_later(0.25, self._loop.add_reader, self._sock, self._accept)
                return
            sock.setblocking(False)
            self._peers[sock] = plain_address(address[0])
            self._deadlines[sock] = self._loop.call_later(HANDSHAKE_TIMEOUT, self._drop, sock)
            self._loop.add_reader(sock, self._look, sock)
            self._drop(self._silent.add(sock, network_of(self._peers[sock])))

    def _look(self, sock: socket.socket) -> None:
        """Something has come: a handshake waits for its turn, anything else is plain HTTP at best."""
        try:
            first = sock.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            first = b""
        if first != _HANDSHAKE:
            if first.isalpha():
                with suppress(OSError):
                    sock.send(_redirect(sock.recv(4096)))
            self._drop(sock)
            return
        self._loop.remove_reader(sock)
        self._turns.add(sock, network_of(self._peers[sock]), known=False)
        self._next()

    def _next(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        while (sock := self._turns.next(self._loop.time())) is not None:
            task = asyncio.create_task(self._shake_hands(sock, self._forget(sock)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if self._turns:
            self._later = self._loop.call_later(1 / HANDSHAKES_PER_SECOND, self._next)

    async def _shake_hands(self, sock: socket.socket, peer: str) -> None:
        relay = _Relay(self._open.discard)
        oldest = self._open.add(relay, network_of(peer))
        if oldest is not None:
            oldest.abort()
        try:
            await self._loop.connect_accepted_socket(
                lambda: relay, sock, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_TIMEOUT
            )
            ours, theirs = socket.socketpair()
            try:
                await self._loop.create_connection(lambda: _Inner(relay), sock=ours)
            except BaseException:
                theirs.close()
                raise
            theirs.setblocking(False)
            self._admit(theirs, peer)
        except (OSError, ssl.SSLError):  # no handshake, or no handle left
            relay.abort()
            self._open.discard(relay)

    def _forget(self, sock: socket.socket) -> str:
        self._silent.discard(sock)
        self._turns.discard(sock)
        self._deadlines.pop(sock).cancel()
        return self._peers.pop(sock)

    def _drop(self, sock: socket.socket | None) -> None:
        if sock is not None and sock in self._peers:
            self._forget(sock)
            self._loop.remove_reader(sock)
            sock.close()


def _redirect(request: bytes) -> bytes:
    """The reply to plain HTTP: the same address by HTTPS."""
    path, host = _PATH.match(request), _HOST.search(request)
    if path is None or host is None:
        return b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    where = b"https://" + host[1] + path[1]
    return b"HTTP/1.1 308 Permanent Redirect\r\nlocation: " + where + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class _End(asyncio.Protocol):
    """One end of a relayed connection: what comes is sent to the other one, which decides how fast."""

    def __init__(self) -> None:
        self.other: _End | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=HIGH)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, _: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()  # after what was written to it

    def abort(self) -> None:
        """Hang up at once."""
        if self.transport is not None:
            self.transport.abort()


class _Relay(_End):
    """The encrypted end. It is not read before the plain end is there."""

    def __init__(self, gone: Callable[[_Relay], None]) -> None:
        super().__init__()
        self._gone = gone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None
        self.transport.pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._gone(self)
        super().connection_lost(error)


class _Inner(_End):
    """The plain end."""

    def __init__(self, relay: _Relay) -> None:
        super().__init__()
        self.other, relay.other = relay, self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self.other is not None and self.other.transport is not None and not self.other.transport.is_closing():
            self.other.transport.resume_reading()
        else:
            self.abort()
