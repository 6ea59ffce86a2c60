"""STUN and TURN servers: whether each answers (RFC 8489) and gives this machine a relayed address (RFC 8656)."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from aioice import stun
from aioice.turn import create_turn_endpoint
from aiortc.rtcicetransport import parse_stun_turn_uri

from server.call.protocol import IceServer
from server.call_check.findings import CheckError, limited

RESEND = 0.5
"""Seconds between two requests to a STUN server; datagrams get lost."""
Uri = dict[str, Any]


class _Asker(asyncio.DatagramProtocol):
    """Waits for the answer to one STUN request."""

    def __init__(self, request: stun.Message) -> None:
        self._request = request
        self.answer: asyncio.Future[stun.Message] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        try:
            message = stun.parse_message(data)
        except ValueError:
            return
        if message.transaction_id == self._request.transaction_id and not self.answer.done():
            self.answer.set_result(message)


def parts_of(url: str) -> Uri:
    """scheme, host, port and transport of a STUN or TURN URL (RFC 7064, RFC 7065). Raises `CheckError`."""
    try:
        return parse_stun_turn_uri(url)
    except ValueError:
        raise CheckError("its address is none of a STUN or TURN server; correct --ice-servers") from None


async def check_ice_server(server: IceServer) -> str:
    """server: with one URL. Raises `CheckError`."""
    uri = parts_of(server.urls[0])
    if uri["scheme"] == "stun":
        return await _check_stun(uri)
    return await _check_turn(uri, server)


async def _check_stun(uri: Uri) -> str:
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    silent = f"{uri['host']} does not answer; start the STUN server, or open UDP port {uri['port']} in its firewall"
    transport = None
    try:
        async with limited(silent):
            transport, asker = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Asker(request), remote_addr=(uri["host"], uri["port"])
            )
            while not asker.answer.done():
                transport.sendto(bytes(request))
                await asyncio.wait([asker.answer], timeout=RESEND)
    except OSError as error:
        raise _unreachable(uri, error) from None
    finally:
        if transport is not None:
            transport.close()
    if "XOR-MAPPED-ADDRESS" not in asker.answer.result().attributes:
        raise CheckError(f"{uri['host']} answers, but tells no address; check that it is a STUN server")
    return "answers, and sees this machine's address"


async def _check_turn(uri: Uri, server: IceServer) -> str:
    way = _way_of(uri)
    silent = f"{uri['host']} does not answer; start the TURN server, or open port {uri['port']} ({way}) in its firewall"
    try:
        async with limited(silent):
            transport, _ = await create_turn_endpoint(
                asyncio.DatagramProtocol,
                (uri["host"], uri["port"]),
                server.username,
                server.credential,
                ssl=ssl.create_default_context() if uri["scheme"] == "turns" else None,
                transport=uri["transport"] or "udp",
            )
    except stun.TransactionFailed as error:
        raise CheckError(_refusal(error.response.error_code)) from None
    except stun.TransactionTimeout:
        raise CheckError(silent) from None
    except ssl.SSLCertVerificationError as error:
        raise CheckError(f"browsers refuse its certificate ({error.verify_message}); get one that is valid") from None
    except ssl.SSLError:
        raise CheckError(f"no TLS is spoken at {uri['host']} port {uri['port']}; use turn: instead of turns:") from None
    except OSError as error:
        raise _unreachable(uri, error) from None
    transport.close()
    return "relays for this machine"


def _way_of(uri: Uri) -> str:
    return "TCP" if uri["transport"] == "tcp" else "UDP"


def _refusal(code: int | None) -> str:
    if code in (401, 431, 441):
        return "it refuses the user name or the password; set those that it knows on the Visavis server"
    if code in (486, 508):
        return f"it has no place left (error {code}); raise its quota, or wait"
    return f"it refuses to relay (error {code}); look at its log"


def _unreachable(uri: Uri, error: OSError) -> CheckError:
    if isinstance(error, ConnectionRefusedError):
        return CheckError(f"nothing listens at {uri['host']} port {uri['port']} ({_way_of(uri)}); start the TURN server there")
    return CheckError(f"{uri['host']} cannot be reached ({error.strerror or 'no way there'}); correct --ice-servers")
