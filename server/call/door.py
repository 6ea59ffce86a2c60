"""The door of the HTTP side: takes connections in, and keeps those that say nothing away from everybody else.

A connection costs a place in `Crowd` and no more until the whole header of its request is there (RFC 9112, 2.1); only then
does uvicorn see it, a few at a time. Connections that are silent, slow or talk something else end after `HEADER_TIMEOUT`,
and when there are too many, the oldest of the address with the most has to go; newcomers are always taken in. Each
connection serves one request, so an idle one that was served, a pipelined one or a slow body cannot stay.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import re
import resource
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from server.call.fairness import Crowd, Pace, network_of

log = logging.getLogger(__name__)

BACKLOG = 512
"""Connections that the system may hold for us; it has to last for one round of the event loop under a flood."""
MAX_WAITING = 4096
"""Connections whose request is not there yet, and as many whose request waits for its turn. So many, because whoever is put
out comes back at once; these cost a handle and at most `MAX_HEADER` bytes each."""
MAX_SERVED = 256
"""Connections that are being answered."""
HEADER_TIMEOUT = 10.0
"""Seconds for a request's header."""
TURN_TIMEOUT = 2.0
"""Seconds that a request waits for its turn; after that its sender had better ask again than stand under the others."""
REPLY_TIMEOUT = 60.0
"""Seconds for a page that is slow to read its reply."""
MAX_HEADER, MAX_FIELDS = 8 * 1024, 100
"""Bytes and lines of a request's header."""
ACCEPTS = 32
"""Connections taken in one round of the event loop."""
REQUESTS_PER_SECOND, REQUESTS_AT_ONCE = 250.0, 50.0
"""How many go on to uvicorn; each costs about a millisecond of the event loop, which carries everybody's media."""
_REQUEST = re.compile(rb"(GET|HEAD) [!-~]+ HTTP/1\.[01]\r\n")
_REFUSAL = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
SHORT_OF_HANDLES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
RESERVED = 256
"""Open files kept for media, pages and the render process."""


def raise_file_limit() -> int:
    """Raise the limit of open files to what the system allows; returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft if soft != resource.RLIM_INFINITY else 1 << 20


class Guest:
    """One connection, from its acceptance to the end of its reply or to its WebSocket.

    line: in which it waits for its turn. handed_over: whether asyncio has the socket; a moment later there is a `transport`.
    """

    def __init__(self, sock: socket.socket, group: str, deadline: float) -> None:
        self.sock, self.group, self.deadline = sock, group, deadline
        self.header = b""
        self.line = ""
        self.handed_over = False
        self.transport: asyncio.Transport | None = None

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hang up at once; in the middle of handing over, whoever does that hangs up."""
        if self.transport is not None:
            self.transport.abort()
        elif not self.handed_over:
            loop.remove_reader(self.sock)
            self.sock.close()


