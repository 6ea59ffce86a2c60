"""A small STUN and TURN server on this machine (RFC 8489, RFC 8656), over UDP and TCP at one port, with one user.

For tests of what a page and the command line say about relays; it keeps no time, so nothing it gave ever runs out.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aioice import stun
from aioice.turn import TurnStreamMixin, is_channel_data, make_integrity_key

from server.call.protocol import IceServer
from tests.network.relay import Address

USER, PASSWORD, REALM, LIFETIME = "user", "secret-credential", "visavis.test", 600
KEY = make_integrity_key(USER, REALM, PASSWORD)


@dataclass
class _Allocation(asyncio.DatagramProtocol):
    """A relayed port of one client."""

    client: _Client
    channels: dict[int, Address] = field(default_factory=dict)
    transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        number = next((number for number, peer in self.channels.items() if peer == addr), None)
        if number is not None:
            self.client.send(struct.pack("!HH", number, len(data)) + data)
            return
        message = stun.Message(stun.Method.DATA, stun.Class.INDICATION)
        message.attributes |= {"XOR-PEER-ADDRESS": addr, "DATA": data}
        self.client.send(bytes(message))


class _Client:
    """One client, by the address that it sends from."""

    def __init__(self, server: TurnServer, transport: Any, address: Address, *, stream: bool) -> None:
        self._server, self._transport, self._address, self._stream = server, transport, address, stream
        self._allocation: _Allocation | None = None

    def send(self, data: bytes) -> None:
        if self._stream:
            self._transport.write(data + bytes(stun.padding_length(len(data))))
        else:
            self._transport.sendto(data, self._address)

    def close(self) -> None:
        if self._allocation is not None:
            self._allocation.transport.close()

    def received(self, data: bytes) -> None:
        if is_channel_data(data):
            number, length = struct.unpack_from("!HH", data)
            if self._allocation is not None and number in self._allocation.channels:
                self._allocation.transport.sendto(data[4 : 4 + length], self._allocation.channels[number])
            return
        try:
            message = stun.parse_message(data)
        except (ValueError, struct.error):
            return  # none of ours
        if message.message_class == stun.Class.INDICATION and self._allocation is not None:
            self._allocation.transport.sendto(message.attributes["DATA"], message.attributes["XOR-PEER-ADDRESS"])
        elif message.message_method == stun.Method.BINDING:
            self._reply(message, {"XOR-MAPPED-ADDRESS": self._address})
        elif not message.check_message_integrity(KEY):
            challenge = {"ERROR-CODE": (401, "Unauthorized"), "REALM": REALM, "NONCE": os.urandom(8)}
            self._reply(message, challenge, stun.Class.ERROR)
        elif message.message_method == stun.Method.ALLOCATE:
            self._server.spawn(self._allocate(message))
        else:
            if message.message_method == stun.Method.CHANNEL_BIND and self._allocation is not None:
                self._allocation.channels[message.attributes["CHANNEL-NUMBER"]] = message.attributes["XOR-PEER-ADDRESS"]
            self._reply(message, {"LIFETIME": message.attributes.get("LIFETIME", LIFETIME)}, signed=True)

    async def _allocate(self, message: stun.Message) -> None:
        loop = asyncio.get_running_loop()
        where = (self._server.relay_address, 0)
        _, self._allocation = await loop.create_datagram_endpoint(lambda: _Allocation(self), local_addr=where)
        relayed = self._allocation.transport.get_extra_info("sockname")
        self._server.allocations += 1
        found = {"XOR-RELAYED-ADDRESS": relayed, "LIFETIME": LIFETIME, "XOR-MAPPED-ADDRESS": self._address}
        self._reply(message, found, signed=True)

    def _reply(
        self,
        request: stun.Message,
        attributes: dict[str, Any],
        kind: stun.Class = stun.Class.RESPONSE,
        *,
        signed: bool = False,
    ) -> None:
        message = stun.Message(request.message_method, kind, request.transaction_id, attributes)
        if signed:
            message.add_message_integrity(KEY)
        self.send(bytes(message))


class _Stream(TurnStreamMixin, asyncio.Protocol):
    def __init__(self, server: TurnServer) -> None:
        self._server = server

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._client = self._server.client(transport, transport.get_extra_info("peername"), stream=True)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._client.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: TurnServer) -> None:
        self._server = server
        self._clients: dict[Address, _Client] = {}

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if addr not in self._clients:
            self._clients[addr] = self._server.client(self.transport, addr, stream=False)
        self._clients[addr].received(data)


class TurnServer:
    """See `turn_server`. allocations: how many were given."""

    def __init__(self, relay_address: str) -> None:
        self.relay_address, self.allocations, self.port = relay_address, 0, 0
        self.clients: list[_Client] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def client(self, transport: Any, address: Address, *, stream: bool) -> _Client:
        self.clients.append(_Client(self, transport, address, stream=stream))
        return self.clients[-1]

    def spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def ice(self, transport: str = "udp", password: str = PASSWORD) -> IceServer:
        """Where it is, as a page is told."""
        return IceServer([f"turn:127.0.0.1:{self.port}?transport={transport}"], USER, password)


@asynccontextmanager
async def turn_server(relay_address: str = "127.0.0.1") -> AsyncIterator[TurnServer]:
    """On 127.0.0.1 until the block ends. relay_address: of this machine, where it opens ports for its clients."""
    loop, server = asyncio.get_running_loop(), TurnServer(relay_address)
    listening = await loop.create_server(lambda: _Stream(server), "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    datagrams, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(server), local_addr=("127.0.0.1", server.port))
    try:
        yield server
    finally:
        listening.close()
        datagrams.close()
        for client in server.clients:
            client.close()
