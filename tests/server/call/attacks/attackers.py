"""Attacks that need no key: `python attackers.py NAME PORT ...` says "go" and goes on until it is killed.

Only this machine's own addresses, a bounded number of sockets, and nothing but the standard library, so that one starts at once.
"""

from __future__ import annotations

import json
import os
import random
import resource
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
HELLO = b'{"type":"hello","key":"none","version":2}'
FLOODS = {
    "requests for pages": (
        b"GET /room/wrong HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /avatars/0123456789abcdef.png HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /rooms HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer none\r\nContent-Length: 5\r\n\r\nrooms",
    ),
    "requests for files": (b"GET /assets/none.js HTTP/1.1\r\nHost: a\r\n\r\n",),
    "requests for nothing": (
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /nothing/here HTTP/1.1\r\nHost: a\r\n\r\n" * 8,
    ),
    "handshakes": (HANDSHAKE + b"\r\n",),
    "hellos": (HANDSHAKE + b"\r\n" + bytes([0x81, 0x80 | len(HELLO)]) + bytes(4) + HELLO,),
}
FLOODS["requests of every kind"] = tuple(kind for flood in tuple(FLOODS.values()) for kind in flood)
OPENINGS = {
    "silent": b"",
    "half a request": b"GET / HTTP/1.1\r\nX: ",
    "half a handshake": HANDSHAKE,
    "a silent socket": HANDSHAKE + b"\r\n",
    "an idle connection that was served": b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "old http": b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "a body that never comes": b"POST /rooms HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx",
    "a chunked body": b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "tls": bytes.fromhex("16030100c8010000c40303") + bytes(180),
    "pipelined garbage": b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 3 + b"\0\1\2 garbage\r\n\r\n" * 20,
    "no http": b"EHLO mail\r\n\r\n\r\n",
    "a huge header": b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000,
    "many headers": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 2000 + b"\r\n",
}


def tcp(port: int, opening: str, count: int, addresses: int, rate: float, host: str = "127.0.0.1") -> Iterator[None]:
    """`count` connections are held, and renewed one after the other, `rate` a second; from 127.0.0.1 to 127.0.0.`addresses`.

    What each one says is an opening, or the next of a flood of complete requests.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    words = cycle(FLOODS.get(opening) or (OPENINGS[opening],))
    held: list[socket.socket | None] = [None] * count
    due = time.monotonic()
    for i in cycle(range(count)):
        old = held[i]
        if old is not None:
            old.close()
        sock = socket.socket(family)
        sock.setblocking(False)
        sock.bind((host if family == socket.AF_INET6 else f"127.0.0.{1 + i % addresses}", 0))
        sock.connect_ex((host, port))
        held[i] = sock
        word = next(words)
        if word:
            with suppress(OSError):
                sock.send(word)
        yield
        due = max(due + 1 / rate, time.monotonic() - 0.1)  # what could not be done in time is not made up for
        time.sleep(max(0.0, due - time.monotonic()))


def drip(port: int, count: int, rate: float) -> Iterator[None]:
    """`count` connections whose header, or the body after it, comes a byte at a time, `rate` bytes a second in all."""
    first = cycle((b"GET / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nContent-Length: 9000\r\n\r\n", HANDSHAKE))
    held: dict[int, socket.socket] = {}
    for i in cycle(range(count)):
        try:
            held[i].send(b"a")
        except (KeyError, OSError):
            if i in held:
                held[i].close()
            held[i] = socket.create_connection(("127.0.0.1", port), 5.0)
            held[i].setblocking(False)
            held[i].send(next(first))
        yield
        time.sleep(1 / rate)


def udp(_: int, kind: str) -> Iterator[None]:
    """One datagram to every ephemeral port, again and again; to the ports given on stdin besides, more often."""
    first, last = (int(n) for n in Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    known = json.loads(sys.stdin.readline())
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    chance = random.Random(1)
    while True:
        for port in range(first, last + 1):
            sock.sendto(datagram(kind, chance), ("127.0.0.1", port))
        yield
        for _ in range(20):
            for port in known:
                for _ in range(10):
                    sock.sendto(datagram(kind, chance), ("127.0.0.1", port))
            time.sleep(0.05)


def datagram(kind: str, chance: random.Random) -> bytes:
    """One that is empty, short, or that looks like one of the protocols on a media port."""
    if kind == "empty":
        return b""
    if kind == "short":
        return bytes([chance.choice((0, 22, 128, 200, 255))]) + os.urandom(chance.randrange(12))
    if kind == "stun":
        name = chance.choice((0x24, 0x25, 0x03, 0x0C, 0x0D, 0x19, 0x8028, 0x8029, 0x802A, 0x20, 0x09, 0x06))
        value = os.urandom(chance.choice((0, 0, 1, 2, 3, 4)))
        attribute = struct.pack("!HH", name, len(value)) + value + bytes(-len(value) % 4)
        kinds = (0x0001, 0x0101, 0x0111, 0x0011)
        return struct.pack("!HHI", chance.choice(kinds), len(attribute), 0x2112A442) + os.urandom(12) + attribute
    first = {"dtls": 22, "rtp": 128, "rtcp": 129}[kind]
    second = {"dtls": 254, "rtp": 97, "rtcp": 201}[kind]
    return bytes([first, second]) + os.urandom(chance.randrange(11, 200))


def main() -> None:
    """Run the attack that the command line names."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    name, port, *rest = sys.argv[1:]
    attacks: dict[str, Callable[[], Iterator[None]]] = {
        "tcp": lambda: tcp(int(port), rest[0], int(rest[1]), int(rest[2]), float(rest[3]), *rest[4:]),
        "drip": lambda: drip(int(port), int(rest[0]), float(rest[1])),
        "udp": lambda: udp(int(port), rest[0]),
    }
    for number, _ in enumerate(attacks[name]()):
        if number == 0:
            print("go", flush=True)


if __name__ == "__main__":
    main()