class Door:
    """Listens on a socket. make_protocol: what uvicorn gives a connection; gets what was read and what to call at its end."""

    def __init__(
        self, sock: socket.socket, make_protocol: Callable[[bytes, Callable[[], None]], Any], limit: int | None = None
    ) -> None:
        """limit: connections of each kind; as many as the open files allow, at most `MAX_WAITING`, when left out."""
        self._sock, self._make_protocol = sock, make_protocol
        limit = limit or max(16, min(MAX_WAITING, (raise_file_limit() - RESERVED) // 3))
        self._silent: Crowd[Guest] = Crowd(limit)
        self._asking: Crowd[Guest] = Crowd(limit)
        self._served: Crowd[Guest] = Crowd(min(limit, MAX_SERVED))
        self._guests: dict[Guest, None] = {}
        self._waiting: dict[str, list[Guest]] = {}
        self._pace = Pace(REQUESTS_PER_SECOND, REQUESTS_AT_ONCE)
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer = asyncio.create_task(self._watch())
        self._serving: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        self._listen()

    def close(self) -> None:
        """Take nobody in any more, and hang up on those who wait; replies that are on their way go on."""
        self._loop.remove_reader(self._sock)
        self._timer.cancel()
        if self._serving is not None:
            self._serving.cancel()
        for guest in list(self._guests):
            if not guest.handed_over:
                self._end(guest)

    def _listen(self) -> None:
        if self._sock.fileno() >= 0 and not self._timer.done():
            self._loop.add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in SHORT_OF_HANDLES:
                    return
                self._make_room()
                return
            sock.setblocking(False)
            guest = Guest(sock, network_of(address[0]), self._loop.time() + HEADER_TIMEOUT)
            self._guests[guest] = None
            self._loop.add_reader(sock, self._read, guest)
            self._end(self._silent.add(guest, guest.group))

    def _make_room(self) -> None:
        """No handle is left: whoever waits longest goes; when nobody waits, look again in a moment."""
        log.warning("no more connections can be opened (the limit of open files is reached); idle ones are closed")
        for _ in range(ACCEPTS):
            self._end(self._silent.put_out() or self._asking.put_out() or self._served.put_out())
        self._loop.remove_reader(self._sock)
        self._loop.call_later(0.25, self._listen)

    def _read(self, guest: Guest) -> None:
        try:
            data = guest.sock.recv(MAX_HEADER)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        guest.header += data
        end = guest.header.find(b"\r\n\r\n", max(0, len(guest.header) - len(data) - 3))
        if not data or len(guest.header) > MAX_HEADER or not guest.header[:1].isalpha():
            self._end(guest)
        elif guest.header.count(b"\n", 0, end) > MAX_FIELDS or (end >= 0 and not _REQUEST.match(guest.header)):
            with suppress(OSError):
                guest.sock.send(_REFUSAL)
            self._end(guest)
        elif end >= 0:
            self._loop.remove_reader(guest.sock)
            self._silent.discard(guest)
            guest.deadline = self._loop.time() + TURN_TIMEOUT
            self._end(self._asking.add(guest, guest.group))
            guest.line = f"{guest.group} {_kind_of(guest.header)}"
            self._waiting.setdefault(guest.line, []).append(guest)
            self._serve()

    def _serve(self) -> None:
        """Give uvicorn the newest request of each address and kind in turn, as many as `Pace` allows.

        The newest, because in a flood most requests are never answered, and a newcomer's should not wait behind those.
        """
        if self._serving is not None:
            self._serving.cancel()
            self._serving = None
        while self._waiting:
            if not self._pace.ready(self._loop.time()):
                self._serving = self._loop.call_later(1 / REQUESTS_PER_SECOND, self._serve)
                return
            name = next(iter(self._waiting))
            line = self._waiting.pop(name)
            guest = line.pop()
            if line:
                self._waiting[name] = line
            if guest in self._guests:
                self._pace.take()
                guest.handed_over = True
                self._asking.discard(guest)
                self._end(self._served.add(guest, guest.group))
                task = asyncio.create_task(self._hand_over(guest))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _hand_over(self, guest: Guest) -> None:
        protocol = self._make_protocol(guest.header, lambda: self._forget(guest))
        try:
            transport, _ = await self._loop.connect_accepted_socket(lambda: protocol, guest.sock)
        except OSError:
            self._forget(guest)
            guest.sock.close()
            return
        guest.transport, guest.header = transport, b""
        guest.deadline = self._loop.time() + REPLY_TIMEOUT
        protocol.data_received(b"")
        if transport.get_protocol() is not protocol:  # now a WebSocket, which `server.call.signalling` watches over
            self._forget(guest)
        elif guest not in self._guests:
            transport.abort()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            now = self._loop.time()
            for guest in [guest for guest in self._guests if guest.deadline < now]:
                self._end(guest)

    def _end(self, guest: Guest | None) -> None:
        if guest is not None:
            self._forget(guest)
            guest.close(self._loop)

    def _forget(self, guest: Guest) -> None:
        self._silent.discard(guest)
        self._asking.discard(guest)
        self._served.discard(guest)
        self._guests.pop(guest, None)
        line = self._waiting.get(guest.line)
        if line is not None and guest in line:
            line.remove(guest)
            if not line:
                del self._waiting[guest.line]


def _kind_of(header: bytes) -> str:
    """Which part of the server is asked: a flood of one kind leaves the others free, also for who shares its address."""
    for kind in ("call", "view", "ws", "assets"):
        if header.split(b" ", 2)[1].startswith(f"/{kind}".encode()):
            return kind
    return ""
