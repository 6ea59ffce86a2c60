"""The door of the HTTP side: takes connections in, and keeps those that say nothing away from everybody else.

A connection costs a place in `Crowd` and no more until the whole header of its request is there (RFC 9112, 2.1), and for a
socket until its first message is there too; only then does uvicorn or the call see it, a few at a time and those first who
have a link. Connections that are silent, slow or talk something else end after `HEADER_TIMEOUT`, and when there are too
many, the oldest of the address with the most has to go; newcomers are always taken in. Each connection serves one request,
so an idle one that was served, a pipelined one or a slow body cannot stay.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import re
import resource
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from server.call.fairness import Crowd, Turns, network_of
from server.call.origins import plain_address
from server.call.sockets import SignallingSocket

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
API_TIMEOUT = 900.0
"""The same for somebody who is known: uploads on a slow line, and events of a job."""
MAX_HEADER, MAX_FIELDS = 8 * 1024, 100
"""Bytes and lines of a request's header."""
ACCEPTS = 32
"""Connections taken in one round of the event loop."""
KNOWN_PER_SECOND, KNOWN_AT_ONCE = 400.0, 60.0
"""How many who show a link go on to uvicorn or the call; each costs a millisecond of the event loop, which carries all media."""
STRANGERS_PER_SECOND, STRANGERS_AT_ONCE = 50.0, 50.0
"""The same of those who show none: files asked for without the page's cookie, and sockets that the call refuses."""
GREETINGS_PER_SECOND, GREETINGS_AT_ONCE, GREETING = 800.0, 100.0, 0.00025
"""Handshakes of sockets, and seconds of each: a fifth of the time is theirs, so there are fewer where they take longer."""
SOCKET = b"/ws"
_REQUEST = re.compile(
    rb"((GET|HEAD) [!-~]+|POST /rooms|(POST|PUT|PATCH|DELETE) /api/[!-~]*|"
    rb"(POST|PUT|PATCH|DELETE|OPTIONS) /wh[ie]p([/?][!-~]*)?|"
    rb"OPTIONS /(embed|api/avatars)/[!-~]+) HTTP/1\.[01]\r\n"
)


def _problem(status: int, title: str, sentence: str, header: str = "") -> bytes:
    """A whole response with problem details (RFC 9457)."""
    body = f'{{"type":"about:blank","title":"{title}","status":{status},"detail":"{sentence}"}}'
    head = f"HTTP/1.1 {status} {title}\r\nconnection: close\r\ncontent-type: application/problem+json\r\n{header}"
    return f"{head}content-length: {len(body)}\r\n\r\n{body}".encode()


_REFUSAL = _problem(400, "Bad Request", "a request of a page or of the API was expected; /api/openapi.json lists those")
_BUSY = _problem(
    503, "Service Unavailable", "many ask at the same time; try again in a moment", f"retry-after: {math.ceil(TURN_TIMEOUT)}\r\n"
)
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


class Reception(Protocol):
    """What is behind the door."""

    def instant(self, header: bytes) -> bytes | None:
        """The whole reply to a request that can be answered without any work."""

    def is_known(self, header: bytes) -> bool:
        """Whether a request shows that its sender has a link."""

    def is_known_hello(self, text: str | bytes) -> bool:
        """Whether a socket's first message shows it."""

    def origin(self, header: bytes, peer: str) -> str:
        """The address that a request comes from; `peer` is whose connection it is, which may be a proxy's."""

    def http(self, header: bytes, peer: str, gone: Callable[[], None]) -> asyncio.Protocol:
        """Who answers a request of which `header` was read; calls `gone` at the end. Its first `data_received` gets nothing."""

    def socket(self, header: bytes, network: str, gone: Callable[[], None]) -> SignallingSocket:
        """Who talks to a socket."""


class Guest:
    """One connection, from its acceptance to the end of its reply, or until a socket is the call's.

    peer: its address. group: where the request comes from, as `network_of` says; until its header is there, of the peer.
    socket: there once the handshake was made. handed_over: whether asyncio has it; a moment later there is a `transport`.
    """

    def __init__(self, sock: socket.socket, peer: str, deadline: float) -> None:
        self.sock, self.peer, self.deadline = sock, peer, deadline
        self.group = network_of(peer)
        self.header = b""
        self.socket: SignallingSocket | None = None
        self.handed_over = self.is_known = False
        self.transport: asyncio.Transport | None = None

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hang up at once; in the middle of handing over, whoever does that hangs up."""
        if self.transport is not None:
            self.transport.abort()
        elif not self.handed_over and self.sock.fileno() >= 0:
            loop.remove_reader(self.sock.fileno())
            self.sock.close()


class Door:
    """Listens on a socket, or takes in what `admit` brings."""

    def __init__(self, sock: socket.socket | None, reception: Reception, limit: int | None = None) -> None:
        """limit: connections of each kind; as many as the open files allow, at most `MAX_WAITING`, when left out."""
        self._sock, self._reception = sock, reception
        limit = limit or max(16, min(MAX_WAITING, (raise_file_limit() - RESERVED) // 3))
        self._silent: Crowd[Guest] = Crowd(limit)
        self._asking: Crowd[Guest] = Crowd(limit)
        self._served: Crowd[Guest] = Crowd(min(limit, MAX_SERVED))
        self._guests: dict[Guest, None] = {}
        self._greetings: Turns[Guest] = Turns(GREETINGS_PER_SECOND, GREETINGS_AT_ONCE)
        self._known: Turns[Guest] = Turns(KNOWN_PER_SECOND, KNOWN_AT_ONCE)
        self._strangers: Turns[Guest] = Turns(STRANGERS_PER_SECOND, STRANGERS_AT_ONCE)
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer = asyncio.create_task(self._watch())
        self._serving: asyncio.TimerHandle | None = None
        self._in_round = False
        if sock is not None:
            sock.setblocking(False)
            self._listen()

    def close(self) -> None:
        """Take nobody in any more, and hang up on those who wait; replies that are on their way go on."""
        if self._sock is not None:
            self._loop.remove_reader(self._sock)
        self._timer.cancel()
        if self._serving is not None:
            self._serving.cancel()
        for guest in list(self._guests):
            if not guest.handed_over:
                self._end(guest)

    def _listen(self) -> None:
        if self._sock is not None and self._sock.fileno() >= 0 and not self._timer.done():
            self._loop.add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        assert self._sock is not None
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
            self.admit(sock, plain_address(address[0]))

    def admit(self, sock: socket.socket, peer: str) -> None:
        """Take a connection in. sock: does not block. peer: its address, as `plain_address`."""
        guest = Guest(sock, peer, self._loop.time() + HEADER_TIMEOUT)
        self._guests[guest] = None
        self._loop.add_reader(sock.fileno(), self._read, guest)  # asyncio looks for an object at some cost
        self._end(self._silent.add(guest, guest.group))

    def _make_room(self) -> None:
        """No handle is left: whoever waits longest goes; when nobody waits, look again in a moment."""
        log.warning("no more connections can be opened (the limit of open files is reached); idle ones are closed")
        for _ in range(ACCEPTS):
            self._end(self._silent.put_out() or self._asking.put_out() or self._served.put_out())
        if self._sock is not None:
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
        end = guest.header.find(b"\r\n\r\n", max(0, len(guest.header) - len(data) - 3)) if guest.socket is None else 0
        if not data or (len(guest.header) if end < 0 or guest.socket is not None else end) > MAX_HEADER:
            self._end(guest)
        elif guest.socket is not None:
            guest.socket.feed(data)
            self._receive(guest, guest.socket)
        else:
            self._read_header(guest, end)

    def _read_header(self, guest: Guest, end: int) -> None:
        header = guest.header
        if not header[:1].isalpha():
            self._end(guest)
        elif header.count(b"\n", 0, end) > MAX_FIELDS or (end >= 0 and not _REQUEST.match(header)):
            self._reply(guest, _REFUSAL)
        elif end >= 0:
            header = header[: end + 4]
            guest.group = network_of(self._reception.origin(header, guest.peer))
            known = self._reception.is_known(header)
            if header.split(b" ", 2)[1].partition(b"?")[0] == SOCKET:
                self._wait(guest, self._greetings, "socket", known=known)
            elif (reply := self._reception.instant(header)) is not None:
                self._reply(guest, reply)
            else:
                self._wait(guest, self._known if known else self._strangers, "file", known=known)

    def _reply(self, guest: Guest, reply: bytes) -> None:
        with suppress(OSError):
            guest.sock.send(reply)
            guest.sock.shutdown(socket.SHUT_WR)
        self._end(guest)

    def _wait(self, guest: Guest, turns: Turns[Guest], kind: str, *, known: bool) -> None:
        self._loop.remove_reader(guest.sock.fileno())
        self._silent.discard(guest)
        guest.deadline = self._loop.time() + TURN_TIMEOUT
        guest.is_known = known
        self._end(self._asking.add(guest, guest.group))
        if guest in self._guests:
            turns.add(guest, f"{guest.group} {kind}", known=known)
            self._serve()

    def _serve(self) -> None:
        """Go on with those whose turn it is; who comes into a line meanwhile is seen by the round that goes on."""
        if self._in_round:
            return
        self._in_round = True
        if self._serving is not None:
            self._serving.cancel()
            self._serving = None
        while (guest := self._greetings.next(self._loop.time())) is not None:
            start = time.perf_counter()
            self._greet(guest)
            self._greetings.charge((time.perf_counter() - start) / GREETING - 1)
        while (guest := self._known.next(self._loop.time()) or self._strangers.next(self._loop.time())) is not None:
            guest.handed_over = True
            self._asking.discard(guest)
            self._end(self._served.add(guest, guest.group))
            task = asyncio.create_task(self._hand_over(guest))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._in_round = False
        if self._greetings or self._known or self._strangers:
            self._serving = self._loop.call_later(1 / KNOWN_PER_SECOND, self._serve)

    def _greet(self, guest: Guest) -> None:
        """Make a socket's handshake; then it is silent until its first message is there."""
        self._asking.discard(guest)
        guest.socket = self._reception.socket(guest.header, guest.group, lambda: self._forget(guest))
        try:
            whole = guest.sock.send(guest.socket.reply) == len(guest.socket.reply)
        except OSError:
            whole = False
        if guest.socket.refused or not whole:
            self._end(guest)
            return
        guest.header = b""
        guest.deadline = self._loop.time() + HEADER_TIMEOUT
        self._end(self._silent.add(guest, guest.group))
        if guest in self._guests:
            self._loop.add_reader(guest.sock.fileno(), self._read, guest)
            guest.socket.feed(b"")  # what came with the header
            self._receive(guest, guest.socket)

    def _receive(self, guest: Guest, socket: SignallingSocket) -> None:
        if socket.first is not None:
            known = self._reception.is_known_hello(socket.first)
            self._wait(guest, self._known if known else self._strangers, "socket", known=known)
        elif socket.ended:
            self._end(guest)

    async def _hand_over(self, guest: Guest) -> None:
        protocol = guest.socket or self._reception.http(guest.header, guest.peer, lambda: self._forget(guest))
        guest.header = b""
        try:
            transport, _ = await self._loop.connect_accepted_socket(lambda: protocol, guest.sock)
        except OSError:
            self._forget(guest)
            guest.sock.close()
            return
        guest.transport = transport
        guest.deadline = self._loop.time() + (API_TIMEOUT if guest.is_known and guest.socket is None else REPLY_TIMEOUT)
        if guest not in self._guests:
            transport.abort()
        elif guest.socket is not None:  # the call's from now on
            self._forget(guest)
        else:
            protocol.data_received(b"")

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            now = self._loop.time()
            for guest in [guest for guest in self._guests if guest.deadline < now]:
                if guest in self._asking and guest.socket is None:
                    self._reply(guest, _BUSY)
                else:
                    self._end(guest)

    def _end(self, guest: Guest | None) -> None:
        if guest is not None:
            self._forget(guest)
            guest.close(self._loop)

    def _forget(self, guest: Guest) -> None:
        self._silent.discard(guest)
        self._asking.discard(guest)
        self._served.discard(guest)
        self._greetings.discard(guest)
        self._known.discard(guest)
        self._strangers.discard(guest)
        self._guests.pop(guest, None)
